"""What an encoder reads: sentences as token ids, framed by special tokens, one text or two."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkvae.data.ragged import Ints, Ragged, Rows, spans
from qkvae.data.tokenizer import Tokenizer


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

    def kinds(self) -> Ints:
        """What an encoder is told of each token beside what it is, for all rows one after the other.

        0 in the first text and 1 in the second, and 2 more where the same token stands in the other text,
        too: the exact match of Chen et al. 2017, arXiv:1704.00051, section 3.2, which few examples cannot
        teach.  Special tokens stand in no text.

        >>> rows = Sentences.framed(Ragged.from_lists([[7, 8]]), Ragged.from_lists([[9, 7]]), first=1, last=2)
        >>> rows.ids[0].tolist(), rows.kinds().tolist()
        ([1, 7, 8, 2, 9, 7, 2], [0, 2, 0, 0, 1, 3, 1])
        """
        flat, lengths, begins = self.ids.flat, self.ids.lengths, self.ids.starts[:-1]
        place = spans(np.zeros(len(self), np.int64), lengths)
        second = place >= np.repeat(self.second, lengths)
        kinds = second.astype(np.int64)
        if not second.any():
            return kinds
        special = (place == 0) | (flat == np.repeat(flat[begins + lengths - 1], lengths))
        token = np.repeat(np.arange(len(self)), lengths) * (int(flat.max()) + 1) + flat
        sides = ~special & ~second, ~special & second
        for own, other in (sides, sides[::-1]):
            kinds[own] += 2 * np.isin(token[own], token[other])
        return kinds

    @classmethod
    def framed(
        cls, texts: Ragged, pairs: Ragged | None = None, *, first: int, last: int, between: int = 1
    ) -> Sentences:
        """``first text last``, or ``first text last pair last`` (Devlin et al. 2019).

        Args:
            texts: token ids without special tokens.
            pairs: those of the second texts, where there are pairs.
            first: id of the token whose vector stands for the whole, ``<cls>``.
            last: id of the token that ends each text, ``<sep>``.
            between: how many of them stand between the two texts of a pair.
        """
        lengths = texts.lengths
        second = lengths + 1 + (1 if pairs is None else between)
        total = second if pairs is None else second + pairs.lengths + 1
        starts = np.concatenate([[0], np.cumsum(total)]).astype(np.int64)
        flat = np.full(int(starts[-1]), last, np.int32)
        begins = starts[:-1]
        flat[begins] = first
        flat[spans(begins + 1, lengths)] = texts.flat
        if pairs is not None:
            flat[spans(begins + second, pairs.lengths)] = pairs.flat
        return cls(Ragged(flat, starts), second)


def encode_texts(
    tokenizer: Tokenizer, texts: Sequence[str], pairs: Sequence[str] | None, longest: int
) -> tuple[Sentences, NDArray[np.bool_]]:
    """Texts as ``<s> text </s>``, or ``<s> text </s> pair </s>``, and which of them had to be cut.

    Of a pair that is too long for ``longest`` tokens, the longer text is cut first.

    >>> tokenizer = Tokenizer.train(["one two three"] * 2, "word", exact=False)
    >>> rows, cut = encode_texts(tokenizer, ["one two three", "two"], ["three", "two"], 6)
    >>> rows.ids.lengths.tolist(), cut.tolist()
    ([6, 5], [True, False])
    """
    first, marks = tokenizer.encode_batch(texts), tokenizer.marks
    if pairs is None:
        kept = np.minimum(first.lengths, longest - 2)
        framed = Sentences.framed(_heads(first, kept), first=marks.bos, last=marks.eos)
        return framed, kept < first.lengths
    second, room = tokenizer.encode_batch(pairs), longest - 2 - marks.between
    kept = np.minimum(first.lengths, np.maximum(room - second.lengths, (room + 1) // 2))
    kept_second = np.minimum(second.lengths, room - kept)
    rows = Sentences.framed(
        _heads(first, kept),
        _heads(second, kept_second),
        first=marks.bos,
        last=marks.eos,
        between=marks.between,
    )
    return rows, (kept < first.lengths) | (kept_second < second.lengths)


def _heads(rows: Ragged, lengths: Ints) -> Ragged:
    """The first tokens of every row, so many of each."""
    return Ragged.from_lengths(rows.flat[spans(rows.starts[:-1], lengths)], lengths)
