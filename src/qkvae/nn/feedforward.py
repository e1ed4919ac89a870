"""The feed-forward part of a block: each position by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.config import Block
from qkvae.nn.projection import Projection
from qkvae.nn.taps import Tap


def swiglu(gate: Float[Tensor, "*n"], value: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """silu(gate) ⊙ value, with silu(x) = x·sigmoid(x): one map of the input opens the other.

    >>> swiglu(torch.tensor([0.0, 20.0]), torch.tensor([3.0, 3.0]))
    tensor([ 0., 60.])
    """
    return F.silu(gate) * value


def relu2(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """max(0, x)², So et al. 2021, arXiv:2109.08668.

    >>> relu2(torch.tensor([-2.0, 3.0]))
    tensor([0., 9.])
    """
    if torch.is_grad_enabled() and x.requires_grad:
        return cast("Tensor", _SquaredRelu.apply(x))
    return F.relu(x).square()


class _SquaredRelu(torch.autograd.Function):
    """With its gradient, 2 max(0, x), in two passes; autograd takes five, and keeps twice as much."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(x)
        return F.relu(x).square()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        (x,) = ctx.saved_tensors
        return torch.addcmul(grad.new_zeros(()), grad, F.relu(x), value=2)


def gelu_tanh(x: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """½x(1 + tanh(√(2/π)(x + 0.044715x³))): GELU as its authors approximate it, and as GPT-2 has it.

    >>> gelu_tanh(torch.tensor([1.0])), F.gelu(torch.tensor([1.0]))
    (tensor([0.8412]), tensor([0.8413]))
    """
    return F.gelu(x, approximate="tanh")


ACTIVATIONS: dict[str, tuple[Callable[..., Tensor], int]] = {
    "relu": (F.relu, 1),
    "relu2": (relu2, 1),
    "gelu": (F.gelu, 1),
    "gelu_tanh": (gelu_tanh, 1),
    "silu": (F.silu, 1),
    "tanh": (torch.tanh, 1),
    "swiglu": (swiglu, 2),
}
"""Each activation, and of how many maps of the input it makes the hidden layer."""


class FeedForward(nn.Module):
    """Two linear layers around an activation: act(x W₁ + b₁) W₂ + b₂.

    - relu: max(0, x W₁ + b₁) W₂ + b₂, Vaswani et al. 2017, arXiv:1706.03762, equation 2
    - relu2: its square
    - gelu: x·Φ(x) in place of the maximum, Hendrycks and Gimpel 2016, arXiv:1606.08415
    - gelu_tanh: nearly the same, see there
    - silu: x·sigmoid(x), likewise; also called swish
    - swiglu: (silu(x W₁ + b₁) ⊙ (x W₃ + b₃)) W₂ + b₂, Shazeer 2020, arXiv:2002.05202

    >>> FeedForward(Block(dim=8, heads=2, hidden=16))(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.activation, maps = ACTIVATIONS[block.activation]
        self.up = Projection(block.dim, (block.hidden,) * maps)
        self.down = Projection(block.hidden, (block.dim,))
        self.post = Tap()

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        return self.down(self.post(self.activation(*self.up(x))))[0]
