"""Transformers over patches that read a datum as one row of numbers, and tell it again.

All patches see each other, so that what is told at one place may follow from what is told at another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from qkvae import config
from qkvae.nn.blocks import Stack
from qkvae.nn.grid_input import GridInput
from qkvae.nn.grid_positions import GridLearned
from qkvae.nn.patches import to_grid
from qkvae.nn.projection import Projection


class PatchEncoder(nn.Module):
    """stack(embedding(patch) + P[place]): the features of all patches, in one row.

    Dosovitskiy et al. 2021, arXiv:2010.11929, without a class token: what a posterior reads knows the places.
    ``widths`` are those of the blocks, all the same.

    >>> import torch
    >>> net = PatchEncoder((3, 8, 12), (16, 16), "gelu")
    >>> net(torch.zeros(2, 3, 8, 12)).shape == (2, net.features), net.features == 4 * 6 * 16
    (True, True)
    """

    def __init__(self, shape: tuple[int, ...], widths: Sequence[int], activation: str) -> None:
        super().__init__()
        block, patches = config.patch_block(widths, activation), config.patches_of(shape)
        self.width, self.grid = block.dim, patches.grid
        self.features = self.width * patches.count
        self.input = GridInput(block, patches, leading=0)
        self.stack = Stack(replace(block, positions="none"), len(widths), 0)

    def forward(self, x: Float[Tensor, "b c *size"]) -> Float[Tensor, "b features"]:
        return self.places(x).flatten(1)

    def places(self, x: Float[Tensor, "b c *size"]) -> Float[Tensor, "b n width"]:
        """The features of each patch, in the order in which a grid is read."""
        return self.stack(self.input(x))


class PatchTeller(nn.Module):
    """The way back: output(stack(what stands at each place + P[place])), and the patches put together.

    >>> import torch
    >>> net = PatchTeller((3, 8, 12), (16, 16), "gelu", outputs=2)
    >>> net.told(torch.zeros(5, 4 * 6, 16)).shape == (5, 2 * 3 * 8 * 12)
    True
    """

    def __init__(self, shape: tuple[int, ...], widths: Sequence[int], activation: str, outputs: int) -> None:
        super().__init__()
        block, self.patches = config.patch_block(widths, activation), config.patches_of(shape)
        self.outputs = outputs
        self.positions = GridLearned(block.dim, self.patches.grid)
        self.stack = Stack(replace(block, positions="none"), len(widths), 0)
        self.output = Projection(block.dim, (self.patches.numbers * outputs,))

    def told(self, places: Float[Tensor, "b n width"]) -> Float[Tensor, "b numbers"]:
        """From what stands at the place of each patch."""
        x = (places + self.positions(self.patches.grid)).to(places.dtype)
        grid = to_grid(self.output(self.stack(x))[0], self.patches.grid, self.patches.sides)
        apart = cast("Tensor", grid.unflatten(1, (-1, self.outputs)))
        return apart.movedim(2, -1).flatten(1)


class PatchDecoderNet(PatchTeller):
    """`PatchTeller` from a linear map of the latents for each place.

    >>> import torch
    >>> net = PatchDecoderNet(20, (3, 8, 12), (16, 16), "gelu", outputs=2)
    >>> net(torch.zeros(5, 20)).shape == (5, 2 * 3 * 8 * 12)
    True
    """

    def __init__(
        self, latent: int, shape: tuple[int, ...], widths: Sequence[int], activation: str, outputs: int
    ) -> None:
        super().__init__(shape, widths, activation, outputs)
        self.there = (self.patches.count, widths[0])
        self.start = Projection(latent, (math.prod(self.there),))

    def forward(self, z: Float[Tensor, "b latent"]) -> Float[Tensor, "b numbers"]:
        return self.told(self.start(z)[0].unflatten(-1, self.there))
