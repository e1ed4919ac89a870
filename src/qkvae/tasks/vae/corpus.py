"""From the user's pictures, rows or texts to numbers in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from qkvae.config import VAE, LatentData, TextVAE
from qkvae.config.pictures import PictureReading
from qkvae.data import amat
from qkvae.data.binarize import binarized
from qkvae.data.default_pictures import default_pictures
from qkvae.data.documents import Documents, read_documents
from qkvae.data.files import TextFile, is_text, locate
from qkvae.data.labels import Labels
from qkvae.data.mixed_table import MixedTable, read_mixed_table
from qkvae.data.picture_files import TABLES
from qkvae.data.pictures import Pictures, split_pictures
from qkvae.data.read_pictures import read_pictures
from qkvae.data.splits import chosen_by_hash, source_hashes
from qkvae.data.tokenizer import Tokenizer
from qkvae.models.vae import make_likelihood
from qkvae.tasks.corpus import FEWEST, Corpus, Tell, parts
from qkvae.tasks.vae.forms import Form, PictureForm, form_of

Part_ = Pictures | MixedTable | Documents
"""Pictures, rows of a table, or texts."""

NOUNS = {Pictures: "picture", MixedTable: "row", Documents: "text"}
"""What one datum of a part is called."""

_MOST_VALID = 10_000  # data that are split off at most
_ROWS = 1000  # data checked at a time
_OF_TEXTS = ("text", "tokenizer", "vocab_size", "min_frequency")
_IDLE = {
    "picture": ("ignore", *_OF_TEXTS),
    "row": ("condition", "pictures", *_OF_TEXTS),
    "text": ("ignore", "condition", "pictures"),
}
"""Settings of the data that have no effect on those of each kind."""


@dataclass(frozen=True)
class LatentCorpus(Corpus[Any]):
    """The data of a training, and what they are to a model."""

    form: Form
    labels: Labels | None

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read and made numbers."""
        decided = self.form.decided
        unseen = self.form.notes(self.valid)
        labels = () if self.labels is None else self.labels.notes
        return [*super().notes, *decided, *map(str, (*unseen, *labels))]

    @property
    def facts(self) -> dict[str, Any]:
        """How data become numbers, which the run keeps."""
        told = {} if self.labels is None else {"labels": self.labels.to_dict()}
        return {**self.form.to_dict(), **told}


@dataclass(frozen=True, eq=False)
class Encoded:
    """The corpus as numbers, kept in memory as small as they came."""

    form: Form
    train: Shaped[Tensor, "train ..."]
    valid: Shaped[Tensor, "valid ..."]
    train_labels: Int[Tensor, " train"] | None
    valid_labels: Int[Tensor, " valid"] | None
    valid_part: Part_
    labels: Labels | None


def read_corpus(data: LatentData, seed: int) -> LatentCorpus:
    """The data that the settings name, or the embedded digits; split by hash if no ``valid`` is named.

    Raises:
        ValueError, FileNotFoundError: what `read_pictures` and `read_mixed_table` raise.
    """
    labelled = data.condition == "label"
    train, valid = parts(
        data,
        lambda paths, minimum: read_part(data, paths, minimum=minimum),
        lambda: default_pictures() if labelled else replace(default_pictures(), labels=None),
        _split,
        _MOST_VALID,
    )
    form = form_of(train)
    if type(valid) is not type(train):
        here, there = (NOUNS[type(part)] for part in (train, valid))
        raise ValueError(f"DATA are {here}s and valid {there}s: give two of one kind")
    if isinstance(form, PictureForm):
        form.format.fits(cast("Pictures", valid))
    labels = Labels.decide(cast("Pictures", train), "one") if labelled else None
    return LatentCorpus(train, valid, form, labels)


def read_part(
    data: LatentData,
    paths: Sequence[str],
    form: Form | None = None,
    minimum: int = FEWEST,
) -> Part_:
    """The data of these paths: rows of a table, or pictures; of the size of ``form`` if it is given.

    Raises:
        ValueError: settings without effect on what the paths are; and what the readers raise.
    """
    noun = _noun(data, paths) if form is None else form.noun
    if noun == "row":
        _refuse_other_than_tables(paths)
    _refuse_idle(data, noun)
    match noun:
        case "text":
            return _read_texts(data, paths, minimum)
        case "row":
            return read_mixed_table(paths, data.ignore, minimum)
        case _:
            like, labelled = getattr(form, "format", None), data.condition == "label"
            return read_pictures(paths, data.pictures, labelled=labelled, like=like, minimum=minimum)


