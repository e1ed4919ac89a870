"""Norms by their equations, and how far the teaching form is from LayerNorm."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.norms import StdNorm, make_norm


def norm(kind: str, dim: int = 8, eps: float = 1e-5) -> torch.nn.Module:
    return make_norm(config.Block(dim=dim, heads=1, hidden=8, norm=kind, eps=eps))  # pyright: ignore


def test_each_norm_is_its_equation() -> None:
    x = torch.tensor([[1.0, 2.0, 3.0, 6.0]])
    mean, variance, square, sample = 3.0, 3.5, 12.5, math.sqrt(14 / 3)
    eps = 0.1
    expected = {
        "layer": [(v - mean) / math.sqrt(variance + eps) for v in x[0].tolist()],
        "rms": [v / math.sqrt(square + eps) for v in x[0].tolist()],
        "std": [(v - mean) / (sample + eps) for v in x[0].tolist()],
    }
    for kind, row in expected.items():
        assert norm(kind, 4, eps)(x)[0].tolist() == pytest.approx(row, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 64), st.floats(0.1, 100.0), st.integers(0, 99))
def test_the_teaching_form_is_smaller_by_the_documented_factor(dim: int, scale: float, seed: int) -> None:
    """LayerNorm / StdNorm = √(d/(d−1)) where ε is negligible."""
    generator = torch.Generator().manual_seed(seed)
    x = scale * torch.randn(3, dim, generator=generator, dtype=torch.float64)
    layer, std = norm("layer", dim, 1e-12).double()(x), norm("std", dim, 1e-12).double()(x)
    assert_close(layer, std * math.sqrt(dim / (dim - 1)), rtol=1e-4, atol=1e-6)


def test_how_far_the_teaching_form_is_from_layernorm_at_common_widths() -> None:
    """At dim 256 the two differ by 0.2 %; on rows of small deviation s by far more: ε/s against ε/2s²."""
    torch.manual_seed(1)
    x = torch.randn(100, 256)
    layer, std = torch.nn.LayerNorm(256, eps=1e-5)(x), StdNorm(256, eps=1e-4)(x)
    assert float(((layer - std).norm() / layer.norm()).detach()) == pytest.approx(0.00205, abs=2e-4)
    small = 1e-3 * x
    layer, std = torch.nn.LayerNorm(256, eps=1e-9)(small), StdNorm(256, eps=1e-4)(small)
    assert float(((layer - std).norm() / layer.norm()).detach()) == pytest.approx(0.1 / 1.1, abs=0.01)


@pytest.mark.parametrize("kind", ["layer", "rms", "std"])
def test_a_constant_row_gives_finite_numbers_and_gradients(kind: str) -> None:
    x = torch.zeros(2, 8, requires_grad=True)
    y = norm(kind)(x)
    assert bool((y == 0).all())
    (gradient,) = torch.autograd.grad((y * torch.randn(2, 8)).sum(), x)
    assert bool(gradient.isfinite().all())


@pytest.mark.parametrize("kind", ["layer", "std"])
def test_shift_and_scale_of_a_row_do_not_matter(kind: str) -> None:
    x = torch.randn(5, 8, dtype=torch.float64)
    part = norm(kind, eps=1e-12).double()
    assert_close(part(3 * x + 7), part(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["layer", "rms", "std"])
def test_gain_and_shift_are_trained(kind: str) -> None:
    part = norm(kind)
    names = {name: p.shape for name, p in part.named_parameters()}
    assert names == ({"weight": (8,)} if kind == "rms" else {"weight": (8,), "bias": (8,)})
    x = torch.randn(3, 8)
    before = part(x)
    with torch.no_grad():
        part.weight.mul_(2)
    assert_close(part(x), 2 * before)


def test_rows_do_not_see_each_other() -> None:
    x = torch.randn(4, 8)
    for kind in ("layer", "rms", "std"):
        assert torch.equal(norm(kind)(x)[2], norm(kind)(x[2:3])[0])
