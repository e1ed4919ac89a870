"""Patches: the convolution whose stride is its kernel, in one, two and three dimensions, and back."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.patches import LinearPatches, Stem, pick, stem_steps, to_grid, to_patches

GRIDS = [((12,), (3,)), ((6, 8), (2, 4)), ((4, 6, 8), (2, 3, 4)), ((5, 3), (1, 3))]
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


@pytest.mark.parametrize(("size", "patch"), GRIDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_a_linear_patch_is_a_convolution(
    size: tuple[int, ...], patch: tuple[int, ...], channels: int
) -> None:
    ours = LinearPatches(config.Patches(size=size, channels=channels, patch=patch), 7)
    theirs = CONVOLUTIONS[len(size) - 1](channels, 7, patch, stride=patch)
    with torch.no_grad():
        theirs.weight.copy_(ours.weight.view_as(theirs.weight))
        theirs.bias.copy_(ours.bias.normal_())  # pyright: ignore
    grid = torch.randn(2, channels, *size)
    assert_close(ours(grid), theirs(grid).flatten(2).mT, rtol=0, atol=1e-5)
    kept = torch.tensor([[1, 0], [2, 4]])
    assert_close(ours(grid, kept), pick(ours(grid), kept))


@pytest.mark.parametrize(("size", "patch"), GRIDS)
def test_cut_and_put_together_again(size: tuple[int, ...], patch: tuple[int, ...]) -> None:
    grid = torch.randn(2, 3, *size)
    count = tuple(whole // part for whole, part in zip(size, patch, strict=True))
    patches = to_patches(grid, patch)
    assert patches.shape == (2, math.prod(count), 3 * math.prod(patch))
    assert torch.equal(to_grid(patches, count, patch), grid)
    assert torch.equal(to_patches(to_grid(patches, count, patch), patch), patches)


def test_patches_come_in_the_order_of_reading() -> None:
    picture = torch.arange(24.0).view(1, 1, 4, 6)
    rows = to_patches(picture, (2, 3))[0]
    assert rows.tolist() == [
        [0, 1, 2, 6, 7, 8],
        [3, 4, 5, 9, 10, 11],
        [12, 13, 14, 18, 19, 20],
        [15, 16, 17, 21, 22, 23],
    ]


def test_what_would_be_left_over_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"7 × 8, but no multiple of the patch's 2 × 2: cut the data to 6 × 8"
    ):
        to_patches(torch.zeros(1, 1, 7, 8), (2, 2))
    with pytest.raises(ValueError, match="make the patch smaller"):
        to_patches(torch.zeros(1, 1, 3), (4,))


@pytest.mark.parametrize(("size", "patch"), [((12,), (6,)), ((8, 12), (4, 2)), ((4, 9, 8), (2, 3, 4))])
@pytest.mark.parametrize("embedding", ["stem", "deep-stem"])
def test_a_stem_makes_as_many_tokens_and_looks_over_the_edge(
    embedding: Any, size: tuple[int, ...], patch: tuple[int, ...]
) -> None:
    patches = config.Patches(size=size, channels=2, patch=patch, embedding=embedding)
    stem = Stem(patches, 16).eval()
    grid = torch.randn(3, 2, *size)
    made = stem(grid)
    assert made.shape == (3, patches.count, 16)
    assert_close(stem(grid[1:2])[0], made[1])  # no statistics of the batch
    seen = torch.autograd.functional.jacobian(lambda x: stem(x)[0, 0].sum(), grid[:1])
    reached = to_patches(seen, patches.sides)[0].abs().sum(-1) > 0  # pyright: ignore
    assert bool(reached[:2].all())


@pytest.mark.parametrize("embedding", ["linear", "stem", "deep-stem"])
@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("side", [2, 3, 4, 5, 6, 7, 10])
def test_every_number_of_a_grid_is_read(side: int, axes: int, embedding: Any) -> None:
    patches = config.Patches(size=(2 * side,) * axes, channels=2, patch=(side,), embedding=embedding)
    torch.manual_seed(side)
    made = LinearPatches(patches, 8) if embedding == "linear" else Stem(patches, 8)
    grid = torch.randn(1, 2, *patches.size, requires_grad=True)
    tokens = made(grid)
    assert tokens.shape == (1, 2**axes, 8)
    (gradient,) = torch.autograd.grad(tokens.square().sum(), grid)
    assert int((gradient == 0).sum()) == 0


@pytest.mark.parametrize("side", range(1, 14))
def test_the_steps_of_a_stem_make_of_each_patch_one_place(side: int) -> None:
    """And the window of each step stands in the middle of what it shrinks, or half a place before."""
    for count in (1, 2, 5):
        left = count * side
        for (stride,), (kernel,), (pad,) in stem_steps((side,)):
            assert (left + 2 * pad - kernel) // stride + 1 == left // stride
            assert pad <= stride // 2 <= kernel - pad - stride + 1
            left //= stride
        assert left == count


def test_patches_of_two_and_four_keep_their_kernels() -> None:
    """Runs of such patches are older than the rule."""
    made = Stem(config.Patches(size=(8, 8), channels=1, patch=(4,), embedding="deep-stem"), 48)
    found = [(each.kernel_size, each.padding) for each in made.steps if isinstance(each, nn.Conv2d)]
    assert found == [((3, 3), (1, 1))] * 3
