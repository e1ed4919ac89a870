"""What runs do instead of answering: the table of it, and what whoever does it is given."""

from __future__ import annotations

import importlib
import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

from qkvae.config.latent_uses import (
    CodeSampling,
    Encoding,
    Interpolating,
    Rebuilding,
    Sampling,
    Scoring,
    Traversing,
)
from qkvae.config.uses import Embedding, Neighbours
from qkvae.run import Run


@runtime_checkable
class Output(Protocol):
    """Where results go, and what is said to a person."""

    @property
    def json(self) -> bool:
        """Whether results are wanted as JSON lines."""
        ...

    def binary(self) -> io.BufferedIOBase | None:
        """Where bytes may be written; None where a person would see them."""
        ...

    def put(self, text: str) -> None:
        """One line of the result."""
        ...

    def record(self, record: Mapping[str, Any]) -> None:
        """One line of the result, as JSON."""
        ...

    def say(self, text: str) -> None:
        """One sentence to a person."""
        ...


Use = Callable[[Run, Any, Iterable[list[str]], Output], None]
"""From a run, the settings that ask for it (an object of the class in the table) and the inputs, as many at a
time as are there: write the results.  Inputs that are not asked for are not read."""

USES: dict[type, str] = {
    Embedding: "qkvae.tasks.vectors:write_vectors",
    Neighbours: "qkvae.tasks.vectors:tell_neighbours",
    Sampling: "qkvae.tasks.vae.using:draw_samples",
    CodeSampling: "qkvae.tasks.vae.using:draw_samples",
    Rebuilding: "qkvae.tasks.vae.using:reconstruct",
    Interpolating: "qkvae.tasks.vae.using:interpolate",
    Traversing: "qkvae.tasks.vae.using:traverse",
    Encoding: "qkvae.tasks.vae.using:encode",
    Scoring: "qkvae.tasks.vae.using:score",
}
"""The class of settings that asks for each, and the function that does it, imported when it is called."""


def find_use(asked: object) -> Use:
    """What does what these settings ask for.

    >>> find_use(Embedding(embed=True)).__name__
    'write_vectors'
    """
    module, function = USES[type(asked)].split(":")
    return getattr(importlib.import_module(module), function)
