"""The mask law: one description, one truth table, True = may look."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.nn.masks import EVERYTHING, Mask

ANY = st.builds(
    Mask,
    causal=st.booleans(),
    window=st.none() | st.integers(1, 6),
    key_lengths=st.none() | st.lists(st.integers(0, 9), min_size=2, max_size=2).map(torch.tensor),
)


def allowed_by_words(mask: Mask, row: int, query: int, key: int) -> bool:
    """The law for one query and one key, said plainly."""
    future = mask.causal and key > query
    far = mask.window is not None and abs(key - query) > mask.window
    padding = mask.key_lengths is not None and key >= int(mask.key_lengths[row])
    foreign = False
    if mask.documents is not None:
        keys = mask.documents if mask.key_documents is None else mask.key_documents
        foreign = bool(mask.documents[row, query] != keys[row, key])
    return not (future or far or padding or foreign)


@settings(max_examples=60, deadline=None)
@given(ANY, st.integers(0, 6), st.integers(0, 8), st.integers(0, 4))
def test_the_table_says_what_the_law_says(mask: Mask, n: int, m: int, offset: int) -> None:
    table = mask.allowed(n, m, offset)
    rows = 2 if mask.key_lengths is not None else 1
    assert table.shape == (rows, 1, n, m)
    for row in range(rows):
        for i in range(n):
            for key in range(m):
                assert bool(table[row, 0, i, key]) is allowed_by_words(mask, row, offset + i, key)


def test_documents_see_their_own_only() -> None:
    mask = Mask(documents=torch.tensor([[0, 0, 1]]), causal=True)
    assert mask.allowed(3, 3)[0, 0].tolist() == [
        [True, False, False],
        [True, True, False],
        [False, False, True],
    ]
    cross = Mask(documents=torch.tensor([[0, 1]]), key_documents=torch.tensor([[0, 1, 1]]))
    assert cross.allowed(2, 3)[0, 0].tolist() == [[True, False, False], [False, True, True]]


@settings(max_examples=40, deadline=None)
@given(ANY, ANY)
def test_both_conditions_hold_together(a: Mask, b: Mask) -> None:
    both = (a & b).allowed(7, 7)
    assert torch.equal(both, a.allowed(7, 7) & b.allowed(7, 7))
    assert torch.equal(both, (b & a).allowed(7, 7))
    assert torch.equal((a & EVERYTHING).allowed(7, 7), a.allowed(7, 7))


@settings(max_examples=60, deadline=None)
@given(ANY.filter(lambda mask: mask.window is not None), st.integers(1, 20))
def test_the_table_in_blocks_is_the_table(mask: Mask, n: int) -> None:
    """Every place of the square is in one block, with the same answer, or is forbidden."""
    size = mask.window
    assert size is not None
    blocks, full = mask.window_table(n), mask.allowed(n, n)
    around = blocks.shape[-1]
    rebuilt = torch.zeros_like(full)
    for c in range(blocks.shape[2]):
        for s in range(size):
            for t in range(around):
                query, key = c * size + s, (c - 1) * size + t
                if query < n and 0 <= key < n:
                    rebuilt[:, :, query, key] = blocks[:, :, c, s, t]
                elif query < n:
                    assert not blocks[:, :, c, s, t].any()
    assert torch.equal(rebuilt, full)


def test_what_a_mask_says_of_itself_is_true() -> None:
    lengths = torch.tensor([1, 2])
    assert Mask().hides_nothing
    assert Mask(causal=True).only_causal
    for mask in (Mask(causal=True), Mask(window=1), Mask(key_lengths=lengths), Mask(documents=lengths[None])):
        assert not mask.hides_nothing
    for mask in (Mask(), Mask(causal=True, window=2), Mask(causal=True, key_lengths=lengths)):
        assert not mask.only_causal
    assert not Mask(key_lengths=lengths).same_for_all_rows
    assert not Mask(documents=lengths[None]).same_for_all_rows


def test_the_table_is_made_once() -> None:
    mask = Mask(causal=True)
    assert mask.allowed(4, 4) is mask.allowed(4, 4)
    assert mask.allowed(4, 5, 1) is not mask.allowed(4, 4)


def test_tables_of_lengths_long_past_are_forgotten() -> None:
    """A model's own mask lives as long as the model and meets every length that ever comes."""
    mask = Mask(causal=True, window=1)
    for n in range(1, 200):
        assert mask.allowed(n, n) is mask.allowed(n, n)
        assert mask.window_table(n) is mask.window_table(n)
        assert len(mask._tables) <= 8
    assert torch.equal(mask.allowed(3, 3), Mask(causal=True, window=1).allowed(3, 3))


def test_impossible_masks_are_refused() -> None:
    with pytest.raises(ValueError, match="window of 0"):
        Mask(window=0)
    with pytest.raises(ValueError, match="both masks name documents"):
        Mask(documents=torch.zeros(1, 2, dtype=torch.int64)) & Mask(
            documents=torch.zeros(1, 2, dtype=torch.int64)
        )
