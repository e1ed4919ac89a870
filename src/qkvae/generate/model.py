"""What decoding needs of a model, whichever family it is of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol, TypeVar, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from qkvae.config import Marks


@runtime_checkable
class State(Protocol):
    """What a model remembers between steps: rows are hypotheses, ``beam`` neighbouring ones a sentence."""

    def reorder(self, rows: Int[Tensor, " rows"]) -> None:
        """Row r goes on with what row ``rows[r]`` remembered (both of the same sentence)."""
        ...

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Forget all sentences but these."""
        ...


_ROWS = 64  # 2 MB of logits at a vocabulary of 8,000

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

    def read(self, tokens: Int[Tensor, " rows"], cache: S) -> Float[Tensor, "rows d"]:
        """Take each hypothesis's newest token; what the next one is predicted from comes back."""
        ...

    def predict(self, features: Float[Tensor, "rows d"]) -> Float[Tensor, "rows v"]:
        """Logits of the next tokens; the caller may write over them."""
        ...


def marks_of(model: Decodable[Any]) -> Marks:
    """The special tokens of a model; those of our own tokenizers where it has no settings."""
    return getattr(getattr(model, "settings", None), "marks", Marks())


def predictions(
    model: Decodable[Any], features: Float[Tensor, "rows d"], group: int
) -> Iterator[tuple[slice, Float[Tensor, "part v"]]]:
    """The logits of some rows at a time, whole groups of neighbouring rows, and which rows they are.

    On a processor all rows' logits would leave its cache before the next operation reads them.
    """
    size = max(1, _ROWS // group) * group if features.device.type == "cpu" else max(1, len(features))
    for start in range(0, len(features), size):
        rows = slice(start, start + size)
        yield rows, model.predict(features[rows]).float()
