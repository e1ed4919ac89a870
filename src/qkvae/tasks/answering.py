"""What answerers of every task share: their weights, their inputs in windows, what is said of cuts."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, cast

from torch import nn

from qkvae.config import Family
from qkvae.config.names import many
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import build
from qkvae.run import Run

WINDOW = 16
"""Batches that are read before the first is answered where all inputs are there: sorted by length, they hold
little padding."""


def kept_model(run: Run) -> Any:
    """The model with the weights that a run keeps for use.

    Raises:
        RunError: a part of the run is missing or damaged.
    """
    model: nn.Module = build(cast("Family", run.config.model))
    run.load_into(model.eval())
    return model


def require_vocabulary(model: Any, tokenizer: Tokenizer) -> None:
    """Refuse a tokenizer that is not for this model.

    Raises:
        ValueError: their vocabularies differ.
    """
    if len(tokenizer) != model.settings.vocab:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens, but the model {model.settings.vocab}: "
            "use the tokenizer that the model was trained with"
        )


def windows(inputs: Iterable[str], batch: int) -> Iterator[list[str]]:
    """The inputs, some at a time: of a sequence `WINDOW` batches, of anything else, such as a file, one; no
    more is read ahead.

    >>> list(windows(iter("abc"), 2)), list(windows(["a", "b", "c"], 2))
    ([['a', 'b'], ['c']], [['a', 'b', 'c']])
    """
    rest, size = iter(inputs), batch * WINDOW if isinstance(inputs, Sequence) else batch
    while window := list(itertools.islice(rest, size)):
        yield window


def said_of_long(
    count: int, longest: int, noun: str = "input", done: str = "only the beginning was read"
) -> str | None:
    """What a person must be told of so many inputs of more tokens than are read at once, in one line.

    >>> said_of_long(1, 64)
    '1 input has more than 64 tokens: only the beginning was read'
    """
    have = "has" if count == 1 else "have"
    return f"{many(count, noun)} {have} more than {longest} tokens: {done}" if count else None
