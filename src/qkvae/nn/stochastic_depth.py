"""Stochastic depth: while training, whole parts of blocks are left out for some rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from jaxtyping import Float
from torch import Tensor

from qkvae.nn.blocks import Block, Stack
from qkvae.nn.dropout import Residual, dropout_mask


class StochasticDepth(Residual):
    """x + m · dropout(y) with m = 0 for a row with probability ``rate``, and 1/(1 − rate) otherwise.

    Huang et al. 2016, arXiv:1603.09382.  In use it is x + y.

    >>> StochasticDepth(0.0, 0.5).eval()(torch.ones(1, 1, 2), torch.ones(1, 1, 2))
    tensor([[[2., 2.]]])
    """

    def __init__(self, p: float, rate: float) -> None:
        super().__init__(p)
        assert 0 <= rate < 1, rate
        self.rate = rate

    def forward(self, x: Float[Tensor, "b n d"], y: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:  # pyright: ignore[reportIncompatibleMethodOverride]
        if not self.training or not self.rate:
            return super().forward(x, y)
        drawn = torch.rand(len(y), 1, 1, device=y.device)
        stays = (drawn >= self.rate).to(y.dtype) / (1 - self.rate)
        return torch.addcmul(x, y, stays * dropout_mask(self.p, y) if self.p else stays)


def leave_out(stack: Stack, rate: float) -> None:
    """Give each block of a stack its rate: 0 in the first, ``rate`` in the last, evenly between.

    The first of a single block is the last.  Huang et al. begin with rate / depth (equation 4), as if the
    embedding were a block; the Vision Transformers of timm begin with 0.

    >>> from qkvae import config
    >>> stack = Stack(config.Block(dim=8, heads=2, hidden=8), depth=3, length=4)
    >>> leave_out(stack, 0.2)
    >>> [block.add.rate for block in stack.blocks]
    [0.0, 0.1, 0.2]
    """
    blocks = list(cast("Iterable[Block]", stack.blocks))
    last = len(blocks) - 1
    for number, block in enumerate(blocks):
        block.add = StochasticDepth(block.add.p, rate * number / last if last else rate)
