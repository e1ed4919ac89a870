"""Rows of different lengths in two flat arrays: a million sentences without a million Python objects."""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
"""Row numbers, lengths, positions."""

Rows = slice | Sequence[int] | NDArray[np.integer[Any]]
"""A choice of rows: a slice or an array of row numbers (not of booleans)."""


@dataclass(frozen=True, eq=False)
class Ragged:
    """Row i is ``flat[starts[i] : starts[i + 1]]``.

    >>> rows = Ragged.from_lists([[5, 6], [], [7]])
    >>> len(rows), rows.lengths.tolist(), rows[0].tolist()
    (3, [2, 0, 1], [5, 6])
    >>> rows[[2, 0]].to_lists()
    [[7], [5, 6]]
    """

    flat: NDArray[np.int32]
    """All rows one after the other, int32[total]."""

    starts: Ints
    """Where each row starts, and at last where the last one ends, int64[count + 1]."""

    def __post_init__(self) -> None:
        assert self.flat.dtype == np.int32, self.flat.dtype
        assert self.flat.ndim == 1, self.flat.shape
        assert self.starts.dtype == np.int64, self.starts.dtype
        assert self.starts.ndim == 1, self.starts.shape
        assert self.starts[0] == 0, self.starts[0]
        assert self.starts[-1] == len(self.flat), (self.starts[-1], len(self.flat))

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process is told where a mapped file is, and not sent what is in it."""
        flat = self.flat
        if isinstance(flat, np.memmap) and isinstance(flat.base, mmap.mmap):
            return _of_file, (str(flat.filename), flat.dtype, self.starts)
        return Ragged, (flat, self.starts)

    @classmethod
    def from_lists(cls, rows: Sequence[Sequence[int]]) -> Ragged:
        """Rows given one by one."""
        flat = np.fromiter(itertools.chain.from_iterable(rows), np.int32)
        return cls.from_lengths(flat, np.fromiter(map(len, rows), np.int64, len(rows)))

    @classmethod
    def from_lengths(cls, flat: NDArray[np.int32], lengths: NDArray[np.integer[Any]]) -> Ragged:
        """The flat array cut into rows of these lengths."""
        starts = np.zeros(len(lengths) + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        return cls(flat, starts)

    @classmethod
    def concatenate(cls, parts: Sequence[Ragged]) -> Ragged:
        """The rows of all parts, one part after the other.

        >>> Ragged.concatenate([Ragged.from_lists([[1]]), Ragged.from_lists([[2, 3], []])]).to_lists()
        [[1], [2, 3], []]
        """
        flat = np.concatenate([part.flat for part in parts]) if parts else np.empty(0, np.int32)
        lengths = np.concatenate([part.lengths for part in parts]) if parts else np.empty(0, np.int64)
        return cls.from_lengths(flat, lengths)

    @property
    def lengths(self) -> Ints:
        """Elements of each row, int64[count]."""
        return np.diff(self.starts)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> NDArray[np.int32]: ...
    @overload
    def __getitem__(self, index: Rows) -> Ragged: ...
    def __getitem__(self, index: int | np.integer[Any] | Rows) -> NDArray[np.int32] | Ragged:
        """One row as a view of ``flat``, or several as a new ``Ragged``.

        Raises:
            IndexError: there is no such row.
        """
        if isinstance(index, int | np.integer):
            row = range(len(self))[int(index)]
            return self.flat[self.starts[row] : self.starts[row + 1]]
        chosen = np.arange(len(self))[index]
        lengths = self.lengths[chosen]
        return Ragged.from_lengths(self.flat[spans(self.starts[chosen], lengths)], lengths)

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return (self[row] for row in range(len(self)))

    def to_lists(self) -> list[list[int]]:
        """The rows as Python lists."""
        flat, starts = self.flat.tolist(), self.starts.tolist()
        return [flat[start:end] for start, end in itertools.pairwise(starts)]


def _of_file(path: str, dtype: np.dtype[Any], starts: Ints) -> Ragged:
    return Ragged(np.memmap(path, dtype, "r"), starts)


def spans(starts: Ints, lengths: Ints) -> Ints:
    """The positions start, start + 1, …, start + length - 1 of every span, one span after the other.

    >>> spans(np.array([10, 3]), np.array([2, 3])).tolist()
    [10, 11, 3, 4, 5]
    """
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.arange(total) + np.repeat(starts - (ends - lengths), lengths)
