"""Fully connected nets: what reads a datum as one row of numbers."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from qkvae.nn.feedforward import ACTIVATIONS
from qkvae.nn.projection import Projection


class Dense(nn.Module):
    """h ← act(h W + b), layer after layer, of a row; without layers the row itself.

    Each layer is a `Projection`, so that Muon sees matrices.

    >>> import torch
    >>> net = Dense(784, (200, 100), "relu")
    >>> net(torch.zeros(3, 784)).shape, net.features
    (torch.Size([3, 100]), 100)
    """

    def __init__(self, numbers: int, widths: Sequence[int], activation: str) -> None:
        super().__init__()
        self.activation, _ = ACTIVATIONS[activation]
        self.features = widths[-1] if widths else numbers
        self.layers = nn.ModuleList(
            Projection(before, (after,)) for before, after in itertools.pairwise((numbers, *widths))
        )

    def forward(self, x: Float[Tensor, "*batch numbers"]) -> Float[Tensor, "*batch features"]:
        for layer in cast("Iterable[Projection]", self.layers):
            x = self.activation(layer(x.to(layer.weight.dtype))[0])
        return x


class DenseEncoder(Dense):
    """`Dense` of a datum of any shape.

    >>> import torch
    >>> DenseEncoder(12, (5,), "relu")(torch.zeros(2, 3, 2, 2)).shape
    torch.Size([2, 5])
    """

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b features"]:
        return super().forward(x.flatten(1))


class DenseDecoder(nn.Module):
    """`Dense` from the latents, in the opposite order, and a linear map to the numbers of the datum.

    >>> import torch
    >>> DenseDecoder(20, (400,), "relu", 784)(torch.zeros(7, 3, 20)).shape
    torch.Size([7, 3, 784])
    """

    def __init__(self, latent: int, widths: Sequence[int], activation: str, numbers: int) -> None:
        super().__init__()
        self.hidden = Dense(latent, widths[::-1], activation)
        self.output = nn.Linear(self.hidden.features, numbers)
        nn.init.xavier_uniform_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, z: Float[Tensor, "*draws_b latent"]) -> Float[Tensor, "*draws_b numbers"]:
        return self.output(self.hidden(z))
