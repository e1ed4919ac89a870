"""From the user's pairs of texts to token ids and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qkvae.config import FeatureExtraction, SimilarityData
from qkvae.data.check import check_pairs
from qkvae.data.check_labelled import check_labelled
from qkvae.data.defaults import default_pairs
from qkvae.data.encoded import Sentences, encode_texts
from qkvae.data.findings import Report
from qkvae.data.labelled import Labelled, fingerprint_labelled, read_labelled, split_labelled
from qkvae.data.labels import Labels
from qkvae.data.pairs import Pairs
from qkvae.data.ragged import Ints
from qkvae.data.sources import read_pairs
from qkvae.data.tokenizer import Tokenizer

_DEFAULT_COUNT = 20_000  # pairs of the embedded default
_BPE_SIZE = 8000
_MOST_VALID = 5_000  # pairs that are split off at most

TOGETHER = 0.8
"""Graded pairs from this part of the scale on belong together: 4.2 and more on a scale from 1 to 5."""


@dataclass(frozen=True)
class Corpus:
    """The pairs of texts of a training, and the scale of their grades."""

    train: Labelled
    valid: Labelled
    scale: tuple[float, float] | None
    """The lowest and the highest grade of the training part; None where pairs are not graded."""

    @property
    def fingerprint(self) -> str:
        """Changes with any text or grade of either part."""
        return f"{fingerprint_labelled(self.train)[:32]}{fingerprint_labelled(self.valid)[:32]}"

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read."""
        return [str(note) for part in (self.train, self.valid) for note in part.notes]

    @property
    def passport(self) -> dict[str, Any]:
        """What is known of the data; with it the scale is kept."""
        return {
            "fingerprint": self.fingerprint,
            "training": {"files": list(self.train.paths), "pairs": len(self.train)},
            "validation": {"files": list(self.valid.paths), "pairs": len(self.valid)},
            "scale": self.scale,
            "notes": self.notes,
        }


def read_corpus(data: SimilarityData, seed: int) -> Corpus:
    """The pairs that the settings name, or the embedded default; split by hash if no ``valid`` is named.

    Raises:
        ValueError, FileNotFoundError: what `read_similar` and `data.labels.Labels.decide` raise.
    """
    found = default_pairs(_DEFAULT_COUNT, seed) if not data.paths else None
    whole = read_similar(data, data.paths) if found is None else _as_labelled(found)
    if data.valid:
        train, valid = whole, read_similar(data, data.valid, minimum=1)
    else:
        share = min(data.valid_fraction_or_default, _MOST_VALID / len(whole))
        train, valid = split_labelled(whole, share)
        train = replace(train, notes=whole.notes)
    if not is_graded(train):
        return Corpus(train, valid, None)
    Labels.decide(train, "number")  # refuses what is no number, and numbers that are all the same
    numbers = grades(train, (0.0, 1.0))
    return Corpus(train, valid, (float(numbers.min()), float(numbers.max())))


def read_similar(
    data: SimilarityData, paths: Sequence[str], like: SimilarityData | None = None, minimum: int = 10
) -> Labelled:
    """The pairs of these paths; columns that are not named are where ``like`` has them.

    Raises:
        ValueError, FileNotFoundError: what `data.labelled.read_labelled` and `data.sources.read_pairs` raise.
    """
    columns = [data.text, data.label, data.pair]
    if like is not None and columns == [None] * 3:
        columns = [like.text, like.label, like.pair]
    text, label, pair = columns
    if label is None:
        return _as_labelled(read_pairs(paths, text, pair, minimum=minimum))
    return read_labelled(paths, text, label, pair, minimum=minimum)


def _as_labelled(pairs: Pairs) -> Labelled:
    """Pairs without grades; their labels are empty."""
    labels: list[Any] = [""] * len(pairs)
    return Labelled(pairs.sources, labels, pairs.targets, pairs.lines, pairs.notes, pairs.paths)


def is_graded(part: Labelled) -> bool:
    """Whether it is said of each pair how alike its texts are."""
    return bool(part.labels[0])


def grades(part: Labelled, scale: tuple[float, float]) -> NDArray[np.float32]:
    """How alike the texts of each pair are, as parts of the scale: 0 at its low end and 1 at its high one.

    Raises:
        ValueError: one is no number; its line is named.
    """
    low, high = scale
    return (Labels("number").encode(part).astype(np.float32) - low) / (high - low)


