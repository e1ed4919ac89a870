"""Models of grids: signals (one axis), pictures (two) and videos (three), all cut into patches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Vector


@dataclass(frozen=True, kw_only=True)
class Patches:
    """What a grid looks like, and how it is cut into tokens."""

    size: tuple[int, ...] = ()
    """Length; height and width; or frames, height and width.  It comes from the data, never typed."""

    channels: int = 0
    """Numbers at each place of the grid: 1 for grey, 3 for colour; it comes from the data, never typed."""

    patch: tuple[int, ...] = (4,)
    """Places along each side of a patch: one number for every axis, or one for each; by the size if none."""

    embedding: Literal["linear", "stem", "deep-stem"] = "linear"
    """A patch becomes a token by one linear map, or by small convolutions that look over its edge: wider and
    more of them in a deep stem."""

    def __post_init__(self) -> None:
        checks.at_least(self, 0, "channels")
        checks.one_of(self, "embedding")
        for name, numbers in (("size", self.size), ("patch", self.patch)):
            if any(number < 1 for number in numbers):
                raise ValueError(f"{name} is {_by(numbers)}, but each number must be at least 1")
        if self.size:
            grid_of(self.size, self.patch_of(len(self.size)))

    def patch_of(self, axes: int) -> tuple[int, ...]:
        """The patch's side along each of so many axes.

        >>> Patches(patch=(4,)).patch_of(2), Patches(patch=(2, 8, 8)).patch_of(3)
        ((4, 4), (2, 8, 8))

        Raises:
            ValueError: it was given for another number of axes, or not at all.
        """
        if not self.patch:
            raise ValueError("patch has no number: give one for every axis, or one for each")
        if len(self.patch) not in (1, axes):
            raise ValueError(
                f"patch is {_by(self.patch)}, for {len(self.patch)} axes, but the data have {axes}: give one "
                "number for every axis, or one for each"
            )
        return self.patch * axes if len(self.patch) == 1 else self.patch

    @property
    def sides(self) -> tuple[int, ...]:
        """The patch's side along each axis of the data.

        >>> Patches(size=(28, 28)).sides
        (4, 4)
        """
        return self.patch_of(len(self.size))

    @property
    def grid(self) -> tuple[int, ...]:
        """How many patches stand along each axis.

        >>> Patches(size=(28, 36)).grid
        (7, 9)
        """
        return grid_of(self.size, self.sides)

    @property
    def count(self) -> int:
        """How many patches there are."""
        return math.prod(self.grid)

    @property
    def numbers(self) -> int:
        """How many numbers one patch holds.

        >>> Patches(size=(28, 28), channels=3).numbers
        48
        """
        return self.channels * math.prod(self.sides)


def usual_patch(size: tuple[int, ...]) -> tuple[int, ...]:
    """A patch for data of this size where none is asked for: along each axis 2, 4, 8 or 16 places, the longer
    the more, or the divisor of the side that is nearest to that.  In videos, which have many patches, those
    of height and width are twice as long.

    >>> usual_patch((8, 8)), usual_patch((28, 32)), usual_patch((30, 224)), usual_patch((8, 24, 24))
    ((2, 2), (4, 4), (5, 16), (2, 8, 8))
    """
    moving = len(size) == 3
    return tuple(_usual_side(side, twice=moving and axis > 0) for axis, side in enumerate(size))


def _usual_side(side: int, twice: bool) -> int:
    wanted = 2 if side <= 16 else 4 if side <= 40 else 8 if side <= 128 else 16
    wanted = min(16, 2 * wanted) if twice else wanted
    divisors = [part for part in range(max(1, wanted // 2), 2 * wanted + 1) if side % part == 0]
    return min(divisors, key=lambda part: (abs(part - wanted), -part), default=wanted)


def grid_of(size: tuple[int, ...], patch: tuple[int, ...]) -> tuple[int, ...]:
    """How many patches stand along each axis.

    >>> grid_of((6, 8), (2, 4))
    (3, 2)

    Raises:
        ValueError: a side of the grid is no multiple of the patch's, so that numbers would be left over.
    """
    if any(whole % part for whole, part in zip(size, patch, strict=True)):
        smaller = tuple(whole - whole % part for whole, part in zip(size, patch, strict=True))
        cure = (
            f"cut the data to {_by(smaller)}, or choose another patch"
            if all(smaller)
            else "make the patch smaller"
        )
        raise ValueError(f"the size is {_by(size)}, but no multiple of the patch's {_by(patch)}: {cure}")
    return tuple(whole // part for whole, part in zip(size, patch, strict=True))


def _by(numbers: tuple[int, ...]) -> str:
    return " × ".join(map(str, numbers))


@dataclass(frozen=True, kw_only=True)
class LinearClasses:
    """A head that tells to which class a grid belongs, by one linear map."""

    count: int = 0
    """How many classes, or numbers, are told; comes from the labels, never typed."""

    pooling: Literal["mean", "class"] = "class"
    """What stands for the grid: the mean of its patches' features, or those of the class token."""

    def __post_init__(self) -> None:
        checks.at_least(self, 0, "count")
        checks.one_of(self, "pooling")