def _noun(data: LatentData, paths: Sequence[str]) -> str:
    """What the data at these paths are: texts, rows or pictures.

    Raises:
        ValueError: texts and something else.
    """
    if data.text is not None:
        return "text"
    located = [locate(path) for path in paths]
    if data.pictures.picture is None and all(map(_is_table, located)):
        return "row"
    texts = [
        path for path in located if not _is_table(path) and path.suffix not in amat.SUFFIXES and is_text(path)
    ]
    if texts and len(texts) < len(located):
        other = next(path for path in located if path not in texts)
        raise ValueError(f"{texts[0].name} is text and {other.name} is not: give data of one kind")
    return "text" if texts else "picture"


def _is_table(path: Path) -> bool:
    return TextFile(path).suffix in TABLES and path.is_file()


def _refuse_other_than_tables(paths: Sequence[str]) -> None:
    for path in paths:
        if not _is_table(locate(path)):
            raise ValueError(
                f"{path} is no table, but this run reads rows: give .csv, .tsv, .jsonl or .parquet"
            )


def _refuse_idle(data: LatentData, noun: str) -> None:
    """Refuse a setting that has no effect on such data."""
    usual = LatentData()
    for name in _IDLE[noun]:
        value, plain = getattr(data, name), getattr(usual, name)
        if value == plain:
            continue
        cure = "leave it out"
        if isinstance(value, PictureReading):
            name, value = next(
                (each.name, getattr(value, each.name))
                for each in fields(value)
                if getattr(value, each.name) != getattr(plain, each.name)
            )
            cure += ", or name the column of the pictures (--picture)" if noun == "row" else ""
        said = " ".join(cast("tuple[str, ...]", value)) if isinstance(value, tuple) else value
        raise ValueError(f"{name} {said} has no effect on {noun}s: {cure}")


def _read_texts(data: LatentData, paths: Sequence[str], minimum: int) -> Documents:
    found = read_documents(list(paths), data.text, each="line")
    if len(found) < minimum:
        raise ValueError(f"{', '.join(paths)}: {len(found):,} texts, but at least {minimum:,} are needed")
    return found


def _split(whole: Part_, fraction: float) -> tuple[Part_, Part_]:
    if isinstance(whole, Pictures):
        return split_pictures(whole, fraction)
    hashes = source_hashes(whole.texts) if isinstance(whole, Documents) else whole.hashes()
    if len(np.unique(hashes)) < 2:
        raise ValueError(
            f"{len(whole)} {NOUNS[type(whole)]}s, all the same, cannot be split: give at least two"
        )
    chosen = chosen_by_hash(hashes, fraction)
    train, valid = (whole.select(np.flatnonzero(part).tolist()) for part in (~chosen, chosen))
    return replace(train, notes=whole.notes), valid


def train_tokenizer(train: Part_, data: LatentData, say: Tell) -> Tokenizer | None:
    """A vocabulary learned from the training texts; None where the data are no texts.

    Raises:
        ValueError: a vocabulary was asked for that the texts cannot fill.
    """
    if not isinstance(train, Documents):
        return None
    say("learning a vocabulary from the training texts")
    return Tokenizer.train(train.texts, data.tokenizer, data.vocab_size, data.min_frequency)


def encode_corpus(corpus: LatentCorpus, model: VAE | TextVAE) -> Encoded:
    """Both parts as numbers.

    Raises:
        ValueError: numbers that cannot have come from the likelihood; a label that training does not know.
    """
    train, valid = (corpus.form.stored(part) for part in (corpus.train, corpus.valid))
    if not isinstance(model, TextVAE):
        likelihood = make_likelihood(model.told)
        for some in (*torch.split(train, _ROWS), *torch.split(valid, _ROWS)):
            likelihood.check(corpus.form.numbers(some))
    classes, valid_classes = (targets(corpus.labels, part) for part in (corpus.train, corpus.valid))
    return Encoded(corpus.form, train, valid, classes, valid_classes, corpus.valid, corpus.labels)


def targets(labels: Labels | None, part: Any) -> Int[Tensor, " count"] | None:
    """The class of each datum, where the model is told it."""
    return None if labels is None else torch.from_numpy(labels.encode(part))


def told_numbers(
    form: Form, stored: Shaped[Tensor, "b *shape"], config: Any, seed: tuple[int, ...]
) -> Tensor:
    """What a model reads and tells of stored data; drawn as 0 or 1 where the config asks for that, as a pure
    function of ``seed``."""
    numbers = form.numbers(stored)
    return binarized(numbers, seed) if is_drawn(config) else numbers


def is_drawn(config: Any) -> bool:
    """Whether each number is drawn as 0 or 1 anew whenever it is read."""
    if isinstance(config.model, TextVAE):
        return False
    return config.model.told.likelihood_or_default == "bernoulli" and config.learning.binarize == "dynamic"
