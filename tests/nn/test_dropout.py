"""Dropout: its probability, its mean, independence between calls, and silence when not training."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from qkvae.nn.dropout import Dropout, Residual, dropout_mask

N = 1 << 20


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_probability_mean_and_values(p: float) -> None:
    mask = dropout_mask(p, torch.empty(N))
    dropped = float((mask == 0).float().mean())
    assert dropped == pytest.approx(p, abs=5 * (p * (1 - p) / N) ** 0.5)
    assert float(mask.mean()) == pytest.approx(1, abs=5 * (p / (1 - p) / N) ** 0.5)
    assert_close(mask.unique(), torch.tensor([0.0, 1 / (1 - p)]))


def test_two_calls_are_independent() -> None:
    """Elements fall together with probability p², and no shift of one mask is the other."""
    p = 0.3
    a, b = dropout_mask(p, torch.empty(N)) == 0, dropout_mask(p, torch.empty(N)) == 0
    assert float((a & b).float().mean()) == pytest.approx(p * p, abs=0.003)


def test_neighbours_within_a_mask_are_independent() -> None:
    mask = dropout_mask(0.3, torch.empty(N)) == 0
    for distance in (1, 2, 64, 256):
        both = float((mask[distance:] & mask[:-distance]).float().mean())
        assert both == pytest.approx(0.09, abs=0.003)


def test_the_seed_decides_the_mask() -> None:
    masks = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        masks.append(dropout_mask(0.5, torch.empty(1000)))
    assert torch.equal(masks[0], masks[1])
    assert not torch.equal(masks[0], masks[2])


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.integers(0, 4), max_size=3), st.sampled_from([torch.float32, torch.bfloat16, torch.float64])
)
def test_any_shape_and_type(shape: list[int], dtype: torch.dtype) -> None:
    mask = dropout_mask(0.5, torch.empty(shape, dtype=dtype))
    assert list(mask.shape) == shape
    assert mask.dtype == dtype


def test_more_elements_than_the_pool_holds() -> None:
    mask = dropout_mask(0.25, torch.empty((1 << 23) + 5))
    assert float((mask == 0).float().mean()) == pytest.approx(0.25, abs=0.001)
    assert_close(mask.unique(), torch.tensor([0.0, 4 / 3]))


def test_the_residual_sum_uses_the_mask_of_dropout() -> None:
    x, y = torch.randn(7, 5), torch.randn(7, 5)
    torch.manual_seed(3)
    together = Residual(0.4)(x, y)
    torch.manual_seed(3)
    assert_close(together, x + Dropout(0.4)(y))


def test_the_gradient_passes_where_the_value_passed() -> None:
    y = torch.ones(1000, requires_grad=True)
    out = Dropout(0.4)(y)
    (gradient,) = torch.autograd.grad(out.sum(), y)
    assert torch.equal(gradient, out.detach())


def test_nothing_is_dropped_when_not_training_or_never() -> None:
    x, y = torch.randn(50), torch.randn(50)
    assert torch.equal(Dropout(0.9).eval()(x), x)
    assert torch.equal(Dropout(0.0)(x), x)
    assert torch.equal(Residual(0.9).eval()(x, y), x + y)
    assert torch.equal(Residual(0.0)(x, y), x + y)
