"""The feed-forward part of a block: each position by itself."""

from __future__ import annotations

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.config import Block
from qkvae.nn.projection import Projection
from qkvae.nn.taps import Tap


class FeedForward(nn.Module):
    """Two linear layers around an activation: act(x W₁ + b₁) W₂ + b₂.

    - relu: max(0, x W₁ + b₁) W₂ + b₂, Vaswani et al. 2017, arXiv:1706.03762, equation 2
    - gelu: x·Φ(x) in place of the maximum, Hendrycks and Gimpel 2016, arXiv:1606.08415
    - swiglu: (silu(x W₁ + b₁) ⊙ (x W₃ + b₃)) W₂ + b₂, Shazeer 2020, arXiv:2002.05202

    >>> import torch
    >>> FeedForward(Block(dim=8, heads=2, hidden=16))(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.activation = block.activation
        parts = (block.hidden, block.hidden) if block.activation == "swiglu" else (block.hidden,)
        self.up = Projection(block.dim, parts)
        self.down = Projection(block.hidden, (block.dim,))
        self.post = Tap()

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        up = self.up(x)
        match self.activation:
            case "relu":
                hidden = F.relu(up[0])
            case "gelu":
                hidden = F.gelu(up[0])
            case "swiglu":
                hidden = F.silu(up[0]) * up[1]
            case _:
                raise AssertionError(self.activation)
        return self.down(self.post(hidden))[0]
