"""Masked words (Devlin et al. 2019): some tokens are hidden, and a model says what stood there.

Of the tokens chosen, 80 % become the mask, 10 % a random token and 10 % stay: what a model is asked about
is not always masked, so that it must know every token in its place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae.data.byte_letters import SPACE
from qkvae.data.ragged import Ints
from qkvae.data.tokenizer import Tokenizer

Table = NDArray[np.integer[Any]]
"""Token ids or document numbers, [rows, length]."""


@dataclass(frozen=True, eq=False)
class Corrupted:
    """Rows with some tokens changed, and what stood there."""

    ids: NDArray[np.int64]
    """Token ids after the corruption, int64[rows, length]."""

    places: Ints
    """Where the chosen tokens stand in the flattened rows, ascending, int64[chosen]."""

    targets: Ints
    """The tokens that stood there, int64[chosen]."""


@dataclass(frozen=True, eq=False)
class WordEnds:
    """Which tokens of a vocabulary begin a word, and what follows a token."""

    begins: NDArray[np.bool_]
    """These begin a word, bool[vocab]."""

    closes: NDArray[np.bool_]
    """A word is over after these, whatever follows, bool[vocab]."""

    joins: NDArray[np.bool_]
    """What follows these belongs to them, whatever it is: spaces alone, bool[vocab]."""

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> WordEnds:
        """Those of a tokenizer.

        A token with a leading space begins a word; so does one that begins with neither letter nor digit,
        and a word is over after one that ends so.  Bytes that are no letter by themselves belong to the
        word they stand in.  Tokens of a word tokenizer are words.

        >>> tokenizer = Tokenizer.train(["no, no"] * 2, vocab_size=262)
        >>> ends, ids = WordEnds.of(tokenizer), tokenizer.encode("no,o")
        >>> tokenizer.tokens(ids), ends.begins[ids].tolist(), ends.closes[ids].tolist()
        (['▁no', ',', 'o'], [True, True, False], [False, True, False])
        """
        shown = tokenizer.tokens(range(len(tokenizer)))
        if tokenizer.kind == "word":
            every = np.ones(len(shown), np.bool_)
            return cls(every, every, ~every)
        begins = [token.startswith(SPACE) or not _inside(token, 0) for token in shown]
        closes = [not _inside(token, -1) for token in shown]
        return cls(np.array(begins), np.array(closes), np.array([token == SPACE for token in shown]))


def _inside(token: str, end: int) -> bool:
    """Whether the token has something of a word at that end: a letter, a mark, a digit or a byte."""
    byte = re.search(r"<0x[0-9A-F]{2}>$", token) if end else re.match(r"<0x[0-9A-F]{2}>", token)
    return bool(byte) or unicodedata.category(token[end])[0] in "LMN"


@dataclass(frozen=True, eq=False)
class Corruption:
    """How tokens are hidden: ``corruption(ids, documents, seed, step)``, a pure function of all four.

    >>> hide = Corruption(mask=4, vocab=100, specials=(0, 1, 2, 3, 4))
    >>> ids = np.arange(5, 85).reshape(2, 40)
    >>> hidden = hide(ids, np.zeros_like(ids), seed=0, step=7)
    >>> len(hidden.places), int((hidden.ids == 4).sum())
    (12, 10)
    >>> bool((ids.reshape(-1)[hidden.places] == hidden.targets).all())
    True
    """

    mask: int
    """Id of the mask token."""

    vocab: int
    """Tokens in the vocabulary, special ones included."""

    specials: Sequence[int]
    """Ids that are never chosen and never drawn at random; the mask is one of them."""

    rate: float = 0.15
    """Part of the tokens that is chosen."""

    masked: float = 0.8
    """Part of the chosen that becomes the mask."""

    random: float = 0.1
    """Part of the chosen that becomes a random token, each of the vocabulary's ordinary ones alike."""

    words: WordEnds | None = None
    """Choose whole words: all tokens of a word or none."""

    def __post_init__(self) -> None:
        if not 0 < self.rate < 1:
            raise ValueError(f"rate is {self.rate}, but must be greater than 0 and less than 1")
        if not (self.masked >= 0 and self.random >= 0 and self.masked + self.random <= 1):
            raise ValueError(
                f"masked {self.masked} and random {self.random} must be parts of the chosen: from 0 on, and "
                "together at most 1"
            )
        if self.mask not in self.specials or not len(self._ordinary):
            raise ValueError(
                f"specials {list(self.specials)} must hold the mask {self.mask}, and not all {self.vocab}"
            )

    @cached_property
    def _ordinary(self) -> Ints:
        return np.setdiff1d(np.arange(self.vocab), np.asarray(self.specials))

    @cached_property
    def _special(self) -> NDArray[np.bool_]:
        table = np.zeros(self.vocab, np.bool_)
        table[list(self.specials)] = True
        return table

    def __call__(self, ids: Table, documents: Table, seed: int, step: int) -> Corrupted:
        """Hide some of the tokens.

        Exactly round(rate · n) of the n eligible tokens are chosen, all choices alike (at least one if
        there is one); of the k chosen, round(masked · k) become the mask and round(random · k) a random
        token.  Whole words are chosen in random order until the next one would lead further from that
        number.

        Args:
            ids: packed rows of token ids, [rows, length].
            documents: number of the document each token belongs to, negative for padding, [rows, length].
            seed: with ``step``, decides everything random.
            step: the batch's number.
        """
        assert ids.shape == documents.shape, (ids.shape, documents.shape)
        generator = np.random.default_rng([seed, step, 3])
        flat = ids.reshape(-1).astype(np.int64)
        eligible = np.flatnonzero((documents.reshape(-1) >= 0) & ~self._special[flat])
        count = min(len(eligible), max(1, round(self.rate * len(eligible))))
        if self.words is None:
            chosen = eligible[generator.permutation(len(eligible))[:count]]
        else:
            chosen = self._whole_words(flat, documents, eligible, count, generator)
        # shuffled still: the first part is masked, the next replaced, the rest kept
        masked = round(self.masked * len(chosen))
        random = min(round(self.random * len(chosen)), len(chosen) - masked)
        corrupted = flat.copy()
        corrupted[chosen[:masked]] = self.mask
        corrupted[chosen[masked : masked + random]] = generator.choice(self._ordinary, random)
        places = np.sort(chosen)
        return Corrupted(corrupted.reshape(ids.shape), places, flat[places])

    def _whole_words(
        self, flat: Ints, documents: Table, eligible: Ints, count: int, generator: np.random.Generator
    ) -> Ints:
        """Places of the tokens of randomly chosen words, in random order of the tokens."""
        word = self.word_numbers(flat, documents)[eligible]
        names, lengths = np.unique(word, return_counts=True)
        order = generator.permutation(len(names))
        ends = np.cumsum(lengths[order])
        # a word is taken if more than half of it lies below the number asked for
        taken = order[ends - lengths[order] / 2 < count]
        chosen = eligible[np.isin(word, names[taken])]
        return generator.permutation(chosen)

    def word_numbers(self, flat: Ints, documents: Table) -> Ints:
        """The word that each token of the flattened rows belongs to, counted from 0; needs ``words``."""
        assert self.words is not None
        starts = self.words.begins[flat]
        starts[1:] |= self.words.closes[flat[:-1]]
        starts[1:] &= ~self.words.joins[flat[:-1]]
        starts |= self._special[flat]
        starts[1:] |= self._special[flat[:-1]]
        numbers = documents.reshape(-1)
        starts[1:] |= numbers[1:] != numbers[:-1]
        starts[:: documents.shape[-1]] = True
        return np.cumsum(starts) - 1
