"""Characters or bytes to token ids by a table: no search, and no object per token."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae.data.ragged import Ragged

BLOCK = 1 << 20
"""Characters handled at a time, at least; bounds the memory beside the ids themselves."""

CODE_POINTS = 0x110000
"""One more than the largest number of a Unicode character."""


@dataclass(frozen=True, eq=False)
class Codes:
    """The token id of every code; a code is the number of a character, or a byte of UTF-8.

    >>> codes = Codes.of_characters(["a", "b"], first=4, unknown=3)
    >>> codes.encode(["abba", "", "ABb"]).to_lists()
    [[4, 5, 5, 4], [], [3, 3, 5]]
    """

    ids: NDArray[np.int32]
    """By code; the last one stands for all greater codes."""

    encoding: str
    """utf-32-le (characters) or utf-8 (bytes)."""

    @classmethod
    def of_characters(cls, characters: Sequence[str], first: int, unknown: int) -> Codes:
        """Ids ``first``, ``first + 1``, … for these characters, ``unknown`` for all others."""
        numbers = np.fromiter(map(ord, characters), np.int64, len(characters))
        ids = np.full(int(numbers.max(initial=0)) + 2, unknown, np.int32)
        ids[numbers] = np.arange(first, first + len(numbers))
        return cls(ids, "utf-32-le")

    @classmethod
    def of_bytes(cls, first: int) -> Codes:
        """Ids ``first`` … ``first + 255`` for the bytes 0 … 255."""
        return cls(np.arange(first, first + 256, dtype=np.int32), "utf-8")

    def encode(self, texts: Iterable[str]) -> Ragged:
        """The token ids of every text, a row each.

        Raises:
            UnicodeEncodeError: a text holds half of a surrogate pair, which is no character.
        """
        wide = self.encoding == "utf-32-le"
        dtype, width = ("<u4", 4) if wide else ("u1", 1)
        parts: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
        lengths: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
        for block in blocks(texts):
            encoded = [text.encode(self.encoding) for text in block]
            codes = np.frombuffer(b"".join(encoded), dtype)
            parts.append(self.ids[np.minimum(codes, len(self.ids) - 1)])
            lengths.append(np.fromiter(map(len, encoded), np.int64, len(encoded)) // width)
        return Ragged.from_lengths(np.concatenate(parts), np.concatenate(lengths))


def blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    """The texts in lists of ``BLOCK`` characters or somewhat more."""
    block: list[str] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size >= BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def count_characters(texts: Iterable[str]) -> dict[str, int]:
    """How often each character occurs, in the order of their numbers.

    >>> count_characters(["abba", "b"])
    {'a': 2, 'b': 3}
    """
    total: NDArray[Any] = np.zeros(CODE_POINTS, np.int64)
    for block in blocks(texts):
        codes = np.frombuffer("".join(block).encode("utf-32-le"), "<u4")
        found = np.bincount(codes)
        total[: len(found)] += found
    (numbers,) = np.nonzero(total)
    return dict(zip(map(chr, numbers.tolist()), total[numbers].tolist(), strict=True))


def most_frequent(counts: dict[str, int], most: int | None, least: int) -> list[str]:
    """The ``most`` most frequent characters among those seen ``least`` times, in the order of their numbers.

    >>> most_frequent({"a": 2, "b": 3, "c": 2}, most=2, least=2)
    ['a', 'b']
    """
    kept = [letter for letter, count in counts.items() if count >= least]
    ranked = sorted(kept, key=lambda letter: (-counts[letter], letter))
    return sorted(itertools.islice(ranked, most))
