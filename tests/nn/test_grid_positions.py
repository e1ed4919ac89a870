"""Where a patch stands: along one axis as in texts, along several by each axis, stretched to other sizes."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.grid_positions import GridLearned, GridRotary, GridSinusoidal, grid_waves
from qkvae.nn.positions import Rotary, sinusoids

CLOSE = {"rtol": 0, "atol": 1e-5}


def test_along_one_axis_it_is_as_in_texts() -> None:
    assert torch.equal(grid_waves((7,), (7,), 10, 10000.0), sinusoids(7, 10))
    x = torch.randn(2, 3, 7, 8)
    assert_close(GridRotary(8, 500.0, (7,))((7,))(x), Rotary(8, 500.0, 7)(x), **CLOSE)


def test_along_two_axes_it_is_the_closed_form() -> None:
    """Row 2, column 1 of a grid of 3 × 4: four channels tell the row, four the column."""
    told = GridSinusoidal(8, 100.0, (3, 4))((3, 4))[2 * 4 + 1]
    expected = [f(place * rate) for place in (2, 1) for rate in (1.0, 0.1) for f in (math.sin, math.cos)]
    assert_close(told, torch.tensor(expected))


def test_scores_depend_on_how_far_apart_patches_are_along_each_axis() -> None:
    count, rotary = (3, 4, 5), GridRotary(12, 100.0, (3, 4, 5))
    q, k = (torch.randn(12).expand(1, 1, 60, -1) for _ in range(2))
    turn = rotary(count)
    scores = (turn(q) @ turn(k).mT)[0, 0].view(*count, *count)
    assert_close(scores[0, 1, 2, 1, 2, 4], scores[1, 2, 0, 2, 3, 2], **CLOSE)
    assert abs(float(scores[0, 0, 0, 1, 0, 0] - scores[0, 0, 0, 0, 1, 0])) > 1e-3


def test_leading_tokens_are_not_turned_and_kept_patches_keep_their_places() -> None:
    rotary, x = GridRotary(8, 100.0, (2, 3)), torch.randn(2, 1, 8, 8)
    whole = rotary((2, 3), leading=2)(x)
    assert torch.equal(whole[:, :, :2], x[:, :, :2])
    kept = torch.tensor([[1, 4], [0, 5]])
    places = torch.cat([torch.tensor([[0, 1]] * 2), kept + 2], 1)[:, None, :, None]
    part = rotary((2, 3), leading=2, kept=kept)(x.take_along_dim(places, 2))
    assert_close(part, whole.take_along_dim(places, 2))


@pytest.mark.parametrize(("known", "count"), [((4,), (7,)), ((3, 3), (5, 4)), ((2, 3, 2), (4, 3, 5))])
def test_a_learned_table_is_interpolated(known: tuple[int, ...], count: tuple[int, ...]) -> None:
    learned = GridLearned(6, known)
    mode = {1: "linear", 2: "bicubic", 3: "trilinear"}[len(known)]
    grid = learned.table.view(*known, 6).movedim(-1, 0)[None]
    expected = (
        F.interpolate(grid, size=count, mode=mode, align_corners=False)[0].movedim(0, -1).reshape(-1, 6)
    )
    assert_close(learned(count), expected)
    assert learned(known) is learned.table


def test_waves_are_stretched_over_the_same_extent() -> None:
    """In a grid twice as fine, the mean of neighbours' places is the place of the patch they came from."""
    fine = grid_waves((4, 4), (2, 2), 4, 10000.0).view(4, 4, 4)
    first = torch.atan2(fine[..., 0], fine[..., 1])
    assert_close(first[:, 0], torch.tensor([-0.25, 0.25, 0.75, 1.25]))
    table = GridSinusoidal(4, 10000.0, (2, 2))
    assert_close(table((4, 4)), fine.flatten(0, 1))
    assert torch.equal(table((2, 2)), grid_waves((2, 2), (2, 2), 4, 10000.0))


@pytest.mark.parametrize("positions", ["alibi", "relative"])
def test_positions_of_one_axis_are_refused(positions: str) -> None:
    block = config.Block(positions=positions)  # pyright: ignore
    with pytest.raises(ValueError, match=f"block.positions is {positions}, which knows one axis only"):
        config.Vision(block=block)


def test_channels_that_do_not_suffice_are_refused() -> None:
    block = config.Block(dim=16, heads=4, positions="rotary")
    with pytest.raises(ValueError, match="rotary positions need two channels for each of 3 axes, but have 4"):
        config.Vision(block=block, patches=config.Patches(size=(4, 8, 8)))
