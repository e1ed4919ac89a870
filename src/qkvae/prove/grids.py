"""The grids that a model of signals, pictures or videos is proven on, and what must hold of patches."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from qkvae import config, losses
from qkvae.data.patch_masks import hidden_patches, kept_patches
from qkvae.models import MaskedImage, Vision
from qkvae.nn.patches import pick, to_grid, to_patches
from qkvae.prove.case import AttentionCase
from qkvae.prove.rows import difference

_GRIDS = 5
_SEEN = 0.25  # the part of the patches that a masked autoencoder is left


@dataclass(frozen=True)
class GridCase(AttentionCase):
    """A model that reads grids of the size it was made for."""

    taps: tuple[str, ...] = ("input.embedded",)

    @property
    def grids(self) -> Float[Tensor, "b c *size"]:
        """Random grids."""
        made: config.Patches = self.model.settings.patches
        shape = (_GRIDS, made.channels, *made.size)
        return torch.randn(shape, generator=self.generator()).to(self.device)

    def table(self, name: str) -> Bool[Tensor, "1 1 1 1"]:
        """Everything sees everything."""
        return torch.ones(1, 1, 1, 1, dtype=torch.bool, device=self.device)

    @abstractmethod
    def told(self) -> list[tuple[Float[Tensor, "places numbers"], Float[Tensor, "n d"]]]:
        """What the model tells of each grid of the batch, and its features."""

    def together(self, padding: int = 0) -> list[Float[Tensor, "places numbers"]]:
        return [each for pair in self.told() for each in pair]


@dataclass(frozen=True)
class VisionCase(GridCase):
    """A model that tells something of each grid as a whole."""

    model: Vision

    @property
    def examples(self) -> list[Float[Tensor, "1 c *size"]]:
        return [grid[None] for grid in self.grids]

    def alone(self, example: Float[Tensor, "1 c *size"]) -> list[Float[Tensor, "places numbers"]]:
        features = self.model.features(example)
        return [self.model.head(features), features[0]]

    def told(self) -> list[tuple[Float[Tensor, "1 numbers"], Float[Tensor, "n d"]]]:
        features = self.model.features(self.grids)
        return [(told[None], own) for told, own in zip(self.model.head(features), features, strict=True)]

    def reach(self, example: Float[Tensor, "1 c *size"]) -> dict[str, int]:
        return {self.taps[0]: self.model.settings.leading + self.model.settings.patches.count}


@dataclass(frozen=True)
class MaskedImageCase(GridCase):
    """A model that tells the numbers of all patches, having seen some of them."""

    model: MaskedImage

    @property
    def kept(self) -> Int[Tensor, "b k"]:
        """Which patches of each grid are seen."""
        return kept_patches(self.seed, 0, _GRIDS, self.model.settings.patches.count, _SEEN).to(self.device)

    @property
    def examples(self) -> list[tuple[Float[Tensor, "1 c *size"], Int[Tensor, "1 k"]]]:
        return [(grid[None], kept[None]) for grid, kept in zip(self.grids, self.kept, strict=True)]

    def alone(
        self, example: tuple[Float[Tensor, "1 c *size"], Int[Tensor, "1 k"]]
    ) -> list[Float[Tensor, "places numbers"]]:
        return [each[0] for each in self._read(*example)]

    def told(self) -> list[tuple[Float[Tensor, "n numbers"], Float[Tensor, "m d"]]]:
        return list(zip(*self._read(self.grids, self.kept), strict=True))

    def reach(self, example: tuple[Float[Tensor, "1 c *size"], Int[Tensor, "1 k"]]) -> dict[str, int]:
        return {self.taps[0]: self.model.settings.leading + example[1].shape[1]}

    def _read(
        self, grids: Float[Tensor, "b c *size"], kept: Int[Tensor, "b k"]
    ) -> tuple[Float[Tensor, "b n numbers"], Float[Tensor, "b m d"]]:
        features = self.model.features(grids, kept)
        return self.model.head(features, kept, self.model.input.count(grids)), features


def cut_and_back(case: GridCase) -> float:
    """Grids against their patches put together again."""
    grids, sides = case.grids, case.model.settings.patches.sides
    patches = to_patches(grids, sides)
    return difference(to_grid(patches, case.model.input.count(grids), sides), grids)


def numbers_unread(case: GridCase) -> float:
    """How many numbers of the grid decide no token: of each some picture's must."""
    grids = case.grids.requires_grad_()
    (gradient,) = torch.autograd.grad(case.model.input(grids).square().sum(), grids)
    return float((gradient == 0).all(0).sum())


@torch.no_grad()
def answered_for_the_head(case: VisionCase) -> float:
    """What the model tells, whose last block answers for what the head reads only, against all features'."""
    return difference(case.model(case.grids), case.model.head(case.model.features(case.grids)))


def read_by_the_head(case: VisionCase) -> float:
    """How many features that the head should read it does not, or the other way round.

    Where the mean of the patches stands for a grid, leading tokens are not in it; where the class token does,
    it alone is read.
    """
    settings = case.model.settings
    with torch.no_grad():
        features = case.model.features(case.grids)
    features.requires_grad_()
    (gradient,) = torch.autograd.grad(case.model.head(features).square().sum(), features)
    reads = torch.zeros(features.shape[1], dtype=torch.bool, device=case.device)
    if settings.head.pooling == "class":
        reads[0] = True
    else:
        reads[settings.leading :] = True
    return float(((gradient != 0).any(-1).any(0) != reads).sum())


def gradient_of_the_hidden(case: MaskedImageCase) -> float:
    """The largest gradient of what is told with respect to a patch that is hidden: exactly zero.

    And infinity where a patch that is seen decides nothing.
    """
    grids, kept = case.grids.requires_grad_(), case.kept
    (gradient,) = torch.autograd.grad(case.model(grids, kept).square().sum(), grids)
    patches = to_patches(gradient, case.model.settings.patches.sides).abs().amax(-1, keepdim=True)
    if bool((pick(patches, kept) == 0).any()):
        return float("inf")
    return float(pick(patches, _hidden(case)).max())


def loss_of_the_seen(case: MaskedImageCase) -> float:
    """The loss against the sum over hidden patches of the mean squared error, patch by patch."""
    with torch.no_grad():
        told, truth = case.model(case.grids, case.kept), case.model.truth(case.grids)
        found = losses.masked_patches(told, truth, case.kept)
    errors = pick(told - truth, _hidden(case)).cpu().double()
    expected = sum(each.square().mean() for row in errors for each in row)
    assert isinstance(expected, Tensor)
    return difference(found[None].cpu() / expected, torch.ones(1))


def _hidden(case: MaskedImageCase) -> Int[Tensor, "b hidden"]:
    return hidden_patches(case.kept.cpu(), case.model.settings.patches.count).to(case.device)
