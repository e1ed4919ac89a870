"""What a family of models is trained to do; the loop knows nothing else of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn


@dataclass(frozen=True)
class Loss:
    """The loss of one batch, summed over what it is counted in."""

    total: Tensor
    """What is minimised, in nats, with its gradient."""

    nll: Tensor
    """The plain negative log-likelihood, in nats."""

    count: int
    """How many tokens (or data) the sums run over."""


@runtime_checkable
class Watched(Protocol):
    """An objective that knows what goes wrong while it is learned."""

    def advice(self, figures: dict[str, float]) -> str | None:
        """What went wrong, by what `Objective.validate` found, and what to do; None if all is well."""
        ...


@runtime_checkable
class Objective(Protocol):
    """A model, the batches it learns from and the figures it is judged by."""

    model: nn.Module
    """What is trained."""

    metric: str
    """The figure among those of `validate` that decides which weights are best."""

    larger_is_better: bool
    """Whether more of it is better."""

    counted: str
    """What `size` counts, in the plural: tokens, texts …"""

    def batches(self, start: int) -> Iterator[Any]:
        """Batch ``start`` and all after it; a pure function of the seed and the number."""
        ...

    def parts(self, batch: Any, count: int) -> list[Any]:
        """The batch cut into at most ``count`` parts of about the same size."""
        ...

    def loss(self, batch: Any) -> Loss:
        """The loss of a batch, with its gradient."""
        ...

    def size(self, batch: Any) -> int:
        """Tokens (or data) in a batch, as the loss counts them."""
        ...

    def validate(self) -> dict[str, float]:
        """Figures on the validation data with the model's present weights."""
        ...
