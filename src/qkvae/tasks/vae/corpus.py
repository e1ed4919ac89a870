"""From the user's pictures or rows to numbers in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from qkvae.config import VAE, LatentData, Vae
from qkvae.config.pictures import PictureReading
from qkvae.data.binarize import binarized
from qkvae.data.default_pictures import default_pictures
from qkvae.data.files import TextFile, locate
from qkvae.data.labels import Labels
from qkvae.data.mixed_table import MixedTable, read_mixed_table
from qkvae.data.picture_files import TABLES
from qkvae.data.pictures import Pictures, split_pictures
from qkvae.data.read_pictures import read_pictures
from qkvae.data.splits import chosen_by_hash
from qkvae.models.vae import make_likelihood
from qkvae.tasks.corpus import FEWEST, Corpus, parts
from qkvae.tasks.vae.forms import Form, PictureForm, TableForm, form_of

Part_ = Pictures | MixedTable
"""Pictures, or rows of a table."""

_MOST_VALID = 10_000  # data that are split off at most


@dataclass(frozen=True)
class LatentCorpus(Corpus[Any]):
    """The data of a training, and what they are to a model."""

    form: Form
    labels: Labels | None

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read and made numbers."""
        decided = self.form.scaling.notes if isinstance(self.form, TableForm) else ()
        unseen = self.form.notes(self.valid)
        labels = () if self.labels is None else self.labels.notes
        return [*super().notes, *map(str, (*decided, *unseen, *labels))]

    @property
    def facts(self) -> dict[str, Any]:
        """How data become numbers, which the run keeps."""
        told = {} if self.labels is None else {"labels": self.labels.to_dict()}
        return {**self.form.to_dict(), **told}


@dataclass(frozen=True, eq=False)
class Encoded:
    """The corpus as numbers, kept in memory as small as they came."""

    form: Form
    train: Shaped[Tensor, "train *shape"]
    valid: Shaped[Tensor, "valid *shape"]
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
        what = "pictures and valid a table" if isinstance(form, PictureForm) else "a table and valid pictures"
        raise ValueError(f"DATA are {what}: give two of one kind")
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
    labelled = data.condition == "label"
    tables = [TextFile(locate(path)).suffix in TABLES and Path(locate(path)).is_file() for path in paths]
    wants_rows = isinstance(form, TableForm) or (
        form is None and all(tables) and data.pictures.picture is None
    )
    if not wants_rows:
        if data.ignore:
            raise ValueError(
                f"ignore {' '.join(data.ignore)} has no effect on pictures, which have no columns: leave it "
                "out"
            )
        like = form.format if isinstance(form, PictureForm) else None
        return read_pictures(paths, data.pictures, labelled=labelled, like=like, minimum=minimum)
    if not all(tables):
        other = next(path for path, table in zip(paths, tables, strict=True) if not table)
        raise ValueError(f"{other} is no table, but this run reads rows: give .csv, .tsv, .jsonl or .parquet")
    _refuse_of_pictures(data)
    if labelled:
        raise ValueError("condition label needs pictures with labels, but the data are rows: leave it out")
    return read_mixed_table(paths, data.ignore, minimum)


def _refuse_of_pictures(data: LatentData) -> None:
    usual = PictureReading()
    for name in (each.name for each in fields(usual)):
        if (value := getattr(data.pictures, name)) != getattr(usual, name):
            raise ValueError(
                f"{name} {value} has no effect on rows of a table: leave it out, or name the column of the "
                "pictures (--picture)"
            )


def _split(whole: Part_, fraction: float) -> tuple[Part_, Part_]:
    if isinstance(whole, Pictures):
        return split_pictures(whole, fraction)
    hashes = whole.hashes()
    if len(np.unique(hashes)) < 2:
        raise ValueError(f"{len(whole)} rows, all the same, cannot be split: give at least two")
    chosen = chosen_by_hash(hashes, fraction)
    train, valid = (whole.select(np.flatnonzero(part).tolist()) for part in (~chosen, chosen))
    return replace(train, notes=whole.notes), valid


def encode_corpus(corpus: LatentCorpus, model: VAE) -> Encoded:
    """Both parts as numbers.

    Raises:
        ValueError: numbers that cannot have come from the likelihood; a label that training does not know.
    """
    train, valid = (corpus.form.stored(part) for part in (corpus.train, corpus.valid))
    likelihood = make_likelihood(model)
    for each in (train, valid):
        for begin in range(0, len(each), 1000):
            likelihood.check(corpus.form.numbers(each[begin : begin + 1000]))
    classes, valid_classes = (targets(corpus.labels, part) for part in (corpus.train, corpus.valid))
    return Encoded(corpus.form, train, valid, classes, valid_classes, corpus.valid, corpus.labels)


def targets(labels: Labels | None, part: Any) -> Int[Tensor, " count"] | None:
    """The class of each datum, where the model is told it."""
    return None if labels is None else torch.from_numpy(labels.encode(part))


def told_numbers(
    form: Form, stored: Shaped[Tensor, "b *shape"], config: Vae, seed: tuple[int, ...]
) -> Tensor:
    """What a model reads and tells of stored data; drawn as 0 or 1 where the config asks for that, as a pure
    function of ``seed``."""
    numbers = form.numbers(stored)
    if config.model.likelihood_or_default == "bernoulli" and config.learning.binarize == "dynamic":
        return binarized(numbers, seed)
    return numbers
