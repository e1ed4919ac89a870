"""From the user's sentence pairs to token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from qkvae.config import TranslationData
from qkvae.data.batches import DropoutPairs, PairSource, SentencePairs
from qkvae.data.defaults import default_pairs
from qkvae.data.pairs import Pairs, fingerprint
from qkvae.data.ragged import Ints
from qkvae.data.sources import read_pairs
from qkvae.data.splits import split_pairs
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.reading import evenly

_DEFAULT_COUNT = 40_000  # phrases of the embedded default
_BPE_SIZE = 8000
_WORDS = 1_000_000
_MOST_LEARNED = 200_000  # pairs of which a vocabulary of byte pairs is learned at most
_MOST_VALID = 5_000  # pairs that are split off at most


@dataclass(frozen=True)
class Corpus:
    """The sentence pairs of a training, as text."""

    train: Pairs
    valid: Pairs

    @property
    def fingerprint(self) -> str:
        """Changes with any sentence of either part."""
        return f"{fingerprint(self.train)[:32]}{fingerprint(self.valid)[:32]}"

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read, sentence by sentence."""
        return [str(note) for part in (self.train, self.valid) for note in part.notes]

    @property
    def passport(self) -> dict[str, Any]:
        """What is known of the data."""
        return {
            "fingerprint": self.fingerprint,
            "training": {"files": list(self.train.paths), "pairs": len(self.train)},
            "validation": {"files": list(self.valid.paths), "pairs": len(self.valid)},
            "notes": self.notes,
        }


def read_corpus(data: TranslationData, seed: int) -> Corpus:
    """The pairs that the settings name, or the embedded default; split by hash if no ``valid`` is named.

    Raises:
        ValueError, FileNotFoundError: what `data.sources.read_pairs` raises.
    """
    pairs = (
        read_pairs(data.paths, data.source, data.target)
        if data.paths
        else default_pairs(_DEFAULT_COUNT, seed)
    )
    if data.valid:
        return Corpus(pairs, read_pairs(data.valid, data.source, data.target))
    # A share of a large corpus would be more than the evaluations need, and than the minutes allow.
    share = min(data.valid_fraction_or_default, _MOST_VALID / len(pairs))
    train, valid = split_pairs(pairs, share)
    return Corpus(replace(train, notes=pairs.notes), valid)


def learned_rows(train: Pairs, data: TranslationData) -> Ints:
    """The pairs that a vocabulary is learned from: all, or of very many an evenly spread part."""
    return evenly(len(train), len(train) if data.tokenizer == "word" else _MOST_LEARNED)


def train_tokenizer(train: Pairs, data: TranslationData) -> Tokenizer:
    """One vocabulary for both languages, learned from the training part only.

    Words that are frequent enough all get a token, unless a size was asked for; so they are counted in all
    pairs, but byte pairs in `learned_rows` only.

    Raises:
        ValueError: a vocabulary was asked for that the data cannot fill.
    """
    rows: list[int] = learned_rows(train, data).tolist()
    texts = (side[row] for side in (train.sources, train.targets) for row in rows)
    asked = data.vocab_size
    size = asked or (_BPE_SIZE if data.tokenizer == "bpe" else _WORDS)
    return Tokenizer.train(texts, data.tokenizer, size, data.min_frequency, exact=asked is not None)


@dataclass(frozen=True)
class Encoded:
    """The corpus as token ids."""

    train: PairSource
    valid: SentencePairs
    valid_texts: Pairs
    left_out: int
    """Training pairs with a side longer than the limit."""

    valid_left_out: int = 0
    """Validation pairs likewise."""


def encode_corpus(corpus: Corpus, tokenizer: Tokenizer, data: TranslationData) -> Encoded:
    """Encode both parts; pairs longer than the limit are left out and counted.

    Raises:
        ValueError: no training pair, or no validation pair, is short enough.
    """
    sides = corpus.train.sources, corpus.train.targets
    words = None
    if data.bpe_dropout:
        words = tokenizer.words(sides[0]), tokenizer.words(sides[1])
        plain = SentencePairs(words[0].encode(), words[1].encode())
    else:
        plain = _encoded(tokenizer, *sides)
    rows = _short_enough(plain, data.max_length, "training")
    train: PairSource = plain if len(rows) == len(plain) else plain[rows]
    if words is not None:
        train = DropoutPairs(words[0][rows], words[1][rows], data.bpe_dropout)
    valid = _encoded(tokenizer, corpus.valid.sources, corpus.valid.targets)
    kept = _short_enough(valid, data.max_length, "validation")
    texts = corpus.valid.select(kept.tolist())
    return Encoded(train, valid[kept], texts, len(plain) - len(rows), len(valid) - len(kept))


def _encoded(tokenizer: Tokenizer, sources: Sequence[str], targets: Sequence[str]) -> SentencePairs:
    sides = tokenizer.encode_batch(sources), tokenizer.target.encode_batch(targets)
    return SentencePairs(*sides, tokenizer.marks)


def _short_enough(pairs: SentencePairs, max_length: int, part: str) -> Ints:
    """The rows whose sides, each with its end token, have at most ``max_length`` tokens."""
    longest = np.maximum(pairs.sources.lengths, pairs.targets.lengths)
    rows = np.flatnonzero(longest < max_length)
    if not len(rows):
        raise ValueError(
            f"every {part} pair is longer than max_length {max_length} tokens (the shortest has "
            f"{int(longest.min())}): raise --max-length, or use shorter sentences"
        )
    return rows
