"""What decoding needs of a model, whichever family it is of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor


@runtime_checkable
class State(Protocol):
    """What a model remembers between steps: rows are hypotheses, ``beam`` neighbouring ones a sentence."""

    def reorder(self, rows: Int[Tensor, " rows"]) -> None:
        """Row r goes on with what row ``rows[r]`` remembered (both of the same sentence)."""
        ...

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Forget all sentences but these."""
        ...


S = TypeVar("S", bound=State)


@runtime_checkable
class Decodable(Protocol[S]):
    """A model that answers token by token."""

    training: bool

    def train(self, mode: bool = True) -> Any:
        """Training mode, or the mode for use."""
        ...

    def parameters(self) -> Iterator[Tensor]:
        """Its weights."""
        ...

    def start(
        self, source: Int[Tensor, "b n"], source_lengths: Int[Tensor, " b"], beam: int, capacity: int
    ) -> S:
        """Read the sources, each for ``beam`` hypotheses of about ``capacity`` tokens."""
        ...

    def step(self, tokens: Int[Tensor, " rows"], cache: S) -> Float[Tensor, "rows v"]:
        """Logits of the token after each hypothesis's newest; the caller may write over them."""
        ...
