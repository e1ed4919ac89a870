"""Normalisation of each row of the residual stream."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.config import Block


class StdNorm(nn.Module):
    """The teaching form: gain · (x − μ) / (s + ε) + shift, with s the row's sample standard deviation.

    It differs from LayerNorm, gain · (x − μ) / √(σ² + ε) + shift (Ba et al. 2016, arXiv:1607.06450), in where
    ε stands and in dividing by d − 1 instead of d: s = σ·√(d / (d − 1)), so LayerNorm is larger by the factor
    √(d / (d − 1)) where ε is negligible.

    >>> StdNorm(2, eps=0.0)(torch.tensor([[0.0, 2.0]]))
    tensor([[-0.7071,  0.7071]], grad_fn=<AddBackward0>)
    """

    def __init__(self, dim: int, eps: float = 1e-4) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        centred = x - x.mean(-1, keepdim=True)
        return self.weight * (centred / (x.std(-1, keepdim=True) + self.eps)) + self.bias


def make_norm(block: Block) -> nn.Module:
    """The normalisation that the config names: [*, dim] → [*, dim].

    - layer: (x − μ) / √(σ² + ε), Ba et al. 2016, arXiv:1607.06450
    - rms: x / √(mean(x²) + ε), Zhang and Sennrich 2019, arXiv:1910.07467
    - std: (x − μ) / (s + ε), the form of the teaching documents

    >>> make_norm(Block(norm="rms"))(torch.full((1, 256), 3.0))[0, :2].detach()
    tensor([1.0000, 1.0000])
    """
    match block.norm:
        case "layer":
            return nn.LayerNorm(block.dim, eps=block.eps)
        case "rms":
            return nn.RMSNorm(block.dim, eps=block.eps)
        case "std":
            return StdNorm(block.dim, eps=block.eps)
