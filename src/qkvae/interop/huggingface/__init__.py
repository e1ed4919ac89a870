"""Hugging Face folders, from and to our families: the only place that knows other people's names for weights.

| folder | here |
|---|---|
| GPT-2 | `models.Decoder`, learned positions |
| Llama-shaped | `models.Decoder`, rotary positions |
| BERT, RoBERTa | `models.Encoder` |
| Marian | `models.Seq2Seq` |
| ViT | `models.Vision` |
| ViTMAE | `models.MaskedImage` |

Only the core dependencies are needed: folders are read as JSON and safetensors.  Tokens keep their ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from qkvae import config
from qkvae.config import nearest
from qkvae.interop.huggingface import bert, gpt2, llama, marian, vit
from qkvae.interop.huggingface.files import State, read_config, read_weights, write_files
from qkvae.interop.huggingface.marian import from_marian, to_marian
from qkvae.interop.huggingface.names import marks_out
from qkvae.interop.huggingface.processor import read_processor, write_processor
from qkvae.interop.huggingface.tokens import read_tokenizer, write_tokenizer
from qkvae.models import Decoder, Encoder, Family, GridFamily, MaskedImage, Seq2Seq, Vision

Settings = TypeVar("Settings", bound=config.Family | config.GridFamily)


@dataclass(frozen=True)
class Foreign(Generic[Settings]):
    """A model of a Hugging Face folder in our words."""

    settings: Settings
    """What `models.build` makes the model of."""

    state: State
    """Its weights, for ``load_state_dict``."""

    left_out: tuple[str, ...]
    """Weights of the folder that only other heads have a use for."""


_Readers = Mapping[str, Callable[[Mapping[str, Any], State], tuple[Settings, State]]]
_READERS: _Readers[config.Family] = {
    "gpt2": gpt2.read,
    "llama": llama.read,
    "bert": bert.read,
    "roberta": bert.read,
    "marian": marian.read,
}
_GRID_READERS: _Readers[config.GridFamily] = {
    "vit": vit.read,
    "vit_mae": vit.read,
}

OF_GRIDS = tuple(_GRID_READERS)
"""What models of pictures are called there."""

DEFAULTS: dict[str, dict[str, Any]] = {
    "gpt2": {"activation_function": "gelu_new", "layer_norm_epsilon": 1e-5},
    "llama": {"hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 2048},
    "bert": {"layer_norm_eps": 1e-12, "type_vocab_size": 2, "pad_token_id": 0, "hidden_act": "gelu"},
    "roberta": {"layer_norm_eps": 1e-12, "type_vocab_size": 2, "pad_token_id": 1, "hidden_act": "gelu"},
    "marian": {"activation_function": "gelu"},
    "vit": {"layer_norm_eps": 1e-12, "image_size": 224, "patch_size": 16, "num_channels": 3},
    "vit_mae": {"layer_norm_eps": 1e-12, "image_size": 224, "patch_size": 16, "num_channels": 3},
}
"""What settings mean that old configs leave out."""


def read(folder: Path | str) -> Foreign[config.Family]:
    """The model of a folder that transformers' ``save_pretrained`` wrote: its logits are equal to 1e-5.

    Raises:
        FileNotFoundError: the folder holds no config or no safetensors.
        ValueError: the model is of another shape, or does something that ours cannot; it is named.
    """
    return _read(Path(folder), _READERS, "pictures are no texts", _GRID_READERS)


def read_grid(folder: Path | str) -> Foreign[config.GridFamily]:
    """Likewise a model of pictures: ViT and ViTMAE.

    Raises:
        FileNotFoundError: the folder holds no config or no safetensors.
        ValueError: the model is of another shape, or does something that ours cannot; it is named.
    """
    return _read(Path(folder), _GRID_READERS, "texts are no pictures", _READERS)


def _read(folder: Path, readers: _Readers[Settings], others: str, known: Iterable[str]) -> Foreign[Settings]:
    settings, weights = read_config(folder), read_weights(folder)
    kind = str(settings.get("model_type"))
    if kind not in readers:
        why = f"for this task, since {others}" if kind in known else nearest(kind, [*readers, *known])
        raise ValueError(f'{folder}: model_type is "{kind}", which cannot be read: {why}')
    try:
        made, state = readers[kind](DEFAULTS[kind] | settings, weights)
    except KeyError as error:
        raise ValueError(
            f"{folder}/config.json has no {error}, which a {kind} model needs: copy it anew"
        ) from None
    foreign = [name for name in weights if not name.startswith(bert.UNUSED)]
    if foreign:
        raise ValueError(f"{folder}: {foreign[0]} is no weight of a {kind} model with this config")
    return Foreign(made, state, tuple(weights))


def labelled(names: Sequence[str]) -> dict[str, Any]:
    """What the classes are called, in their words."""
    return {"id2label": dict(enumerate(names)), "label2id": {name: n for n, name in enumerate(names)}}


def write(
    model: Family | GridFamily,
    folder: Path | str,
    kind: str | None = None,
    keep: Mapping[str, Any] | None = None,
) -> None:
    """Write a folder that transformers' ``from_pretrained`` loads, with equal logits.

    Args:
        model: any family; it is written as ``kind``, and refused if that shape lacks one of its parts.
        folder: where to; made if it is not there.
        kind: ``gpt2`` or ``llama``, ``bert`` or ``roberta``, ``marian``, ``vit``, ``vit_mae``; by the
        positions and family if not given.
        keep: settings that say nothing of the computation, such as the ids of special tokens: those of the
        folder that the model came from.  Our own tokenizers' ids if not given.

    Raises:
        ValueError: the shape lacks a part of the model, or is none for its family.
    """
    match model:
        case Decoder():
            kind = kind or ("llama" if model.settings.block.positions == "rotary" else "gpt2")
            writers = {"gpt2": gpt2.write, "llama": llama.write}
            made = writers[kind](model) if kind in writers else None
        case Encoder():
            kind = kind or "bert"
            made = bert.write(model, kind) if kind in ("bert", "roberta") else None
        case Seq2Seq():
            kind = kind or "marian"
            made = to_marian(model) if kind == "marian" else None
        case Vision():
            kind = kind or "vit"
            made = vit.write(model) if kind == "vit" else None
        case MaskedImage():
            kind = kind or "vit_mae"
            made = vit.write_masked(model) if kind == "vit_mae" else None
    if made is None:
        raise ValueError(f"a {type(model).__name__} cannot be written as {kind}")
    settings, state = made
    head = getattr(model.settings, "head", None)
    names = (
        [f"LABEL_{number}" for number in range(head.count)]
        if isinstance(head, config.Classes | config.LinearClasses)
        else []
    )
    keep = (labelled(names) if names else {}) | dict(keep or {})
    marks = {} if isinstance(model, Vision | MaskedImage) else marks_out(model.settings.marks)
    write_files(Path(folder), {**marks, **keep, **settings}, state)


__all__ = [
    "OF_GRIDS",
    "Foreign",
    "from_marian",
    "labelled",
    "read",
    "read_config",
    "read_grid",
    "read_processor",
    "read_tokenizer",
    "to_marian",
    "write",
    "write_processor",
    "write_tokenizer",
]