GridHead = LinearClasses | Vector
"""What an encoder of grids ends in."""


def _small_block() -> Block:
    return Block(dim=192, heads=3, hidden=768, activation="gelu", positions="learned", dropout=0.0)


def _light_block() -> Block:
    return Block(dim=128, heads=4, hidden=512, activation="gelu", positions="sinusoidal", dropout=0.0)


@dataclass(frozen=True, kw_only=True)
class Vision:
    """Encoder-only Transformer over patches (ViT): every patch sees all others; a head makes an answer."""

    block: Block = field(default_factory=_small_block)
    """The block that the stack repeats."""

    depth: int = 6
    """Blocks of the stack."""

    patches: Patches = field(default_factory=Patches)
    """What is read, and how it is cut."""

    head: GridHead = field(default_factory=LinearClasses)
    """What is made of the features; the task decides it."""

    leading: int = 1
    """Learned tokens before the patches: the first is the class token, more are registers; 0: none."""

    stochastic_depth: float = 0.0
    """Probability with which the last block's parts are left out while training; less in earlier ones."""

    conv_size: int = 0
    """Patches along each axis that are joined, channel by channel, before each block; 0: none; odd."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "depth")
        checks.at_least(self, 0, "leading", "conv_size")
        checks.fraction(self, "stochastic_depth")
        checks.odd(self, "conv_size")
        check_grid_block("block", self.block, self.patches)
        if self.head.pooling == "class" and not self.leading:
            raise ValueError("head.pooling is class, but leading is 0: choose mean, or leading 1")
        if self.head.pooling == "last":
            raise ValueError("head.pooling is last, but patches have no last one: choose mean or class")


@dataclass(frozen=True, kw_only=True)
class MaskedImage:
    """Masked autoencoder (MAE): an encoder reads the patches that are left, a light decoder tells all."""

    block: Block = field(default_factory=_small_block)
    """The block that the encoder repeats."""

    depth: int = 6
    """Blocks of the encoder."""

    patches: Patches = field(default_factory=Patches)
    """What is read, and how it is cut."""

    leading: int = 1
    """Learned tokens before the patches: the first is the class token, more are registers; 0: none."""

    stochastic_depth: float = 0.0
    """Probability with which the encoder's last block's parts are left out while training."""

    decoder_block: Block = field(default_factory=_light_block)
    """The block that the decoder repeats."""

    decoder_depth: int = 2
    """Blocks of the decoder."""

    target: Literal["normalised", "pixels"] = "normalised"
    """What is told of a hidden patch: its numbers less their mean, over their deviation; or as they are."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "depth", "decoder_depth")
        checks.at_least(self, 0, "leading")
        checks.fraction(self, "stochastic_depth")
        checks.one_of(self, "target")
        check_grid_block("block", self.block, self.patches)
        check_grid_block("decoder_block", self.decoder_block, self.patches)
        if self.patches.embedding != "linear":
            raise ValueError(
                f"patches.embedding is {self.patches.embedding}, which looks over a patch's edge and would "
                "see what is hidden: choose linear"
            )
        if self.target == "normalised" and self.patches.size and self.patches.numbers == 1:
            raise ValueError(
                "target is normalised, but a patch holds 1 number, which has no deviation: choose pixels, or "
                "a larger patch"
            )


GridFamily = Vision | MaskedImage
"""The settings of any model that reads grids."""


def check_grid_block(name: str, block: Block, patches: Patches) -> None:
    """Refuse what a block of texts may have and a block of grids not.

    Raises:
        ValueError: positions or a window that know one axis only; heads too narrow for rotary positions.
    """
    if block.positions in ("alibi", "relative"):
        raise ValueError(
            f"{name}.positions is {block.positions}, which knows one axis only: choose learned, sinusoidal, "
            "rotary or none"
        )
    if block.window is not None:
        raise ValueError(f"{name}.window is {block.window}, but a window knows one axis only: leave it out")
    axes, wide = len(patches.size), {"rotary": block.width, "sinusoidal": block.dim}
    if (channels := wide.get(block.positions, 2 * axes)) < 2 * axes:
        raise ValueError(
            f"{name}: {block.positions} positions need two channels for each of {axes} axes, but have "
            f"{channels}: raise dim"
        )
