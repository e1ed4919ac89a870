"""Dropout, quick on a processor: masks are slices of a pool instead of fresh random numbers."""

from __future__ import annotations

import functools

import torch
from jaxtyping import Float
from torch import Tensor, nn

_POOL = 1 << 23  # multipliers; a mask is a slice of them at a random place


@functools.lru_cache(maxsize=8)
def _pool(p: float, dtype: torch.dtype) -> Tensor:
    """Multipliers, 0 with probability p and 1/(1−p) otherwise: the same ones in every run."""
    generator = torch.Generator().manual_seed(0)
    keep = torch.rand(_POOL, generator=generator) >= p
    return keep.to(dtype) / (1 - p)


def dropout_mask(p: float, like: Tensor) -> Tensor:
    """A tensor of multipliers in the shape of ``like``: 0 with probability ``p``, 1/(1−p) otherwise.

    On a processor, drawing a random number for each element costs twenty times the multiplication it is for.
    So the place of the slice is drawn (from torch's default generator) and the slice is cut from a fixed
    pool of 2²³ multipliers; within one mask all elements are independent of each other.  Elsewhere every
    element is drawn.

    >>> sorted(set(dropout_mask(0.5, torch.ones(1000)).tolist()))
    [0.0, 2.0]
    """
    count = like.numel()
    if like.device.type == "cpu" and count < _POOL:
        start = int(torch.randint(_POOL - count, ()))
        return _pool(p, like.dtype)[start : start + count].view(like.shape)
    return torch.empty_like(like).bernoulli_(1 - p).div_(1 - p)


class Dropout(nn.Module):
    """While training, zero each channel with probability p and scale the rest by 1/(1−p).

    Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html.

    >>> Dropout(0.5).eval()(torch.ones(2))
    tensor([1., 1.])
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        assert 0 <= p < 1, p
        self.p = p

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        return x * dropout_mask(self.p, x) if self.training and self.p else x


class Residual(Dropout):
    """The residual sum x + dropout(y), in one pass over memory.

    >>> Residual(0.5).eval()(torch.ones(2), torch.ones(2))
    tensor([2., 2.])
    """

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, x: Float[Tensor, "*shape"], y: Float[Tensor, "*shape"]
    ) -> Float[Tensor, "*shape"]:
        return torch.addcmul(x, y, dropout_mask(self.p, y)) if self.training and self.p else x + y
