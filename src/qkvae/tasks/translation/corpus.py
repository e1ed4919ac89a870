"""From the user's sentence pairs to token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from qkvae.config import TranslationData
from qkvae.data.batches import DropoutPairs, PairSource, SentencePairs
from qkvae.data.defaults import default_pairs
from qkvae.data.pairs import Pairs
from qkvae.data.ragged import Ints
from qkvae.data.sources import read_pairs
from qkvae.data.splits import split_pairs
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import FEWEST, Corpus, Tell, parts, unsaid
from qkvae.tasks.reading import evenly

_DEFAULT_COUNT = 40_000  # phrases of the embedded default
_MOST_LEARNED = 200_000  # pairs of which a vocabulary of byte pairs is learned at most
_MOST_VALID = 5_000  # pairs that are split off at most


def read_corpus(data: TranslationData, seed: int) -> Corpus[Pairs]:
    """The pairs that the settings name, or the embedded default; split by hash if no ``valid`` is named.

    Raises:
        ValueError, FileNotFoundError: what `data.sources.read_pairs` raises.
    """
    both = parts(
        data,
        lambda paths, minimum: read_examples(data, paths, minimum=minimum),
        lambda: default_pairs(_DEFAULT_COUNT, seed),
        split_pairs,
        _MOST_VALID,
    )
    return Corpus(*both)


def read_examples(
    data: TranslationData, paths: Sequence[str], like: TranslationData | None = None, minimum: int = FEWEST
) -> Pairs:
    """The pairs of these paths, from the columns that ``data`` names.

    Raises:
        ValueError, FileNotFoundError: what `data.sources.read_pairs` raises.
    """
    return read_pairs(paths, data.source, data.target, minimum=minimum)


def learned_rows(train: Pairs, data: TranslationData) -> Ints:
    """The pairs that a vocabulary is learned from: all, or of very many an evenly spread part."""
    return evenly(len(train), len(train) if data.tokenizer == "word" else _MOST_LEARNED)


def train_tokenizer(train: Pairs, data: TranslationData, say: Tell = unsaid) -> Tokenizer:
    """One vocabulary for both languages, learned from the training part only.

    Words that are frequent enough all get a token, unless a size was asked for; so they are counted in all
    pairs, but byte pairs in `learned_rows` only.

    Raises:
        ValueError: a vocabulary was asked for that the data cannot fill.
    """
    rows: list[int] = learned_rows(train, data).tolist()
    part = f"{len(rows):,} evenly spread ones of " if len(rows) < len(train) else ""
    say(f"learning a vocabulary from {part}the training pairs")
    texts = (side[row] for side in (train.sources, train.targets) for row in rows)
    return Tokenizer.train(texts, data.tokenizer, data.vocab_size, data.min_frequency)


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


def encode_corpus(corpus: Corpus[Pairs], tokenizer: Tokenizer, data: TranslationData) -> Encoded:
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
