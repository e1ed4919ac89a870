"""What a run does instead of answering, each asked for by a flag of its own; and the table of them.

The first setting of a use's own is the one that asks for it; the others have an effect with it only.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Literal

from qkvae.config import checks


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """Vectors of the inputs."""

    embed: bool = False
    """Instead of answers the vectors of the inputs, as a NumPy array to a pipe or to --out."""

    pool: Literal["mean", "first", "last"] | None = None
    """With --embed or --neighbours: what stands for a text; as the run was trained, or the mean."""

    level: Literal["sentence", "token"] | None = None
    """With --embed: one vector for each input (sentence) or for each of its tokens (token)."""

    out: str | None = None
    """With --embed: a file .npy, .npz or .parquet instead of stdout."""

    def __post_init__(self) -> None:
        checks.in_effect(self, "pool", "level", None, "sentence")


@dataclass(frozen=True, kw_only=True)
class Neighbours:
    """What is nearest to the inputs."""

    neighbours: str | None = None
    """Instead of answers the lines of this file that are nearest to each input: number, cosine, line."""

    pool: Literal["mean", "first", "last"] | None = None
    """With --embed or --neighbours: what stands for a text; as the run was trained, or the mean."""

    count: int | None = None
    """With --neighbours: how many lines; 10 if not given."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "count")

    @property
    def count_or_default(self) -> int:
        """How many lines are told."""
        return 10 if self.count is None else self.count


def asking(use: type) -> str:
    """The setting that asks for a use.

    >>> asking(Embedding)
    'embed'
    """
    return next(iter(inspect.get_annotations(use)))


OF_TEXT: tuple[type, ...] = (Embedding, Neighbours)
"""What every run that reads text does."""
