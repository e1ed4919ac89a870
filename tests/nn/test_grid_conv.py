"""Patches joined with those around: against a sum over all pairs, along one, two and three axes."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from qkvae.nn.grid_conv import GridConv

CLOSE = {"rtol": 0, "atol": 1e-5}


def summed(x: Tensor, weight: Tensor, count: tuple[int, ...], leading: int) -> Tensor:
    """Each place, and of every place as near as the kernel reaches its weight times what stands there."""
    half = weight.shape[2] // 2
    places = list(itertools.product(*map(range, count)))
    rows = [x[:, place] for place in range(leading)]
    for here in places:
        total = x[:, leading + places.index(here)]
        for there in places:
            offset = [b - a for a, b in zip(here, there, strict=True)]
            if max(map(abs, offset)) <= half:
                near = weight[(slice(None), 0, *(half + each for each in offset))]
                total = total + near * x[:, leading + places.index(there)]
        rows.append(total)
    return torch.stack(rows, 1)


@pytest.mark.parametrize("count", [(5,), (3, 4), (2, 3, 2), (1, 1)])
@pytest.mark.parametrize(("size", "leading"), [(3, 0), (3, 2), (5, 1), (1, 0)])
def test_it_is_a_sum_over_those_around(count: tuple[int, ...], size: int, leading: int) -> None:
    conv = GridConv(4, size, len(count), leading)
    x = torch.randn(2, leading + torch.Size(count).numel(), 4, requires_grad=True)
    made, expected = conv(x, count), summed(x, conv.weight, count, leading)
    assert_close(made, expected, **CLOSE)
    weights = torch.randn_like(made)
    ours = torch.autograd.grad((made * weights).sum(), [x, conv.weight])
    theirs = torch.autograd.grad((expected * weights).sum(), [x, conv.weight])
    assert_close(ours, theirs, rtol=0, atol=1e-4)


def test_in_bf16_it_is_rounded_and_no_more() -> None:
    conv, x = GridConv(8, 3, 2, leading=1), torch.randn(2, 13, 8).bfloat16()
    exact = conv(x.float(), (3, 4))
    made = conv.bfloat16()(x, (3, 4))
    assert made.dtype == torch.bfloat16
    assert_close(made.float(), exact, rtol=0.03, atol=0.03)


def test_no_grids_are_read_too() -> None:
    assert GridConv(4, 3, 2, leading=1)(torch.zeros(0, 7, 4), (2, 3)).shape == (0, 7, 4)
