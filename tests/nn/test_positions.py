"""Positions against their formulas, computed one number at a time in double precision."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.positions import (
    Alibi,
    Learned,
    Relative,
    Rotary,
    Sinusoidal,
    make_absolute,
    make_bias,
    sinusoids,
)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(1, 12), st.floats(1.5, 1e6))
def test_sinusoids_are_the_formula(length: int, dim: int, base: float) -> None:
    table = sinusoids(length, dim, base)
    assert table.shape == (length, dim)
    for p in range(length):
        for channel in range(dim):
            i = channel // 2
            angle = p / base ** (2 * i / dim)
            expected = math.sin(angle) if channel % 2 == 0 else math.cos(angle)
            assert float(table[p, channel]) == pytest.approx(expected, abs=1e-6)


def test_sinusoids_stay_exact_far_out() -> None:
    """In single precision the angle 100,000 would be off by 0.004."""
    assert float(sinusoids(100_001, 2)[100_000, 0]) == pytest.approx(math.sin(100_000), abs=1e-6)


def test_a_longer_sequence_makes_a_longer_table() -> None:
    positions = Sinusoidal(6, 100.0, length=4)
    assert torch.equal(positions(9, offset=2), sinusoids(11, 6, 100.0)[2:])
    assert not positions.state_dict()


def test_learned_positions_end_with_a_clear_refusal() -> None:
    positions = Learned(6, 4)
    assert torch.equal(positions(2, offset=1), positions.table[1:3])
    with pytest.raises(ValueError, match="5 tokens, but learned positions were made for 4"):
        positions(3, offset=2)


def test_rotary_turns_pairs_by_the_angle_of_the_place() -> None:
    width, base, place = 6, 50.0, 3
    x = torch.randn(1, 1, 1, width, dtype=torch.float64)
    turned = Rotary(width, base, 8).double()(x, offset=place)
    for i in range(3):
        angle = place / base ** (2 * i / width)
        a, b = float(x[..., i]), float(x[..., i + 3])
        assert float(turned[..., i]) == pytest.approx(a * math.cos(angle) - b * math.sin(angle), abs=1e-6)
        assert float(turned[..., i + 3]) == pytest.approx(a * math.sin(angle) + b * math.cos(angle), abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30))
def test_rotary_products_depend_on_the_distance_only(p: int, q: int, shift: int) -> None:
    rotary = Rotary(8, 10000.0, 16)
    query, key = torch.randn(1, 1, 1, 8), torch.randn(1, 1, 1, 8)
    here = (rotary(query, p) * rotary(key, q)).sum()
    there = (rotary(query, p + shift) * rotary(key, q + shift)).sum()
    assert_close(here, there, rtol=0, atol=1e-5)
    assert_close(rotary(query, p).norm(), query.norm(), rtol=0, atol=1e-5)


def test_rotary_in_bf16_is_as_near_at_far_places_as_at_the_first() -> None:
    rotary, x = Rotary(64, 10000.0, 4096), torch.randn(1, 1, 4096, 64)
    rounded = x.bfloat16()
    furthest = (rotary(rounded) - rotary(rounded.float())).abs().amax((0, 1, 3))
    assert float(furthest[:64].max()) < 0.05
    assert float(furthest[-64:].max()) < 0.05


def test_rotary_continues_where_the_cache_ends() -> None:
    rotary, x = Rotary(4, 10000.0, 2), torch.randn(2, 3, 9, 4)
    pieces = torch.cat([rotary(x[:, :, :4]), rotary(x[:, :, 4:], offset=4)], dim=2)
    assert torch.equal(pieces, rotary(x))


PRESS_12 = [
    2**-1.0,
    2**-2.0,
    2**-3.0,
    2**-4.0,
    2**-5.0,
    2**-6.0,
    2**-7.0,
    2**-8.0,
    2**-0.5,
    2**-1.5,
    2**-2.5,
    2**-3.5,
]


@pytest.mark.parametrize(
    ("heads", "slopes"), [(8, [2.0**-h for h in range(1, 9)]), (12, PRESS_12), (1, [2**-8])]
)
def test_alibi_slopes_are_the_papers(heads: int, slopes: list[float]) -> None:
    assert Alibi(heads).slopes.tolist() == pytest.approx(slopes)


def test_alibi_falls_with_the_distance_on_both_sides() -> None:
    bias = Alibi(8)(2, 4, offset=1)
    assert bias.shape == (8, 2, 4)
    assert bias[0].tolist() == [[-0.5, 0.0, -0.5, -1.0], [-1.0, -0.5, 0.0, -0.5]]


def test_relative_bias_is_one_number_per_head_and_distance() -> None:
    relative = Relative(2, reach=2)
    with torch.no_grad():
        relative.table.copy_(torch.arange(10.0).view(2, 5))
    assert relative(2, 5, offset=1)[0].tolist() == [[1, 2, 3, 4, 4], [0, 1, 2, 3, 4]]
    assert relative(1, 1)[1].tolist() == [[7.0]]


def test_each_kind_is_built_where_it_belongs() -> None:
    kinds = {"sinusoidal": Sinusoidal, "learned": Learned, "alibi": Alibi, "relative": Relative}
    for name, kind in kinds.items():
        block = config.Block(dim=8, heads=2, hidden=8, positions=name)  # pyright: ignore
        absolute, bias = make_absolute(block, 5), make_bias(block)
        assert isinstance(absolute if kind in (Sinusoidal, Learned) else bias, kind)
        assert (absolute is None) != (bias is None)
    for name in ("rotary", "none"):
        block = config.Block(dim=8, heads=2, hidden=8, positions=name)  # pyright: ignore
        assert make_absolute(block, 5) is None
        assert make_bias(block) is None
