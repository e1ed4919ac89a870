"""Grids to the vectors that the first block reads, and what stands for a grid after the last one."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.config.grids import grid_of
from qkvae.config.names import many
from qkvae.nn.dropout import Dropout
from qkvae.nn.grid_positions import Count, make_grid_absolute, make_grid_rotary
from qkvae.nn.patches import LinearPatches, Stem
from qkvae.nn.positions import Rotation
from qkvae.nn.taps import Tap


class GridInput(nn.Module):
    """dropout(leading tokens, then embedding(patch) + P[place] of each patch).

    A leading token needs no position: what it learns tells it from the patches.

    >>> patches = config.Patches(size=(6, 8), channels=3, patch=(2,))
    >>> made = GridInput(config.Block(dim=16, heads=2), patches, leading=1)
    >>> made(torch.zeros(5, 3, 6, 8)).shape
    torch.Size([5, 13, 16])
    """

    def __init__(self, block: config.Block, patches: config.Patches, leading: int) -> None:
        super().__init__()
        if not patches.size or not patches.channels:
            raise ValueError(
                f"size is {patches.size} and channels is {patches.channels}: they come from the data and "
                "must be filled in before a model is built"
            )
        self.settings = patches
        self.patches = (
            LinearPatches(patches, block.dim) if patches.embedding == "linear" else Stem(patches, block.dim)
        )
        self.leading = nn.Parameter(torch.empty(leading, block.dim))
        nn.init.normal_(self.leading, std=0.02)
        self.positions = make_grid_absolute(block, patches.grid)
        self.rotary = make_grid_rotary(block, patches.grid)
        self.dropout = Dropout(block.dropout)
        self.embedded = Tap()

    def forward(
        self, grid: Float[Tensor, "b c *size"], kept: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b n d"]:
        """All patches in their order, or those at the places ``kept`` of each row."""
        count = self.count(grid)
        x = self.patches(grid, kept)
        if self.positions is not None:
            there = self.positions(count)
            x = (x + (there if kept is None else there[kept])).to(x.dtype)
        x = torch.cat([self.leading.expand(len(x), -1, -1), x], 1)
        return self.embedded(self.dropout(x))

    def count(self, grid: Float[Tensor, "b c *size"]) -> Count:
        """How many patches of a grid stand along each axis.

        Raises:
            ValueError: it has other channels or axes than the model was made for, or leaves part of a patch.
        """
        made, (channels, *size) = self.settings, grid.shape[1:]
        if len(size) != len(made.size) or channels != made.channels:
            raise ValueError(
                f"data of {many(channels, 'channel')} and {many(len(size), 'axis')}, but the model was made "
                f"for {many(made.channels, 'channel')} and {many(len(made.size), 'axis')}: convert the data"
            )
        return grid_of(tuple(size), made.sides)

    def rotation(self, count: Count, kept: Int[Tensor, "b k"] | None = None) -> Rotation | None:
        """What turns queries and keys, if that is how places are told."""
        return None if self.rotary is None else self.rotary(count, len(self.leading), kept)


class GridVector(nn.Module):
    """One vector of each grid: the mean of its patches' features, or the features of its class token.

    Leading tokens are not among those whose mean is taken.

    >>> features = torch.tensor([[[9.0], [1.0], [3.0]]])
    >>> GridVector("mean", leading=1)(features), GridVector("class", leading=1)(features)
    (tensor([[2.]]), tensor([[9.]]))
    """

    def __init__(self, pooling: Literal["mean", "class", "last"], leading: int) -> None:
        super().__init__()
        self.pooling, self.leading = pooling, leading
        self.pooled = Tap()

    @property
    def reads(self) -> int | None:
        """How many features, from the first on, decide it; all, if None."""
        return 1 if self.pooling == "class" else None

    def forward(self, features: Float[Tensor, "b n d"]) -> Float[Tensor, "b d"]:
        if self.pooling == "class":
            return self.pooled(features[:, 0])
        return self.pooled(features[:, self.leading :].mean(1))


class LinearClasses(nn.Module):
    """Logits of each grid's class: h V + c, h its vector; Dosovitskiy et al. 2021, equation 4.

    >>> made = LinearClasses(config.Block(dim=8, heads=2), config.LinearClasses(count=3), leading=1)
    >>> made(torch.zeros(2, 5, 8)).shape
    torch.Size([2, 3])
    """

    def __init__(self, block: config.Block, settings: config.LinearClasses, leading: int) -> None:
        super().__init__()
        if settings.count < 1:
            raise ValueError(
                "count is 0 classes: it comes from the labels and must be filled in before a model is built"
            )
        self.vector = GridVector(settings.pooling, leading)
        self.output = nn.Linear(block.dim, settings.count)
        nn.init.normal_(self.output.weight, std=0.02)
        nn.init.zeros_(self.output.bias)
        self.logits = Tap()

    @property
    def reads(self) -> int | None:
        """How many features, from the first on, decide the class; all, if None."""
        return self.vector.reads

    def forward(self, features: Float[Tensor, "b n d"]) -> Float[Tensor, "b classes"]:
        return self.logits(self.output(self.vector(features)))
