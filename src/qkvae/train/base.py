"""Fine-tuning: a training that begins with the weights and the tokenizer of an earlier model.

What must stay as it was learned comes with the weights: the tokenizer and the architecture.  What a task ends
in (its head) is its own; where it is of another kind than the base's it begins anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from qkvae.config import GridFamily
from qkvae.data.tokenizer import Tokenizer
from qkvae.interop import huggingface
from qkvae.run import Mismatch, Run
from qkvae.train.coded_base import (
    PRIOR,
    adds_a_prior,
    named_within,
    refuse_rows,
)
from qkvae.train.given import Given
from qkvae.train.grid_base import stretched_table

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
