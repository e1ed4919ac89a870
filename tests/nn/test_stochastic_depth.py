"""Stochastic depth: whole rows stay or go, the mean stays, and the seed decides."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.blocks import Stack
from qkvae.nn.stochastic_depth import StochasticDepth, leave_out


def test_a_row_stays_whole_or_goes() -> None:
    add = StochasticDepth(0.0, 0.25)
    x, y = torch.zeros(4000, 3, 2), torch.ones(4000, 3, 2)
    torch.manual_seed(1)
    found = add(x, y)
    assert set(found.unique().tolist()) == {0.0, float(torch.tensor(1 / 0.75))}
    assert torch.equal(found, found[:, :1, :1].expand_as(found))
    assert abs(float(found.mean()) - 1) < 0.03
    torch.manual_seed(1)
    assert torch.equal(add(x, y), found)


def test_dropout_joins_it() -> None:
    add = StochasticDepth(0.5, 0.5)
    found = add(torch.zeros(64, 8, 8), torch.ones(64, 8, 8))
    assert set(found.unique().tolist()) == {0.0, 4.0}
    gone = (found.flatten(1) == 0).all(1)
    assert 15 < int(gone.sum()) < 49


@pytest.mark.parametrize(("depth", "rates"), [(1, [0.3]), (2, [0.0, 0.3]), (4, [0.0, 0.1, 0.2, 0.3])])
def test_the_last_block_has_the_rate_asked_for(depth: int, rates: list[float]) -> None:
    stack = Stack(config.Block(dim=8, heads=2, hidden=8), depth=depth, length=4)
    leave_out(stack, 0.3)
    assert [block.add.rate for block in stack.blocks] == pytest.approx(rates)


def test_in_use_nothing_is_left_out() -> None:
    add = StochasticDepth(0.1, 0.9).eval()
    x, y = torch.randn(2, 3, 4), torch.randn(2, 3, 4)
    assert_close(add(x, y), x + y)
