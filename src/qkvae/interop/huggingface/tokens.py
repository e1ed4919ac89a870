"""The tokenizer of a Hugging Face folder, read and written back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from qkvae.config import Encoder, Family, Marks, Seq2Seq
from qkvae.data.foreign import SIDES, TOKENIZER, VOCAB, ForeignTokenizer, foreign, require_fitting
from qkvae.data.tokenizer import SPECIALS, Tokenizer

DESCRIBED = "tokenizer_config.json"
_KEPT = (TOKENIZER, DESCRIBED, "special_tokens_map.json", "generation_config.json")
_NAMES = {
    "bert": {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]", "unk_token": "[UNK]"},
    "roberta": {"cls_token": "<s>", "sep_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"},
}
"""What encoders call their special tokens where the folder does not say."""


def read_tokenizer(folder: Path | str, kind: str, settings: Family) -> Tokenizer:
    """The tokenizer of a folder; one of words or characters only if `write_tokenizer` wrote it.

    Args:
        kind: the model's ``model_type``.
        settings: those of the model, as `huggingface.read` gives them.

    Raises:
        ValueError: there is none that can be read, or it has no token that an encoder needs.
    """
    folder = Path(folder)
    files: dict[str, Any] = {}
    names = (*_KEPT, VOCAB, *SIDES) if kind == "marian" else _KEPT
    for name in names:
        if (path := folder / name).is_file():
            content = path.read_bytes()
            files[name] = json.loads(content) if name.endswith(".json") else content
    try:
        if own := _written_here(files.get(TOKENIZER, {})):
            require_fitting(len(own), settings.vocab)
            return own
        tokenizer = foreign(files, settings.marks, settings.vocab)
    except ValueError as error:
        raise ValueError(f"{folder}: {error}") from None
    return foreign(files, _marks(tokenizer, kind, files, folder), settings.vocab)


def _written_here(file: Mapping[str, Any]) -> Tokenizer | None:
    """Our own tokenizer of words or characters, if the file is one."""
    for kind in ("word", "char"):
        alike = json.loads(Tokenizer.train(["a a"], kind).to_json())
        if _but_for_its_words(file) == _but_for_its_words(alike):
            return Tokenizer.from_json(json.dumps({**file, "post_processor": None}))
    return None


def _but_for_its_words(file: Mapping[str, Any]) -> list[Any]:
    """What makes a tokenizer the kind that it is."""
    model = file.get("model")
    shape = {**cast("dict[str, Any]", model), "vocab": None} if isinstance(model, dict) else None
    parts = [file.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")]
    return [shape, *parts, file.get("added_tokens", [])[: len(SPECIALS)]]


def _marks(tokenizer: ForeignTokenizer, kind: str, files: Mapping[str, Any], folder: Path) -> Marks:
    """The special tokens, by the names that the folder gives them; for decoders the config has their ids."""
    ids = {name: index for index, name in enumerate(tokenizer.known)}
    described = cast("dict[str, Any]", files.get(DESCRIBED, {}))
    if kind not in _NAMES:
        unknown = ids.get(_text(described.get("unk_token", "<unk>")))
        silent = kind == "gpt2" or bool(files.get(TOKENIZER, {}).get("model", {}).get("byte_fallback"))
        return replace(tokenizer.marks, unk=None if silent else unknown)
    found: dict[str, int] = {}
    for role, usual in _NAMES[kind].items():
        name = _text(described.get(role) or usual)
        if name not in ids:
            raise ValueError(f'{folder}: the tokenizer has no token "{name}" ({role}): copy the folder anew')
        found[role] = ids[name]
    return replace(
        tokenizer.marks,
        pad=found["pad_token"],
        bos=found["cls_token"],
        eos=found["sep_token"],
        unk=found["unk_token"],
    )


def _text(token: Any) -> str:
    """A token's text; files have it as text or in an object."""
    return str(cast("dict[str, Any]", token)["content"]) if isinstance(token, dict) else str(token)


def write_tokenizer(tokenizer: Tokenizer, folder: Path | str, settings: Family) -> None:
    """Write what ``AutoTokenizer.from_pretrained`` needs to give the same ids.

    That of a Hugging Face folder is written as it was read; ours with the special tokens that the model reads
    around a text.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = tokenizer.files if isinstance(tokenizer, ForeignTokenizer) else _described(tokenizer, settings)
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        else:
            text = json.dumps(content, ensure_ascii=False, indent=2)
            (folder / name).write_text(text + "\n", encoding="utf-8", newline="\n")


def _described(tokenizer: Tokenizer, settings: Family) -> dict[str, Any]:
    """Our own tokenizer in their files."""
    file = json.loads(tokenizer.to_json())
    pad, bos, eos, unk = SPECIALS
    if isinstance(settings, Encoder):
        file["post_processor"] = _template([bos, "A", eos], [bos, "A", eos, "B", eos])
    elif isinstance(settings, Seq2Seq):
        file["post_processor"] = _template(["A", eos], ["A", eos, "B", eos])
    names = {"pad_token": pad, "bos_token": bos, "eos_token": eos, "unk_token": unk}
    if isinstance(settings, Encoder):
        names |= {"cls_token": bos, "sep_token": eos}
        if "[MASK]" in tokenizer.specials:
            names["mask_token"] = "[MASK]"
    described = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": settings.max_length,
        "clean_up_tokenization_spaces": False,
        **names,
    }
    return {TOKENIZER: file, DESCRIBED: described}


def _template(single: list[str], pair: list[str]) -> dict[str, Any]:
    """What stands around one text and around two, in the words of the ``tokenizers`` library."""
    second = len(pair) - 2 if "B" in pair else len(pair)

    def pieces(parts: list[str]) -> list[dict[str, Any]]:
        return [
            {"Sequence": {"id": part, "type_id": int(place >= second)}}
            if part in ("A", "B")
            else {"SpecialToken": {"id": part, "type_id": int(place >= second)}}
            for place, part in enumerate(parts)
        ]

    used = {part for part in pair if part not in ("A", "B")}
    return {
        "type": "TemplateProcessing",
        "single": pieces(single),
        "pair": pieces(pair),
        "special_tokens": {
            name: {"id": name, "ids": [SPECIALS.index(name)], "tokens": [name]} for name in sorted(used)
        },
    }
