"""Fine-tuning: a training that begins with the weights and the tokenizer of an earlier model.

What must stay as it was learned comes with the weights: the tokenizer and the architecture.  What a task ends
in (its head) is its own; where it is of another kind than the base's it begins anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast, get_args, get_type_hints

import torch
from torch import Tensor, nn

from qkvae.config import TASKS, CodePrior, Encoder, GridFamily, TaskConfig, differences, from_dict, to_dict
from qkvae.data.tokenizer import Tokenizer
from qkvae.interop import huggingface
from qkvae.run import Mismatch, Run
from qkvae.train.coded_base import (
    PRIOR,
    Coded,
    adds_a_prior,
    named_within,
    refuse_rows,
    require_shape,
    with_codes,
)
from qkvae.train.given import Given
from qkvae.train.grid_base import require_channels, stretched_table, with_body, with_size

FREE = ("block.dropout", "max_length", "head.pooling", "stochastic_depth", "word_dropout")
"""Settings of a model on which no learned weight depends; of learned positions the length is checked."""

_VOCABULARY = ("tokenizer", "vocab_size", "min_frequency")
"""Settings of ``data`` that the base's tokenizer has decided."""

_LENGTHS = ("length", "max_length")
"""Settings of ``data`` that say how long a text the model reads, by task."""

_HEAD, _SEGMENTS = "head.", "input.segments."

_OF_TOKENS = {"input.embedding.weight", "head.weight", "head.bias"}
"""What has a row, or a number, for every token: of decoders and of heads that fill blanks."""


@dataclass(frozen=True)
class Base:
    """A model to begin from."""

    path: Path
    """Where it is."""

    what: str
    """What it is, in words."""

    settings: Any
    """Of its model, of any family."""

    state: Mapping[str, Tensor]

    tokenizer: Tokenizer | None
    """None of a model that reads no text."""

    digest: str
    """SHA-256 of the weights, by which they are known again."""

    def record(self) -> dict[str, str]:
        """What a run remembers of where it began."""
        return {"path": self.path.as_posix(), "what": self.what, "sha256": self.digest}


def read_base(path: str | Path) -> Base:
    """The run, or the Hugging Face model, in this folder as something to begin from.

    Raises:
        ValueError: the folder holds neither, or a part of it is missing, damaged or cannot be read.
    """
    path = Path(path)
    if is_foreign(path):
        if str(huggingface.read_config(path)["model_type"]) in huggingface.OF_GRIDS:
            grids = huggingface.read_grid(path)
            what = f"a Hugging Face folder of {huggingface.read_config(path)['model_type']}"
            return Base(path, what, grids.settings, grids.state, None, _digest(grids.state))
        found = huggingface.read(path)
        kind = str(huggingface.read_config(path)["model_type"])
        tokenizer = huggingface.read_tokenizer(path, kind, found.settings)
        settings = replace(found.settings, marks=tokenizer.marks)
        what = f"a Hugging Face folder of {kind}"
        return Base(path, what, settings, found.state, tokenizer, _digest(found.state))
    run = Run.open(path)
    config: Any = run.config
    refuse_rows(config.model, path)
    state = run.load_model()
    tokenizer = run.tokenizer if hasattr(config.model, "vocab") else None
    return Base(path, f"a run of {run.task}", config.model, state, tokenizer, _digest(state))


def extended(base: Base, names: Sequence[str]) -> Base:
    """The base with these special tokens, where its tokenizer lacks them.

    In every matrix that has a row for each token, those of the new ones begin as the mean of all rows but
    those of special tokens: then the model is about as likely to write them as it is to write any token,
    and nothing else becomes less likely by much (Hewitt 2021, "Initializing new word embeddings for
    pretrained language models").

    Raises:
        ValueError: the tokenizer is somebody else's.
    """
    assert base.tokenizer is not None
    missing = [name for name in names if not _knows(base.tokenizer, name)]
    if not missing:
        return base
    place, vocab = len(base.tokenizer.specials), base.settings.vocab
    longer: dict[int, Tensor] = {}  # by where it lies, so that two names of one matrix stay that
    state = dict(base.state)
    for name in _OF_TOKENS & state.keys():
        rows = state[name]
        if len(rows) == vocab:
            mean = rows[place:].mean(0, keepdim=True).expand(len(missing), *rows.shape[1:])
            made = torch.cat([rows[:place], mean, rows[place:]])
            state[name] = longer.setdefault(rows.data_ptr(), made)
    tokenizer = base.tokenizer.with_specials(missing)
    return replace(
        base, settings=replace(base.settings, vocab=len(tokenizer)), state=state, tokenizer=tokenizer
    )


