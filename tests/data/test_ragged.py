"""Rows of different lengths behave like a list of lists."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkvae.data.ragged import Ragged, spans

ROWS = st.lists(st.lists(st.integers(0, 2**31 - 1), max_size=6), max_size=12)


@given(ROWS)
def test_is_the_lists_it_was_made_of(rows: list[list[int]]) -> None:
    ragged = Ragged.from_lists(rows)
    assert ragged.to_lists() == [row.tolist() for row in ragged] == rows
    assert ragged.lengths.tolist() == [len(row) for row in rows]
    assert ragged.flat.dtype == np.int32
    assert ragged.starts.dtype == np.int64


@given(ROWS, st.data())
def test_a_choice_of_rows(rows: list[list[int]], data: st.DataObject) -> None:
    ragged = Ragged.from_lists(rows)
    chosen = data.draw(st.lists(st.integers(-len(rows), len(rows) - 1), max_size=9)) if rows else []
    assert ragged[np.array(chosen, np.int64)].to_lists() == [rows[row] for row in chosen]
    cut = data.draw(st.slices(len(rows)))
    assert ragged[cut].to_lists() == rows[cut]


@given(st.lists(ROWS, max_size=4))
def test_concatenate(parts: list[list[list[int]]]) -> None:
    joined = Ragged.concatenate([Ragged.from_lists(part) for part in parts])
    assert joined.to_lists() == [row for part in parts for row in part]


def test_a_row_is_a_view() -> None:
    ragged = Ragged.from_lists([[1, 2], [3]])
    assert np.shares_memory(ragged[-2], ragged.flat)


def test_a_row_that_is_not_there() -> None:
    ragged = Ragged.from_lists([[1, 2], [3]])
    with pytest.raises(IndexError):
        ragged[2]
    with pytest.raises(IndexError):
        ragged[np.array([0, 2])]


def test_starts_that_do_not_fit_are_our_mistake() -> None:
    with pytest.raises(AssertionError):
        Ragged(np.arange(3, dtype=np.int32), np.array([0, 2], np.int64))


def test_spans_may_overlap_and_be_empty() -> None:
    starts, lengths = np.array([4, 4, 0], np.int64), np.array([2, 3, 0], np.int64)
    assert spans(starts, lengths).tolist() == [4, 5, 4, 5, 6]
