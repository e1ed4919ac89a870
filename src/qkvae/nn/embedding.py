"""Token ids to vectors."""

from __future__ import annotations

import math

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class Embedding(nn.Embedding):
    """scale · W[id]: a look-up, which is the product of the token's one-hot vector with W.

    Unless another is given the scale is √dim, that of Vaswani et al. 2017, section 3.4; with W drawn from a
    normal distribution of deviation 1/√dim each channel starts with deviation 1, and the same W serves as the
    head.

    >>> import torch
    >>> e = Embedding(5, 4)
    >>> one_hot = F.one_hot(torch.tensor([3]), 5).float()
    >>> bool(torch.equal(e(torch.tensor([3])), one_hot @ e.weight * 2))
    True
    """

    def __init__(self, vocab: int, dim: int, scale: float | None = None) -> None:
        super().__init__(vocab, dim)
        self.scale = math.sqrt(dim) if scale is None else scale

    def reset_parameters(self) -> None:
        """Normal with deviation 1/√dim."""
        nn.init.normal_(self.weight, std=1 / math.sqrt(self.embedding_dim))

    def forward(self, ids: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch dim"]:  # pyright: ignore[reportIncompatibleMethodOverride]
        looked_up = F.embedding(ids, self.weight)
        return looked_up if self.scale == 1.0 else looked_up * self.scale