def _knows(tokenizer: Tokenizer, name: str) -> bool:
    """Whether a tokenizer has this special token, whatever it calls it."""
    try:
        tokenizer.special(name)
    except ValueError:
        return False
    return True


def is_foreign(path: Path) -> bool:
    """Whether this is a folder of a Hugging Face model."""
    return (path / "config.json").is_file() and "model_type" in huggingface.read_config(path)


def same_base(record: Mapping[str, str]) -> Base:
    """The base that a run began from, once more.

    Raises:
        Mismatch: what is there now is another model.
        ValueError: what `read_base` raises.
    """
    base = read_base(record["path"])
    if base.digest != record["sha256"]:
        raise Mismatch(
            f"{base.path} has weights of sha256 {base.digest[:12]}, but the run was begun from "
            f"{record['sha256'][:12]}: put them back, or start a new run with another --out"
        )
    return base


def _digest(state: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


# Settings


def asked_of(config: TaskConfig) -> dict[str, Any]:
    """The settings in which a config differs from its task's usual one, nested as `from_dict` takes them.

    >>> from qkvae.config import TextClassification, Training
    >>> asked_of(TextClassification(training=Training(steps=5)))
    {'training': {'steps': 5}}
    """
    found: dict[str, Any] = {}
    for name, _, value in differences(to_dict(type(config)()), to_dict(config)):
        group = found
        *path, last = name.split(".")
        for part in path:
            group = group.setdefault(part, {})
        group[last] = value
    return found


def configured(task: str, base: Base, asked: Mapping[str, Any]) -> Any:
    """A task's config with the base's architecture and, of the rest, what is asked for.

    Args:
        asked: settings by name, nested as the config classes are.

    Raises:
        ValueError: the base is of another family; a setting contradicts it or has no effect with it; a
            setting is unknown.
    """
    kind = TASKS[task]
    usual: Any = kind()
    if type(base.settings) in get_args(get_type_hints(kind)["model"]):  # one of several kinds of models
        usual = replace(usual, model=base.settings)
    settings: Any = with_codes(base.settings, usual.model)
    if isinstance(base.settings, GridFamily) and isinstance(usual.model, GridFamily):
        model = with_body(base.settings, usual.model)
        _refuse_changes(model, asked.get("model", {}), base.path)
        usual = replace(usual, data=_sized(usual.data, asked, base.settings.patches.size))
        return from_dict(kind, dict(asked), default=replace(usual, model=model))
    if type(settings) is not type(usual.model):
        there, here = type(base.settings).__name__, type(usual.model).__name__
        raise ValueError(
            f"{base.path} is {base.what} and holds a {there}, but {task} trains a {here}: "
            f"begin from a model of that family"
        )
    data, wanted = dict(asked.get("data", {})), asked.get("model", {})
    if isinstance(settings, Coded):
        _refuse_changes(settings, {} if adds_a_prior(base.settings, settings) else wanted, base.path)
        shape = settings.vq.shape if isinstance(settings, CodePrior) else settings.shape
        usual = replace(usual, data=_sized(usual.data, asked, shape))
        return from_dict(kind, dict(asked), default=replace(usual, model=settings))
    if isinstance(settings, Encoder) and type(settings.head) is not type(usual.model.head):
        settings = replace(settings, head=usual.model.head)
    assert base.tokenizer is not None
    for name in _VOCABULARY:
        if name in data and (name, data[name]) != ("tokenizer", base.tokenizer.kind):
            raise ValueError(
                f"{name} {data[name]} has no effect with --from {base.path}, whose tokenizer is taken: "
                "leave it out"
            )
    _refuse_changes(settings, wanted, base.path)
    longest = settings.max_length
    usual_data = _with_kind(usual.data, base.tokenizer.kind)
    for name in _LENGTHS:
        if hasattr(usual_data, name):
            usual_data = replace(usual_data, **{name: min(longest, getattr(usual_data, name))})
            longest = max(longest, int(data.get(name, 0)))
    settings = replace(settings, max_length=longest)
    _refuse_lengths(base, max(longest, int(wanted.get("max_length", 0))))
    return from_dict(kind, dict(asked), default=replace(usual, data=usual_data, model=settings))


def _sized(data: Any, asked: Mapping[str, Any], shape: Sequence[int]) -> Any:
    """The usual data settings, by which files get the base's size; embedded data have their own."""
    pictures = asked.get("data", {}).get("paths") and len(shape) > 1
    return with_size(data, shape) if pictures else data


def fitted(base: Base, model: Any) -> Any:
    """A model's settings, completed from the data, so that the base's weights fit them.

    Raises:
        ValueError: the data have texts longer than the base's learned positions, or other channels.
    """
    if isinstance(base.settings, GridFamily):
        require_channels(base.settings, model, base.path)
    require_shape(base.settings, model, base.path)
    if isinstance(base.settings, GridFamily | Coded):
        return model
    longest = max(model.max_length, base.settings.max_length)
    _refuse_lengths(base, longest)
    kept: dict[str, Any] = {"max_length": longest}
    kept |= {name: getattr(base.settings, name) for name in ("vocab", "marks")}
    if isinstance(base.settings, Encoder) and base.settings.segments:
        kept["segments"] = base.settings.segments
    return replace(model, **kept)


def _refuse_changes(settings: Any, wanted: Mapping[str, Any], path: Path) -> None:
    """Refuse another architecture than the base's."""
    known = dict(_leaves(to_dict(settings)))
    for name, value in _leaves(wanted):
        if name in known and name not in FREE and value != known[name]:
            raise ValueError(
                f"model.{name.removeprefix('block.')} is {value}, but {path} has {known[name]}: "
                "leave it out, the architecture comes with the weights"
            )


def _refuse_lengths(base: Base, longest: int) -> None:
    if base.settings.block.positions == "learned" and longest > base.settings.max_length:
        raise ValueError(
            f"texts may have {longest} tokens, but {base.path} has learned {base.settings.max_length} "
            f"positions: use at most {base.settings.max_length}"
        )


def _with_kind(data: Any, tokenizer: str) -> Any:
    """The task's data settings, with the kind of the base's tokenizer where they can name it."""
    known = get_args(get_type_hints(cast("type[Any]", type(data))).get("tokenizer"))
    return replace(data, tokenizer=tokenizer) if tokenizer in known else data


def _leaves(settings: Mapping[str, Any], where: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{where}{name}.")  # pyright: ignore[reportUnknownArgumentType]
        else:
            yield where + name, value


# Weights


def give(model: nn.Module, base: Base) -> Given:
    """Give a model the base's weights: all of its body, and of its head where both end in the same.

    Raises:
        Mismatch: a weight of the body is missing or of another shape.
    """
    here, there = cast("Any", model.settings), base.settings
    same_head = type(here) is type(there) and (
        not hasattr(here, "head") or type(here.head) is type(there.head)
    )
    own, taken, state = model.state_dict(), dict[str, Tensor](), named_within(base.state, there, here)
    new = (PRIOR,) if adds_a_prior(there, here) else (_HEAD, _SEGMENTS)
    for name, tensor in own.items():
        known = state.get(name)
        if known is not None and isinstance(there, GridFamily) and there.patches.grid != here.patches.grid:
            known = stretched_table(name, known, there, here)
        foreign_head = name.startswith(_HEAD) and not same_head
        if known is not None and known.shape == tensor.shape and not foreign_head:
            taken[name] = known
        elif not name.startswith(new):
            found = "missing" if known is None else f"of shape {tuple(known.shape)}"
            raise Mismatch(f"{base.path}: {name} is {found} there, but {tuple(tensor.shape)} is needed")
    model.load_state_dict(taken, strict=False)
    shared = {own[name].data_ptr() for name in taken}  # the head may be the embedding's matrix
    anew = [name for name in own if name not in taken and own[name].data_ptr() not in shared]
    return Given(
        taken=_modules(taken),
        numbers=sum({t.data_ptr(): t.numel() for t in (own[name] for name in taken)}.values()),
        anew=_modules(new if PRIOR in new else anew),
        left_out=_folded([name for name in state if name not in taken and not _is_tied(name, base)], taken),
    )


def _is_tied(name: str, base: Base) -> bool:
    """Whether this is another name of the embedding."""
    table = base.state.get("input.embedding.weight")
    return table is not None and base.state[name].data_ptr() == table.data_ptr()


def _modules(names: Iterable[str]) -> tuple[str, ...]:
    """The modules that these weights are of."""
    return tuple(dict.fromkeys(name.rpartition(".")[0] for name in names))


def _folded(names: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """`_modules`, without those inside another of them that has none of the others."""
    found = _modules(names)
    whole = [each for each in found if not any(name.startswith(f"{each}.") for name in others)]
    return tuple(each for each in found if not any(each.startswith(f"{one}.") for one in whole))
