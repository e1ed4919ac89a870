"""Words by themselves and in company: the embedding's row of a word, and the vector made of it in a text.

The head compares what the last block gives with the embedding's rows (they are one matrix), so that both
vectors live in one space: what is near a word by itself, and near it where it stands, is told by the same
words.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from qkvae.config import Masking
from qkvae.data.encoded import Sentences
from qkvae.data.packed import PackedBatch, PackedSentences
from qkvae.data.ragged import Ints
from qkvae.data.vectors import Floats, Vectors, words_of
from qkvae.nn.heads import MaskedWords
from qkvae.tasks.fill_mask.corpus import corruption
from qkvae.tasks.fill_mask.filler import Filler
from qkvae.tasks.reading import packed_features

NEAR = 6
"""Words that are shown as the nearest."""

_TOKENS = 8192  # of a batch: bounds the memory, decides nothing else


@dataclass(frozen=True, eq=False)
class Occurrence:
    """A word where it stands in a passage."""

    pieces: Sequence[str]
    """The passage, token by token."""

    begin: int
    """Its first token."""

    end: int
    """The token behind its last."""

    alone: Floats
    """Its vector by itself: the embedding's row (the mean of those of its tokens), float32[dim]."""

    here: Floats
    """Its vector in this passage, float32[dim]."""

    @property
    def word(self) -> str:
        """The word."""
        return "".join(self.pieces[self.begin : self.end]).strip()

    @property
    def passage(self) -> tuple[str, str]:
        """What stands before the word, a space included, and after it."""
        inner = "".join(self.pieces[self.begin : self.end])
        space = inner[: len(inner) - len(inner.lstrip())]
        return "".join(self.pieces[: self.begin]) + space, "".join(self.pieces[self.end :])


class Senses:
    """The words that a filler of blanks knows, and what it makes of them in texts."""

    def __init__(self, filler: Filler) -> None:
        assert isinstance(filler.model.head, MaskedWords)
        self.filler, self.head = filler, filler.model.head
        self._words = corruption(filler.tokenizer, Masking(mask="words"))

    @cached_property
    def known(self) -> Vectors:
        """Every whole word of letters that is one token, and the embedding's row of it."""
        ids = {word: index for word, index in words_of(self.filler.tokenizer).items() if word.isalpha()}
        return Vectors(list(ids), self._rows[list(ids.values())])

    @cached_property
    def _rows(self) -> Floats:
        return self.head.weight.detach().float().cpu().numpy()

    def near(self, word: str, vector: Floats, count: int = NEAR) -> list[str]:
        """The known words whose rows have the greatest cosine with a vector; those that are spelled like the
        word, but for capitals, are left out."""
        found = self.known.neighbours(vector, 4 * count)
        others = [other for other, _ in found if other.casefold() != word.casefold()]
        return others[:count]

    def occurrences(self, passages: Sentences) -> Iterator[Occurrence]:
        """Every word of letters in these passages, which are read as they stand."""
        longest = int(passages.ids.lengths.max(initial=1))
        device = next(self.head.parameters()).device
        for batch in PackedSentences(passages, longest, _TOKENS, seed=0).once():
            vectors = self._vectors(batch.to(device))
            numbers: list[int] = batch.sentences.numpy().tolist()
            places: list[int] = batch.places.numpy().tolist()
            for number, place in zip(numbers, places, strict=True):
                ids = passages.ids[number][1:-1].astype(np.int64)
                yield from self._within(ids, vectors[place + 1 : place + 1 + len(ids)])

    @torch.no_grad()
    def _vectors(self, batch: PackedBatch) -> Floats:
        """What is compared with the embedding's rows, at every place of the flattened rows."""
        features = packed_features(self.filler.model, batch).flatten(0, 1)
        return self.head.hidden(features).float().cpu().numpy()

    def _within(self, ids: Ints, vectors: Floats) -> Iterator[Occurrence]:
        """The words of one passage."""
        decoder = self.filler.tokenizer.decoder()
        pieces = [decoder.add([index]) for index in ids.tolist()]
        numbers = self._words.word_numbers(ids, np.zeros((1, len(ids)), np.int64))
        edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(ids)]
        for begin, end in itertools.pairwise(edges):
            if "".join(pieces[begin:end]).strip().isalpha():
                alone, here = self._rows[ids[begin:end]].mean(0), vectors[begin:end].mean(0)
                yield Occurrence(pieces, begin, end, alone, here)


def cosine(one: Floats, other: Floats) -> float:
    """u·v / (|u| |v|).

    >>> cosine(np.array([1.0, 0.0], np.float32), np.array([2.0, 0.0], np.float32))
    1.0
    """
    return float(one @ other / max(1e-12, float(np.linalg.norm(one) * np.linalg.norm(other))))
