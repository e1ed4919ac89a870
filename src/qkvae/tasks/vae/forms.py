"""What data are to a model: pictures as parts of white, or rows of scaled numbers and one-hot categories."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from qkvae.config import VAE, TextVAE
from qkvae.data.documents import Documents
from qkvae.data.mixed_table import MixedTable
from qkvae.data.pairs import Note
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures
from qkvae.data.read_pictures import to_white
from qkvae.data.table_scaling import TableScaling
from qkvae.run import Run
from qkvae.tasks.vae.text_form import TextForm

_EXTREME = 0.5  # part of the numbers that is black or white in a drawing; in a photograph fewer are


@dataclass(frozen=True)
class PictureForm:
    """Pictures of one size."""

    format: PictureFormat
    noun = "picture"

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height and width."""
        return (self.format.channels, *self.format.size)

    def stored(self, part: Any) -> Shaped[Tensor, "count *shape"]:
        """The pictures as they are kept in memory: bytes, where they are bytes.

        Raises:
            ValueError: their size or channels are others.
        """
        part = to_white(part, self.format)
        self.format.fits(part)
        return torch.from_numpy(np.require(part.values, requirements=["C", "W"]))

    def numbers(self, stored: Shaped[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
        """What a model reads: parts of white, or of the range of the training pictures."""
        return self.format.ranged(stored)

    def filled(self, model: VAE, train: Any) -> VAE:
        """The model's settings for such pictures.

        Where no likelihood is given, drawings, most of whose numbers are black or white, get a Bernoulli,
        photographs logistic levels, and numbers that are no levels a normal law.
        """
        levels = round(self.format.white) + 1 if train.values.dtype == np.uint8 else None
        black, white = self.format.ends
        fitting = _fitting(train.values, black, white)
        likelihood = model.likelihood or fitting
        if self.format.beyond and likelihood == "bernoulli" != fitting:
            raise ValueError(
                f"likelihood is bernoulli, but numbers lie between {black:g} and {white:g}: scale them to 0 "
                f"to 1, or choose a {fitting} likelihood"
            )
        if likelihood in ("logistic", "categorical") and model.levels is None:
            model = replace(model, likelihood=likelihood, levels=levels)
        if likelihood == "mixed":
            raise ValueError("likelihood mixed is for tables, but the data are pictures: choose another")
        return replace(model, shape=self.shape, likelihood=likelihood)

    def notes(self, part: Any) -> list[Note]:
        """What was handled when these pictures were made numbers."""
        return []

    @property
    def decided(self) -> tuple[str, ...]:
        """What the training pictures decided."""
        if not self.format.beyond:
            return ()
        least, most = self.format.ends
        return (f"numbers from {least:.6g} to {most:.6g} are read as parts of that range, from 0 to 1",)

    def where(self, part: Any, place: int) -> str:
        """Which datum it is, for a line of results."""
        return part.where(place)

    def to_dict(self) -> dict[str, Any]:
        """For the run's passport."""
        return {"pictures": self.format.to_dict()}


@dataclass(frozen=True)
class TableForm:
    """Rows of a table: its numbers, scaled, and a one-hot vector for each category; NaN is missing."""

    scaling: TableScaling
    noun = "row"

    @property
    def categories(self) -> tuple[int, ...]:
        """Values of each category, one never seen in training among them."""
        return tuple(len(column.categories) + 1 for column in self.scaling.categorical)

    @property
    def shape(self) -> tuple[int, ...]:
        """Numbers of a row."""
        return (len(self.scaling.numeric) + sum(self.categories),)

    def stored(self, part: Any) -> Shaped[Tensor, "count *shape"]:
        """The rows as a model reads them.

        Raises:
            ValueError: a column is missing, or changed its kind; an infinite number.
        """
        rows = self.scaling.scale(part)
        parts = [np.where(rows.known, rows.numbers, np.float32(math.nan))]
        for place, width in enumerate(self.categories):
            code = rows.codes[:, place]
            told = np.eye(width, dtype=np.float32)[code]
            parts.append(np.where(code[:, None] < 0, np.float32(math.nan), told))
        return torch.from_numpy(np.concatenate(parts, 1))

    def numbers(self, stored: Shaped[Tensor, "b *shape"]) -> Float[Tensor, "b *shape"]:
        """What a model reads, which is what is stored."""
        return stored

    def filled(self, model: VAE, train: Any) -> VAE:
        """The model's settings for such rows.

        Raises:
            ValueError: a likelihood is asked for that knows pictures only.
        """
        if model.likelihood not in (None, "mixed"):
            raise ValueError(
                f"likelihood is {model.likelihood}, but the columns of a table say what they are: leave it "
                "out"
            )
        return replace(model, shape=self.shape, likelihood="mixed", categories=self.categories)

    def notes(self, part: Any) -> list[Note]:
        """Values never seen in training, and columns that were not trained on."""
        known = {*(column.name for column in self.scaling.columns), *self.scaling.constant}
        more = tuple(name for name in part.columns if name not in known)
        said = [Note("columns", len(more), "columns were not trained on and are not read", more[:3])]
        return [*self.scaling.scale(part).notes, *(said if more else [])]

    @property
    def decided(self) -> tuple[str, ...]:
        """What the training rows decided."""
        return tuple(map(str, self.scaling.notes))

    def where(self, part: Any, place: int) -> str:
        """Which datum it is, for a line of results: which row of the data that were given, from 1."""
        return str(part.places[place])

    def cells(self, numbers: Float[Tensor, "count *shape"]) -> list[list[str]]:
        """Rows as they would stand in the table, in its columns and units."""
        numeric = len(self.scaling.numeric)
        values = self.scaling.unscaled(numbers[:, :numeric].numpy())
        told = numbers[:, numeric:].split_with_sizes(self.categories, -1) if self.categories else ()
        values_of = [each[:, :-1] for each in told]  # the last one stands for what was never seen
        chosen = [
            cast("list[int]", each.argmax(-1).where(each.amax(-1) > 0, -1).tolist()) for each in values_of
        ]
        rows: list[list[str]] = []
        for row in range(len(numbers)):
            number, category = iter(values[row]), iter(zip(self.scaling.categorical, chosen, strict=True))
            cells: list[str] = []
            for column in self.scaling.columns:
                if column.kind == "number":
                    value = next(number)
                    cells.append("" if math.isnan(value) else f"{value:.6g}")
                else:
                    known, codes = next(category)
                    cells.append("" if codes[row] < 0 else known.categories[codes[row]])
            rows.append(cells)
        return rows

    def to_dict(self) -> dict[str, Any]:
        """For the run's passport."""
        return {"table": self.scaling.to_dict()}


Form = PictureForm | TableForm | TextForm


def form_of(train: Pictures | MixedTable | Documents) -> Form:
    """What the training part says."""
    if isinstance(train, Documents):
        return TextForm()
    if isinstance(train, MixedTable):
        return TableForm(TableScaling.decide(train))
    return PictureForm(PictureFormat.of(train))


def saved_form(run: Run) -> Form:
    """The form that a run keeps.

    Raises:
        RunError: a part of the run is missing or damaged.
    """
    passport = run.passport
    if isinstance(run.config.model, TextVAE):
        return TextForm().encoding(run.tokenizer, run.config.model)
    if "table" in passport:
        return TableForm(TableScaling.from_dict(passport["table"]))
    return PictureForm(PictureFormat.from_dict(passport["pictures"]))


def _fitting(values: Any, black: float, white: float) -> Any:
    """The likelihood for pictures of these numbers, which are read as 0 where black and 1 where white."""
    some = values[:: max(1, len(values) // 1000)]
    if float(((some == np.float32(black)) | (some == np.float32(white))).mean()) >= _EXTREME:
        return "bernoulli"
    return "logistic" if values.dtype == np.uint8 else "gaussian"
