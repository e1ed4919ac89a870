"""What an encoder reads: sentences as token ids, framed by special tokens, one text or two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qkvae.data.ragged import Ints, Ragged, Rows, spans


@dataclass(frozen=True, eq=False)
class Sentences:
    """Rows of token ids, special tokens included, and where in each the second text begins.

    >>> texts = Sentences.framed(Ragged.from_lists([[7, 8], [9]]), first=1, last=2)
    >>> texts.ids.to_lists(), texts.second.tolist()
    ([[1, 7, 8, 2], [1, 9, 2]], [4, 3])
    >>> pairs = Sentences.framed(Ragged.from_lists([[7, 8]]), Ragged.from_lists([[9]]), first=1, last=2)
    >>> pairs.ids.to_lists(), pairs.second.tolist()
    ([[1, 7, 8, 2, 9, 2]], [4])
    """

    ids: Ragged
    """Token ids of each row."""

    second: Ints
    """Place of the first token of the second text in each row (its length if there is none), int64[count]."""

    def __post_init__(self) -> None:
        assert self.second.shape == (len(self.ids),), (self.second.shape, len(self.ids))

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: Rows) -> Sentences:
        return Sentences(
            self.ids[rows], self.second[np.asarray(rows) if not isinstance(rows, slice) else rows]
        )

    @classmethod
    def framed(cls, texts: Ragged, pairs: Ragged | None = None, *, first: int, last: int) -> Sentences:
        """``first text last``, or ``first text last pair last`` (Devlin et al. 2019).

        Args:
            texts: token ids without special tokens.
            pairs: those of the second texts, where there are pairs.
            first: id of the token whose vector stands for the whole, ``<cls>``.
            last: id of the token that ends each text, ``<sep>``.
        """
        lengths = texts.lengths
        second = lengths + 2
        total = second if pairs is None else second + pairs.lengths + 1
        starts = np.concatenate([[0], np.cumsum(total)]).astype(np.int64)
        flat = np.full(int(starts[-1]), last, np.int32)
        begins = starts[:-1]
        flat[begins] = first
        flat[spans(begins + 1, lengths)] = texts.flat
        if pairs is not None:
            flat[spans(begins + second, pairs.lengths)] = pairs.flat
        return cls(Ragged(flat, starts), second)
