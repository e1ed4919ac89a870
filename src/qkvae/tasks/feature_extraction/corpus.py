"""From the user's pairs of texts to token ids and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
from qkvae.data.labelled import Labelled, read_labelled, split_labelled
from qkvae.data.labels import Labels
from qkvae.data.pairs import Pairs
from qkvae.data.ragged import Ints
from qkvae.data.sources import read_pairs
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import FEWEST, Corpus, Tell, parts, unsaid

_DEFAULT_COUNT = 20_000  # pairs of the embedded default
_MOST_VALID = 5_000  # pairs that are split off at most

TOGETHER = 0.8
"""Graded pairs from this part of the scale on belong together: 4.2 and more on a scale from 1 to 5."""


@dataclass(frozen=True)
class SimilarCorpus(Corpus[Labelled]):
    """The pairs of texts of a training, and the scale of their grades."""

    scale: tuple[float, float] | None
    """The lowest and the highest grade of the training part; None where pairs are not graded."""

    def figures(self, part: Labelled) -> dict[str, Any]:
        """What is said of one part: each of its rows is a pair."""
        return {"files": list(part.paths), "pairs": len(part)}

    @property
    def facts(self) -> dict[str, Any]:
        """The scale, by which the grades of other data are read."""
        return {"scale": self.scale}


def read_corpus(data: SimilarityData, seed: int) -> SimilarCorpus:
    """The pairs that the settings name, or the embedded default; split by hash if no ``valid`` is named.

    Raises:
        ValueError, FileNotFoundError: what `read_similar` and `data.labels.Labels.decide` raise.
    """
    train, valid = parts(
        data,
        lambda paths, minimum: read_similar(data, paths, minimum=minimum),
        lambda: _as_labelled(default_pairs(_DEFAULT_COUNT, seed)),
        split_labelled,
        _MOST_VALID,
    )
    if not is_graded(train):
        return SimilarCorpus(train, valid, None)
    Labels.decide(train, "number")  # refuses what is no number, and numbers that are all the same
    numbers = grades(train, (0.0, 1.0))
    return SimilarCorpus(train, valid, (float(numbers.min()), float(numbers.max())))


def read_similar(
    data: SimilarityData, paths: Sequence[str], like: SimilarityData | None = None, minimum: int = FEWEST
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


def _as_pairs(part: Labelled) -> Pairs:
    """Pairs without grades as those of `read_pairs`."""
    assert part.pairs is not None
    return Pairs(part.texts, part.pairs, part.lines, part.notes, part.paths)


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


def train_tokenizer(train: Labelled, data: SimilarityData, say: Tell = unsaid) -> Tokenizer:
    """A vocabulary learned from the training part only.

    Raises:
        ValueError: a vocabulary was asked for that the data cannot fill.
    """
    say("learning a vocabulary from the training texts")
    return Tokenizer.train(both_texts(train), data.tokenizer, data.vocab_size, data.min_frequency)


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


def encode_corpus(corpus: SimilarCorpus, tokenizer: Tokenizer, config: FeatureExtraction) -> Encoded:
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


def _learned(
    corpus: SimilarCorpus, config: FeatureExtraction
) -> tuple[list[str], NDArray[np.float32] | None]:
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


def doubts(train: Labelled, valid: Labelled | None, data: SimilarityData) -> Report:
    """What is doubtful in pairs of texts, graded or not."""
    if data.label is None:
        held_out = None if valid is None else _as_pairs(valid)
        return check_pairs(_as_pairs(train), held_out, max_length=data.max_length)
    labels = Labels.decide(train, "number")
    return check_labelled(train, valid, max_length=data.max_length, labels=labels)
