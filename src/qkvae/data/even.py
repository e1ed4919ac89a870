"""Batches of nearly equally many tokens, and the rows of such a batch: what packing shares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from qkvae.data.ragged import Ints


class EvenBatches:
    """Which sequences make which batch: each is in one batch of every epoch, and all batches weigh alike.

    Every epoch has an order of its own and as many batches as the others; batch k is a pure function of
    (lengths, tokens, seed, k).

    >>> batches = EvenBatches(np.array([3, 1, 2, 2]), tokens=4, seed=1)
    >>> batches.per_epoch, sorted([*batches[2].tolist(), *batches[3].tolist()])
    (2, [0, 1, 2, 3])
    """

    def __init__(self, lengths: Ints, tokens: int, seed: int) -> None:
        """
        Args:
            lengths: tokens of each sequence, of which there is at least one.
            tokens: tokens in a batch, about.
            seed: decides the order.
        """
        self._lengths, self._seed = lengths, seed
        self.per_epoch = min(max(1, round(int(lengths.sum()) / tokens)), len(lengths))
        self._last: tuple[int, list[Ints]] | None = None

    def __getitem__(self, number: int) -> Ints:
        """The sequences of batch ``number``, counted from 0 through all epochs."""
        epoch, place = divmod(number, self.per_epoch)
        if self._last is None or self._last[0] != epoch:
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._lengths))
            self._last = epoch, _cut(order, self._lengths, self.per_epoch)
        return self._last[1][place]

    def in_turn(self) -> list[Ints]:
        """As many batches, in the order of the data."""
        return _cut(np.arange(len(self._lengths)), self._lengths, self.per_epoch)


class Placed(NamedTuple):
    """Where sequences stand in rows."""

    row: Ints
    """The row of each."""

    begin: Ints
    """Its first place there."""

    number: Ints
    """How many stand before it in its row."""

    rows: int
    """How many rows there are."""


def first_fit(lengths: Ints, length: int) -> Placed:
    """Each sequence, the longest first, in the first row of ``length`` places that has room for it.

    Johnson 1973: at most 11/9 of the least possible rows, and with many short sequences hardly more than the
    least.

    >>> row, begin, number, rows = first_fit(np.array([3, 5, 4]), 8)
    >>> row.tolist(), begin.tolist(), number.tolist(), rows
    ([0, 0, 1], [5, 0, 0], [1, 0, 0], 2)
    """
    filled, held = np.zeros(len(lengths), np.int64), np.zeros(len(lengths), np.int64)
    row, begin, number = (np.zeros(len(lengths), np.int64) for _ in range(3))
    rows, first_open, shortest = 0, 0, int(lengths.min(initial=length))
    for sequence in np.argsort(-lengths, kind="stable").tolist():
        room = filled[first_open : rows + 1] <= length - lengths[sequence]
        chosen = first_open + int(room.argmax())
        row[sequence], begin[sequence], number[sequence] = chosen, filled[chosen], held[chosen]
        filled[chosen] += lengths[sequence]
        held[chosen] += 1
        rows = max(rows, chosen + 1)
        while first_open < rows and filled[first_open] > length - shortest:
            first_open += 1
    return Placed(row, begin, number, rows)


def next_fit(lengths: Ints, length: int) -> Placed:
    """The sequences in their order: each goes into the row of the one before it, or begins a row.

    >>> row, begin, number, rows = next_fit(np.array([3, 5, 4]), 8)
    >>> row.tolist(), begin.tolist(), number.tolist(), rows
    ([0, 0, 1], [0, 3, 0], [0, 1, 0], 2)
    """
    row, begin, number = (np.zeros(len(lengths), np.int64) for _ in range(3))
    last, filled, held = 0, 0, 0
    for place, size in enumerate(lengths.tolist()):
        if filled + size > length:
            last, filled, held = last + 1, 0, 0
        row[place], begin[place], number[place] = last, filled, held
        filled, held = filled + size, held + 1
    return Placed(row, begin, number, last + 1)


def _cut(order: Ints, lengths: Ints, batches: int) -> list[Ints]:
    """Cut where the tokens so far pass an equal share; the middle of a sequence decides on which side it
    is."""
    middle = np.cumsum(lengths[order]) - lengths[order] / 2
    batch: NDArray[np.int64] = (middle * (batches / max(1, int(lengths.sum())))).astype(np.int64)
    # no batch is empty, even where one sequence outweighs several shares
    number = np.arange(1, batches)
    cuts = np.maximum.accumulate(np.maximum(np.searchsorted(batch, number) - number, 0)) + number
    return np.split(order, np.minimum(cuts, len(order) - batches + number))
