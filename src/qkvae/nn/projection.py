"""Several linear maps of one input, computed as one product."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


class Projection(nn.Linear):
    """``parts`` linear maps stacked in one matrix: (x W₁ᵀ + b₁, x W₂ᵀ + b₂, …).

    One product of [dim, ΣN] is quicker than several of [dim, N].  Initialisation and the optimiser must still
    treat each map as the matrix it is: the parts, and within attention each head's rows (of W_Q, W_K, W_V) or
    columns (of W_O), ``head_rows`` and ``head_columns`` of them.

    >>> [part.shape for part in Projection(8, (8, 4, 4))(torch.zeros(3, 8))]
    [torch.Size([3, 8]), torch.Size([3, 4]), torch.Size([3, 4])]
    """

    def __init__(
        self, dim: int, parts: tuple[int, ...], head_rows: int | None = None, head_columns: int | None = None
    ) -> None:
        self.parts, self.head_rows, self.head_columns = parts, head_rows, head_columns
        super().__init__(dim, sum(parts))

    def reset_parameters(self) -> None:
        """Glorot-uniform for each part, zero biases."""
        for part in self.weight.split_with_sizes(self.parts):
            nn.init.xavier_uniform_(part)
        nn.init.zeros_(self.bias)

    def maps(self, matrix: Tensor) -> list[Tensor]:
        """A tensor in the shape of the weight, taken apart into the single maps it holds: views.

        >>> heads = Projection(8, (8, 4, 4), head_rows=4)
        >>> [head.shape for head in heads.maps(heads.weight)]
        [torch.Size([4, 8]), torch.Size([4, 8]), torch.Size([4, 8]), torch.Size([4, 8])]
        """
        maps = list(matrix.split_with_sizes(self.parts))
        if self.head_rows is not None:
            maps = [head for part in maps for head in torch.split(part, self.head_rows)]
        if self.head_columns is not None:
            maps = [head for part in maps for head in torch.split(part, self.head_columns, dim=1)]
        return maps

    def forward(self, x: Float[Tensor, "*batch dim"]) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return split(F.linear(x, self.weight, self.bias), self.parts)

    def some(self, x: Float[Tensor, "*batch dim"], first: int, last: int) -> tuple[Tensor, ...]:
        """What maps ``first`` to ``last`` − 1 give, without computing the others.

        >>> maps, x = Projection(8, (8, 4, 4)), torch.randn(3, 8)
        >>> all(torch.allclose(*pair, atol=1e-6) for pair in zip(maps.some(x, 1, 3), maps(x)[1:]))
        True
        """
        rows = slice(sum(self.parts[:first]), sum(self.parts[:last]))
        bias = cast("Tensor | None", self.bias)  # which models without biases take away
        made = F.linear(x, self.weight[rows], None if bias is None else bias[rows])
        return split(made, self.parts[first:last])


def split(x: Tensor, parts: tuple[int, ...]) -> tuple[Tensor, ...]:
    """The channels in parts of these sizes; a single part is the whole."""
    return (x,) if len(parts) == 1 else tuple(x.split_with_sizes(parts, dim=-1))
