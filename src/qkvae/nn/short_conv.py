"""Each token's vector joined by those of its neighbours, before the first block."""

from __future__ import annotations

import functools
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn


class ShortConv(nn.Module):
    """y_t = Σ_j w_j ⊙ x_{t+j}: a convolution of each channel by itself, over few places.

    Causal, j is −(size − 1) … 0; else −⌊size / 2⌋ … ⌊size / 2⌋.  So et al. 2021, arXiv:2109.08668, have it on
    queries, keys and values; here it stands once, on the embeddings: the first block already sees what is
    beside a token, for which a stack without it spends a block.  What is of another document, or beyond the
    row, counts as 0.

    Args:
        dim: channels.
        size: places that are joined, the token's own among them; odd unless causal.
        causal: nothing after the token is seen.

    >>> conv = ShortConv(4, size=2, causal=True)
    >>> conv.weight.data = torch.tensor([[10.0], [1.0]]).expand(2, 4).clone()
    >>> conv(torch.tensor([1.0, 2.0, 3.0])[None, :, None].expand(1, 3, 4))[0, :, 0].tolist()
    [1.0, 12.0, 23.0]
    """

    def __init__(self, dim: int, size: int, causal: bool) -> None:
        super().__init__()
        assert causal or size % 2
        self.first = 1 - size if causal else -(size // 2)
        self.weight = nn.Parameter(torch.empty(size, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal with deviation 1/√size, and 1 more for the token itself."""
        nn.init.normal_(self.weight, std=1 / math.sqrt(len(self.weight)))
        with torch.no_grad():
            self.weight[-self.first] += 1

    def forward(
        self, x: Float[Tensor, "b n d"], documents: Int[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b n d"]:
        n, around = x.shape[1], (-self.first, len(self.weight) - 1 + self.first)
        padded = F.pad(x, (0, 0, *around))
        near = [padded[:, place : place + n] * weight for place, weight in enumerate(self.weight)]
        if documents is not None:
            there = F.pad(documents, around)
            own = [there[:, place : place + n] == documents for place in range(len(near))]
            near = [each * same[..., None] for each, same in zip(near, own, strict=True)]
        return functools.reduce(torch.add, near)
