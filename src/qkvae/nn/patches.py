"""Grids to tokens and back: signals (one axis), pictures (two) and videos (three) by the same functions.

A grid is [b, channels, *size].  Its patches come in the order in which the grid is read: the last axis runs
first.  Within a patch the channels come first, then its places in the same order, so that a patch times a
matrix is the convolution whose stride is its kernel's size.
"""

from __future__ import annotations

import math
from typing import Any

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.config.grids import grid_of


def to_patches(grid: Float[Tensor, "b c *size"], patch: tuple[int, ...]) -> Float[Tensor, "b n numbers"]:
    """Cut a grid into patches.  Nothing is computed: the numbers are put in another order.

    >>> import torch
    >>> to_patches(torch.arange(8.0).view(1, 1, 2, 4), (2, 2))
    tensor([[[0., 1., 4., 5.],
             [2., 3., 6., 7.]]])

    Raises:
        ValueError: the size is no multiple of the patch's.
    """
    b, channels, *size = grid.shape
    count = grid_of(tuple(size), patch)
    split = [side for pair in zip(count, patch, strict=True) for side in pair]
    axes = range(len(size))
    order = [0, *(2 + 2 * axis for axis in axes), 1, *(3 + 2 * axis for axis in axes)]
    apart = grid.reshape(b, channels, *split).permute(order)
    return apart.reshape(b, math.prod(count), channels * math.prod(patch))


def to_grid(
    patches: Float[Tensor, "b n numbers"], count: tuple[int, ...], patch: tuple[int, ...]
) -> Float[Tensor, "b c *size"]:
    """Put patches together again: the inverse of `to_patches`; ``count`` of them stand along each axis.

    >>> import torch
    >>> film = torch.randn(2, 3, 4, 6, 8)
    >>> torch.equal(to_grid(to_patches(film, (2, 3, 4)), (2, 2, 2), (2, 3, 4)), film)
    True
    """
    axes, b = len(count), len(patches)
    channels = patches.shape[2] // math.prod(patch)
    apart = patches.reshape(b, *count, channels, *patch)
    order = [0, 1 + axes, *(place for axis in range(axes) for place in (1 + axis, 2 + axes + axis))]
    size = [number * side for number, side in zip(count, patch, strict=True)]
    return apart.permute(order).reshape(b, channels, *size)


def pick(x: Float[Tensor, "b n d"], places: Int[Tensor, "b k"]) -> Float[Tensor, "b k d"]:
    """The vectors at these places of each row.

    >>> import torch
    >>> pick(torch.arange(6.0).view(1, 3, 2), torch.tensor([[2, 0]]))
    tensor([[[4., 5.],
             [0., 1.]]])
    """
    return x.take_along_dim(places[..., None], 1)


class LinearPatches(nn.Linear):
    """patch · W + b: equal to a convolution whose kernel and stride are the patch's size.

    Dosovitskiy et al. 2021, arXiv:2010.11929, equation 1.  Only the patches that are to be read are computed.

    >>> import torch
    >>> made = LinearPatches(config.Patches(size=(6, 8), channels=3, patch=(2,)), 16)
    >>> made(torch.zeros(5, 3, 6, 8)).shape
    torch.Size([5, 12, 16])
    """

    def __init__(self, patches: config.Patches, dim: int) -> None:
        self.sides = patches.sides
        super().__init__(patches.numbers, dim)

    def reset_parameters(self) -> None:
        """Glorot-uniform, zero biases."""
        nn.init.xavier_uniform_(self.weight)
        nn.init.zeros_(self.bias)

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, grid: Float[Tensor, "b c *size"], kept: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b k d"]:
        patches = to_patches(grid.to(self.weight.dtype), self.sides)
        return F.linear(patches if kept is None else pick(patches, kept), self.weight, self.bias)


class Stem(nn.Module):
    """Small convolutions that shrink the grid step by step, and a linear map: they look over a patch's edge.

    Xiao et al. 2021, arXiv:2106.14881: strides whose product is the patch, kernels of about twice their
    stride (`stem_steps`), channels that double at each step; each is followed by a normalisation of each
    picture's channels together (no statistics of the batch, so that a picture is the same alone) and
    max(0, x).  The deep stem has one more after each but the last, which keeps the size, and channels that
    grow evenly up to those of a token.

    >>> import torch
    >>> for embedding in ("stem", "deep-stem"):
    ...     made = Stem(config.Patches(size=(8, 12), channels=1, patch=(4,), embedding=embedding), 48)
    ...     steps = [step for step in made.steps if isinstance(step, nn.Conv2d)]
    ...     print(made(torch.zeros(5, 1, 8, 12)).shape, [(step.stride, step.out_channels) for step in steps])
    torch.Size([5, 6, 48]) [((2, 2), 12), ((2, 2), 24)]
    torch.Size([5, 6, 48]) [((2, 2), 16), ((1, 1), 32), ((2, 2), 48)]
    """

    def __init__(self, patches: config.Patches, dim: int) -> None:
        super().__init__()
        axes, self.sides = len(patches.size), patches.sides
        convolution: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[axes - 1]
        steps = stem_steps(self.sides)
        widths = [max(8, dim >> (len(steps) - number)) for number in range(len(steps))]
        if patches.embedding == "deep-stem":
            keeping = ((1,) * axes, (3,) * axes, (1,) * axes)
            steps = [each for step in steps for each in (step, keeping)][:-1]
            widths = [max(8, dim * number // len(steps)) for number in range(1, len(steps) + 1)]
        self.steps, before = nn.Sequential(), patches.channels
        for (stride, kernel, pad), after in zip(steps, widths, strict=True):
            self.steps.append(convolution(before, after, kernel, stride, pad, bias=False))
            self.steps.extend([nn.GroupNorm(1, after), nn.ReLU()])
            before = after
        self.output = nn.Linear(before, dim)

    def forward(
        self, grid: Float[Tensor, "b c *size"], kept: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b k d"]:
        shrunk = self.steps(grid.to(self.output.weight.dtype)).flatten(2).transpose(1, 2)
        return self.output(shrunk if kept is None else pick(shrunk, kept))


def stem_steps(sides: tuple[int, ...]) -> list[tuple[tuple[int, ...], ...]]:
    """Stride, kernel and padding of each step that shrinks patches of these sides to one place each.

    The strides are the primes of each side.  A window of 2s - 1 places from s // 2 before a stretch of s
    reads all of it: it stands in the middle of an odd one, and reaches over the near edge of two.  So nothing
    of a grid is left unread, and n places become n / s.

    >>> stem_steps((6, 2))
    [((2, 2), (3, 3), (1, 1)), ((3, 1), (5, 1), (1, 0))]
    """
    factors = [_factors(side) for side in sides]
    depth = max(1, *(len(each) for each in factors))
    strides = zip(*(each + [1] * (depth - len(each)) for each in factors), strict=True)
    return [(s, tuple(2 * side - 1 for side in s), tuple(side // 2 for side in s)) for s in strides]


def _factors(number: int) -> list[int]:
    """The primes whose product it is.

    >>> _factors(12), _factors(1)
    ([2, 2, 3], [])
    """
    found: list[int] = []
    prime = 2
    while number > 1:
        if number % prime:
            prime += 1
        else:
            found.append(prime)
            number //= prime
    return found
