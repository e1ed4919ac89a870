"""The cache: a step at a time is the same as all at once, whatever is appended, reordered or dropped."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.blocks import Stack
from qkvae.nn.cache import Cache, Memory, empty_past
from qkvae.nn.masks import Mask


def make(kind: str, window: int | None = None, rows: int = 2, capacity: int = 1) -> tuple[Stack, Cache]:
    block = config.Block(dim=8, heads=2, key_heads=1, hidden=8, positions=kind, window=window)  # pyright: ignore
    stack = Stack(block, 2, 16).eval()
    return stack, Cache([empty_past(rows, 1, capacity, 4, torch.zeros(())) for _ in stack.blocks], [])


@pytest.mark.parametrize("kind", ["none", "rotary", "alibi", "relative"])
@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("pieces", [[1] * 7, [3, 1, 3], [7]])
def test_pieces_through_the_cache_are_the_whole(kind: str, window: int | None, pieces: list[int]) -> None:
    stack, cache = make(kind, window)
    if stack.bias is not None and kind == "relative":
        torch.nn.init.normal_(stack.bias.table)  # pyright: ignore
    x, mask = torch.randn(2, 7, 8), Mask(causal=True, window=window)
    parts = [stack(part, mask, cache=cache) for part in x.split(pieces, dim=1)]
    assert_close(torch.cat(parts, 1), stack(x, mask), rtol=0, atol=1e-5)
    assert cache.length == 7


@settings(max_examples=25, deadline=None)
@given(st.lists(st.permutations(range(3)), min_size=1, max_size=5), st.integers(1, 9))
def test_reordered_rows_go_on_as_the_rows_they_came_from(orders: list[list[int]], capacity: int) -> None:
    stack, cache = make("rotary", rows=3, capacity=capacity)
    mask, history = Mask(causal=True), torch.zeros(3, 0, 8)
    for order in orders:
        x = torch.randn(3, 1, 8)
        history = torch.cat([history, x], 1)
        step = stack(x, mask, cache=cache)
        assert_close(step[:, 0], stack(history, mask)[:, -1], rtol=0, atol=1e-5)
        cache.reorder(torch.tensor(order))
        history = history[order]


def test_kept_sentences_keep_all_that_is_theirs() -> None:
    """Three sentences of two hypotheses; the middle one ends."""
    past = empty_past(3, 1, 4, 2, torch.zeros(()))
    past.append(torch.arange(12.0).view(3, 1, 2, 2), -torch.arange(12.0).view(3, 1, 2, 2), 0)
    mask = Mask(key_lengths=torch.tensor([3, 1, 2]))
    memory = Memory(torch.randn(3, 1, 3, 2), torch.randn(3, 1, 3, 2), mask)
    keys = memory.keys
    cache = Cache([past], [memory], beam=2, length=1)
    cache.keep(torch.tensor([0, 2]))
    assert past.keys[:, 0, :2, 0].tolist() == [[0, 2], [8, 10]]
    assert past.values[:, 0, :2, 1].tolist() == [[-1, -3], [-9, -11]]
    assert torch.equal(memory.keys, keys[[0, 2]])
    assert memory.mask.key_lengths is not None
    assert memory.mask.key_lengths.tolist() == [3, 2]


def test_room_grows_and_what_was_there_stays() -> None:
    past = empty_past(1, 1, 1, 2, torch.zeros(()))
    for length in range(9):
        known = past.append(torch.full((1, 1, 1, 2), float(length)), torch.full((1, 1, 1, 2), -1.0), length)
    assert known.keys[0, 0, :, 0].tolist() == list(range(9))
    assert past.keys.shape[2] < 20
