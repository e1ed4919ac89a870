"""Pairs of texts in groups, within which each is told apart from the others: batches of whole groups.

Batch k is a pure function of (sentences, group, tokens, seed, k).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qkvae.data.encoded import Sentences
from qkvae.data.numbered import EpochOrder, in_order
from qkvae.data.packed import PackedBatch, pack
from qkvae.data.ragged import Ints

Groups = tuple[PackedBatch, ...]
"""A batch: groups, each packed by itself, so that the batch can be cut between them and no group changes."""


class PairGroups:
    """An endless, shuffled course of batches; every pair is seen once an epoch.

    Rows 2i and 2i + 1 of the sentences are pair i.  Each epoch's order is cut into groups of equally many
    pairs, but for one, and these into batches of equally many groups, but for one.

    >>> from qkvae.data.ragged import Ragged
    >>> rows = Ragged.from_lists([[5 + n] * (1 + n % 9) for n in range(100)])
    >>> batches = PairGroups(Sentences.framed(rows, first=1, last=2), group=10, tokens=280, seed=1)
    >>> batches.batches_per_epoch, [sorted(each.sentences.tolist())[:4] for each in batches[0]]
    (2, [[6, 7, 12, 13], [0, 1, 14, 15]])
    """

    def __init__(self, sentences: Sentences, group: int, tokens: int, seed: int) -> None:
        """
        Args:
            sentences: what to learn from, the two texts of a pair one after the other.
            group: pairs of a group.
            tokens: tokens in a batch, about; it holds one group at least.
            seed: decides the order.

        Raises:
            ValueError: there are no pairs.
        """
        if not len(sentences):
            raise ValueError("there are no pairs to make batches of")
        self.sentences, self.pairs = sentences, len(sentences) // 2
        self._order = EpochOrder(self.pairs, seed)
        self._groups = max(1, round(self.pairs / group))
        self._length = int(sentences.ids.lengths.max())
        together = max(1, round(tokens * self._groups / len(sentences.ids.flat)))
        self._per_epoch = max(1, round(self._groups / together))

    @property
    def batches_per_epoch(self) -> int:
        """Batches in every epoch."""
        return self._per_epoch

    def __getitem__(self, number: int) -> Groups:
        """Batch ``number``, counted from 0 through all epochs."""
        epoch, place = divmod(number, self._per_epoch)
        order = self._order(epoch)
        groups = np.array_split(order, self._groups)
        begin, end = (share * self._groups // self._per_epoch for share in (place, place + 1))
        return tuple(pack(self.sentences, _both(pairs), self._length) for pairs in groups[begin:end])

    def stream(self, start: int = 0, workers: int = 0) -> Iterator[Groups]:
        """Batch ``start`` and all after it, without end, prepared by so many processes beside this one."""
        return in_order(self, start, workers)


def _both(pairs: Ints) -> Ints:
    """The rows of both texts of each pair.

    >>> _both(np.array([3, 0])).tolist()
    [6, 7, 0, 1]
    """
    return np.stack([2 * pairs, 2 * pairs + 1], 1).ravel()
