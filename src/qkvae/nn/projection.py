"""Several linear maps of one input, computed as one product."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Projection(nn.Linear):
    """``parts`` linear maps stacked in one matrix: (x W₁ᵀ + b₁, x W₂ᵀ + b₂, …).

    One product of [dim, ΣN] is quicker than several of [dim, N].  The parts stay known, because initialisation
    and the optimiser must treat each as the matrix it is.

    >>> [part.shape for part in Projection(8, (8, 4, 4))(torch.zeros(3, 8))]
    [torch.Size([3, 8]), torch.Size([3, 4]), torch.Size([3, 4])]
    """

    def __init__(self, dim: int, parts: tuple[int, ...], bias: bool = True) -> None:
        self.parts = parts
        super().__init__(dim, sum(parts), bias=bias)

    def reset_parameters(self) -> None:
        """Glorot-uniform for each part, zero biases."""
        for part in self.weight.split(self.parts):
            nn.init.xavier_uniform_(part)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Float[Tensor, "*batch dim"]) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return torch.nn.functional.linear(x, self.weight, self.bias).split(self.parts, dim=-1)