def both_texts(part: Labelled) -> list[str]:
    """First and second text of each pair in turn."""
    assert part.pairs is not None
    return [text for pair in zip(part.texts, part.pairs, strict=True) for text in pair]


def text_numbers(texts: Sequence[str]) -> Ints:
    """A number for each text; equal texts have equal ones.

    >>> text_numbers(["a", "b", "a"]).tolist()
    [0, 1, 0]
    """
    known: dict[str, int] = {}
    return np.array([known.setdefault(text, len(known)) for text in texts], np.int64)


def train_tokenizer(train: Labelled, data: SimilarityData) -> Tokenizer:
    """A vocabulary learned from the training part only.

    Raises:
        ValueError: a vocabulary was asked for that the data cannot fill.
    """
    size = data.vocab_size or (_BPE_SIZE if data.tokenizer == "bpe" else None)
    texts = both_texts(train)
    return Tokenizer.train(texts, data.tokenizer, size, data.min_frequency, exact=data.vocab_size is not None)


@dataclass(frozen=True)
class Encoded:
    """The corpus as numbers: rows 2i and 2i + 1 are the texts of pair i."""

    train: Sentences
    numbers: Tensor
    """Which text each row is, int64[rows]: equal texts have equal numbers."""

    known: Tensor | None
    """How alike the texts of each training pair are, from 0 to 1; None where that is not what is learned."""

    valid: Sentences
    valid_texts: Labelled
    valid_known: NDArray[np.float32] | None
    """Likewise of the validation pairs; None where they are not graded."""

    cut: int
    """Training texts whose ends are not read."""

    valid_cut: int = 0


def encode_corpus(corpus: Corpus, tokenizer: Tokenizer, config: FeatureExtraction) -> Encoded:
    """Encode what the signal is learned from, and the validation pairs; long texts are cut and counted.

    Raises:
        ValueError: there are no grades where they are to be learned, or nothing that belongs together.
    """
    texts, known = _learned(corpus, config)
    longest = config.data.max_length
    train, cut = encode_texts(tokenizer, texts, None, longest)
    valid, valid_cut = encode_texts(tokenizer, both_texts(corpus.valid), None, longest)
    return Encoded(
        train,
        torch.from_numpy(text_numbers(texts)),
        None if known is None else torch.from_numpy(known),
        valid,
        corpus.valid,
        None if corpus.scale is None else grades(corpus.valid, corpus.scale),
        int(cut.sum()),
        int(valid_cut.sum()),
    )


def _learned(corpus: Corpus, config: FeatureExtraction) -> tuple[list[str], NDArray[np.float32] | None]:
    """The texts of the pairs that are learned from, in turn, and how alike they are if that is learned."""
    signal, train = config.learning.signal, corpus.train
    if signal == "auto":
        signal = "pairs" if corpus.scale is None else "scores"
    if signal == "texts":
        return [text for text in dict.fromkeys(both_texts(train)) for _ in range(2)], None
    if signal == "pairs":
        if corpus.scale is not None:
            train = train.select(np.flatnonzero(grades(train, corpus.scale) >= TOGETHER).tolist())
            if len(train) < 2:
                raise ValueError(
                    f"{len(train)} of {len(corpus.train):,} pairs are graded in the upper fifth of the "
                    "scale, and signal pairs learns from these: use signal scores or texts"
                )
        return both_texts(train), None
    if corpus.scale is None:
        raise ValueError("signal is scores, but the pairs are not graded: name the column with --label")
    config.learning.refuse_idle()
    return both_texts(train), grades(train, corpus.scale)


def check(data: SimilarityData) -> Report:
    """What is doubtful in pairs of texts: of graded ones as `check_labelled` sees it, of others as pairs."""
    if data.label is None:
        pairs = read_pairs(data.paths, data.text, data.pair)
        held_out = read_pairs(data.valid, data.text, data.pair, minimum=1) if data.valid else None
        return check_pairs(pairs, held_out, max_length=data.max_length)
    train = read_similar(data, data.paths)
    valid = read_similar(data, data.valid, minimum=1) if data.valid else None
    labels = Labels.decide(train, "number")
    return check_labelled(train, valid, max_length=data.max_length, labels=labels)
