"""Each token's vector joined by those of its neighbours, before the first block."""

from __future__ import annotations

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
        size: places that are joined, the token's own among them.
        causal: nothing after the token is seen.

    >>> conv = ShortConv(4, size=2, causal=True)
    >>> conv.taps.data = torch.tensor([[10.0], [1.0]]).expand(2, 4).clone()
    >>> conv(torch.tensor([1.0, 2.0, 3.0])[None, :, None].expand(1, 3, 4))[0, :, 0].tolist()
    [1.0, 12.0, 23.0]
    """

    def __init__(self, dim: int, size: int, causal: bool) -> None:
        super().__init__()
        self.first = 1 - size if causal else -(size // 2)
        self.taps = nn.Parameter(torch.empty(size, dim))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Normal with deviation 1/√size, and 1 more for the token itself."""
        nn.init.normal_(self.taps, std=1 / math.sqrt(len(self.taps)))
        with torch.no_grad():
            self.taps[-self.first] += 1

    def forward(
        self, x: Float[Tensor, "b n d"], documents: Int[Tensor, "b n"] | None = None
    ) -> Float[Tensor, "b n d"]:
        n, y = x.shape[1], x * self.taps[-self.first]
        for place, tap in enumerate(self.taps):
            away = place + self.first
            if away == 0 or abs(away) >= n:
                continue
            here, there = (
                (slice(-away, n), slice(n + away)) if away < 0 else (slice(n - away), slice(away, n))
            )
            near = x[:, there] * tap
            if documents is not None:
                near = near * (documents[:, here] == documents[:, there])[..., None]
            y = y + F.pad(near, (0, 0, here.start or 0, n - here.stop))
        return y
