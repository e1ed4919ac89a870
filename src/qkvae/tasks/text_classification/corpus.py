"""From the user's labelled texts to token ids and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from qkvae.config import LabelledData
from qkvae.data.archives import is_packed
from qkvae.data.default_labelled import default_labelled
from qkvae.data.encoded import Sentences, encode_texts
from qkvae.data.labelled import Labelled, read_labelled, split_labelled
from qkvae.data.labels import LabelKind, Labels, inferred
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import FEWEST, Corpus, Tell, parts, unsaid
from qkvae.tasks.label_figures import targets

_DEFAULT_COUNT = 20_000  # phrases of the embedded default
_MOST_VALID = 5_000  # texts that are split off at most


@dataclass(frozen=True)
class LabelledCorpus(Corpus[Labelled]):
    """The labelled texts of a training, and what their labels mean."""

    labels: Labels

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read, and what was taken for granted of the labels."""
        return [*super().notes, *map(str, self.labels.notes)]

    @property
    def facts(self) -> dict[str, Any]:
        """The labels, which the run tells its answers by."""
        return {"labels": self.labels.to_dict()}


def read_corpus(data: LabelledData, seed: int) -> LabelledCorpus:
    """The texts that the settings name, or the embedded default; split by hash if no ``valid`` is named.

    Raises:
        ValueError, FileNotFoundError: what `data.labelled.read_labelled` and `Labels.decide` raise.
    """
    train, valid = parts(
        data,
        lambda paths, minimum: read_texts(data, paths, minimum=minimum),
        lambda: default_labelled(_DEFAULT_COUNT, seed),
        lambda whole, fraction: split_labelled(whole, fraction, _kind(data, whole) != "number"),
        _MOST_VALID,
    )
    return LabelledCorpus(train, valid, Labels.decide(train, None if data.kind == "auto" else data.kind))


def _kind(data: LabelledData, whole: Labelled) -> LabelKind:
    """What kind of labels these are."""
    return inferred(whole) if data.kind == "auto" else data.kind


def read_texts(
    data: LabelledData, paths: Sequence[str], like: LabelledData | None = None, minimum: int = FEWEST
) -> Labelled:
    """The labelled texts of these paths; columns that are not named are where ``like`` has them.

    Raises:
        ValueError, FileNotFoundError: what `data.labelled.read_labelled` raises.
    """
    columns = [data.text, data.label, data.pair]
    foldered = all(Path(path).is_dir() or is_packed(Path(path)) for path in paths)
    if like is not None and columns == [None] * 3 and not foldered:
        columns = [like.text, like.label, like.pair]
    separator = data.separator if like is None or data.separator is not None else like.separator
    return read_labelled(paths, *columns, separator=separator, minimum=minimum)


def train_tokenizer(train: Labelled, data: LabelledData, say: Tell = unsaid) -> Tokenizer:
    """A vocabulary learned from the training part only.

    Raises:
        ValueError: a vocabulary was asked for that the data cannot fill.
    """
    say("learning a vocabulary from the training texts")
    texts = (text for side in (train.texts, train.pairs or ()) for text in side)
    return Tokenizer.train(texts, data.tokenizer, data.vocab_size, data.min_frequency)


@dataclass(frozen=True)
class Encoded:
    """The corpus as numbers."""

    train: Sentences
    valid: Sentences
    train_targets: Tensor
    """What is to be told of each text: its class, each class's 0 or 1, or its number in units of σ."""

    valid_targets: Tensor
    valid_texts: Labelled
    labels: Labels
    cut: int
    """Training texts whose ends are not read."""

    valid_cut: int = 0


def encode_corpus(corpus: LabelledCorpus, tokenizer: Tokenizer, data: LabelledData) -> Encoded:
    """Encode both parts; texts longer than the limit are cut and counted.

    Raises:
        ValueError: a label of the validation part is not among those of the training part.
    """
    train, cut = encode_texts(tokenizer, corpus.train.texts, corpus.train.pairs, data.max_length)
    valid, valid_cut = encode_texts(tokenizer, corpus.valid.texts, corpus.valid.pairs, data.max_length)
    return Encoded(
        train,
        valid,
        targets(corpus.labels, corpus.train),
        targets(corpus.labels, corpus.valid),
        corpus.valid,
        corpus.labels,
        int(cut.sum()),
        int(valid_cut.sum()),
    )
