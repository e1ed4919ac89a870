"""Conversations to rows that hold them whole: an answer is learned with all that was said before it.

Rows that are cut wherever they are full (see ``packing``) begin in the middle of something, and what turns on
an earlier turn cannot be told there.  A text has much that follows from the words just before; an answer
often has not, so conversations are kept together, at the price of some padding (Ding et al. 2024, "Fewer
truncations improve language modeling", arXiv:2404.10830).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qkvae.data.even import EvenBatches, Placed, first_fit, next_fit
from qkvae.data.numbered import in_order
from qkvae.data.packed import PADDING
from qkvae.data.packing import EncodedDocuments, PackedBatch
from qkvae.data.ragged import Ints, spans


@dataclass(frozen=True, eq=False)
class Windows:
    """Stretches of conversations that fit into a row: whole ones, and parts of those that are longer.

    The parts overlap, and what was in one before does not count again.

    >>> both = Windows.over(np.array([3, 9]), length=4, stride=2)
    >>> both.document.tolist(), both.begin.tolist(), both.size.tolist(), both.new.tolist()
    ([0, 1, 1, 1, 1], [0, 0, 2, 4, 5], [3, 4, 4, 4, 4], [0, 0, 4, 6, 8])
    """

    document: Ints
    """Which conversation."""

    begin: Ints
    """The place of the first prediction, within the conversation."""

    size: Ints
    """How many predictions."""

    new: Ints
    """The place, within the conversation, of the first prediction that counts."""

    @classmethod
    def over(cls, lengths: Ints, length: int, stride: int) -> Windows:
        """Conversations of these lengths in windows of at most ``length`` places, which move on by
        ``stride``; the last one by less.

        Raises:
            ValueError: the stride is not in 1 … length.
        """
        if not 1 <= stride <= length:
            raise ValueError(f"stride is {stride}, but must be between 1 and length, which is {length}")
        count = 1 + np.maximum(0, -(-(lengths - length) // stride))
        document = np.repeat(np.arange(len(lengths)), count)
        number = spans(np.zeros(len(lengths), np.int64), count)
        size = np.minimum(lengths, length)[document]
        begin = np.minimum(number * stride, lengths[document] - size)
        return cls(document, begin, size, np.where(number > 0, (number - 1) * stride + length, 0))

    def __getitem__(self, chosen: Ints | slice) -> Windows:
        return Windows(self.document[chosen], self.begin[chosen], self.size[chosen], self.new[chosen])

    def __len__(self) -> int:
        return len(self.document)


class WholeBatches:
    """An endless, shuffled course of batches; every conversation is learned once an epoch.

    Batch k is a pure function of (conversations, length, tokens, seed, k).

    >>> from qkvae.data.ragged import Ragged
    >>> said = Ragged.from_lists([[5, 6, 7], [8, 9], [5, 8]])
    >>> batches = WholeBatches(EncodedDocuments(said, said.flat > 5), length=5, tokens=100, seed=1)
    >>> batches[0].inputs.tolist(), batches[0].documents.tolist()
    ([[1, 5, 6, 1, 8], [1, 5, 0, 0, 0]], [[0, 0, 0, 1, 1], [0, 0, -1, -1, -1]])
    """

    def __init__(
        self, documents: EncodedDocuments, length: int, tokens: int, seed: int, workers: int = 0
    ) -> None:
        """
        Args:
            documents: the conversations.
            length: places in a row.  A longer conversation is read in windows that overlap by half.
            tokens: predictions in a batch, about; padding is not counted.
            seed: decides the order.
            workers: processes that prepare batches; none prepares them in this one.
        """
        self.documents, self.length, self.workers = documents, length, workers
        self._windows = Windows.over(documents.tokens.lengths, length, max(1, length // 2))
        self._batches = EvenBatches(self._windows.size, tokens, seed)

    def __getitem__(self, number: int) -> PackedBatch:
        """Batch ``number``, counted from 0 through all epochs."""
        chosen = self._windows[self._batches[number]]
        return laid(self.documents, chosen, first_fit(chosen.size, self.length), self.length)

    def stream(self, start: int = 0) -> Iterator[PackedBatch]:
        """Batch ``start`` and all after it, without end; closing the iterator ends its workers."""
        return in_order(self, start, self.workers)


def in_turn(documents: EncodedDocuments, length: int, stride: int, rows: int) -> Iterator[PackedBatch]:
    """For evaluation: every prediction counts once, the conversations in their order, ``rows`` at a time.

    A conversation of more than ``length`` predictions is read through a window that moves on by ``stride``.

    Raises:
        ValueError: the stride is not in 1 … length.

    >>> from qkvae.data.ragged import Ragged
    >>> said = EncodedDocuments(Ragged.from_lists([[5, 6, 7], [8]]), np.array([False, True, True, True]))
    >>> (batch,) = in_turn(said, length=2, stride=1, rows=8)
    >>> batch.inputs.tolist(), batch.targets[batch.counted].tolist()
    ([[1, 5], [5, 6], [1, 0]], [6, 7, 8])
    """
    windows = Windows.over(documents.tokens.lengths, length, stride)
    placed = next_fit(windows.size, length)
    for first in range(0, placed.rows, rows):
        begin, end = np.searchsorted(placed.row, (first, first + rows)).tolist()
        some = slice(begin, end)
        there = Placed(
            placed.row[some] - first, placed.begin[some], placed.number[some], min(rows, placed.rows - first)
        )
        yield laid(documents, windows[some], there, length)


def laid(documents: EncodedDocuments, windows: Windows, placed: Placed, length: int) -> PackedBatch:
    """These windows where they are placed in rows; padding elsewhere, which is of no document."""
    assert documents.counted is not None, "conversations say what is learned of them"
    flat, starts, marks = documents.tokens.flat, documents.tokens.starts, documents.marks
    at = spans(placed.row * length + placed.begin, windows.size)
    within = spans(windows.begin, windows.size)
    here = within + np.repeat(starts[windows.document], windows.size)
    shape = placed.rows, length

    def table(values: NDArray[Any], elsewhere: int) -> torch.Tensor:
        filled = np.full(placed.rows * length, elsewhere, np.int64)
        filled[at] = values
        return torch.from_numpy(filled.reshape(shape))

    counted = documents.counted[here] & (within >= np.repeat(windows.new, windows.size))
    return PackedBatch(
        inputs=table(np.where(within > 0, flat[np.maximum(here - 1, 0)], marks.bos), marks.pad),
        targets=table(flat[here], marks.pad),
        counted=table(counted, 0).bool(),
        documents=table(np.repeat(placed.number, windows.size), PADDING),
        positions=table(within - np.repeat(windows.begin, windows.size), 0),
    )
