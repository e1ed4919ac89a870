"""What a table's columns mean and how they are scaled: decided from the training rows, kept in the run."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from qkvae.data.mixed_table import MixedTable, counted, is_numeric, numbers, shown
from qkvae.data.pairs import Note
from qkvae.data.tables import shortened

MOST_CATEGORIES = 50
"""A column with more different values that are no numbers is refused: it names rows and tells no kind."""

_MISTYPED = 0.9  # part of a column's cells, of more than …
_NUMBERS = 10  # different numbers, from which those that are none are mistyped
_CHANGES = 1e-14  # part of the largest number; what changes by less is constant but for rounding
_FARTHEST = 1e15  # deviations from the mean: the square of more is no number in fp32


@dataclass(frozen=True)
class Column:
    """One column: a number with its mean and deviation, or a choice among categories."""

    name: str
    kind: Literal["number", "category"]
    mean: float = 0.0
    std: float = 1.0
    categories: tuple[str, ...] = ()
    """In the order of their codes; the code after the last one stands for a value never seen."""


@dataclass(frozen=True, eq=False)
class Scaled:
    """Rows as a model reads them."""

    numbers: NDArray[np.float32]
    """[rows, columns of numbers]: (x - mean) / std; 0, which is the mean, where there is no value."""

    known: NDArray[np.bool_]
    """[rows, columns of numbers]: where there is a value."""

    codes: NDArray[np.int64]
    """[rows, columns of categories]: which one; -1 where there is no value, the count of categories where it
    was never seen in training."""

    notes: tuple[Note, ...] = ()


@dataclass(frozen=True)
class TableScaling:
    """All columns that say something, and those that were left out because they never change.

    >>> table = MixedTable({"age": ["1", "3", None], "town": ["Turin", "Pisa", "Pisa"], "unit": ["m"] * 3})
    >>> scaling = TableScaling.decide(table)
    >>> scaling.constant, [column.kind for column in scaling.columns]
    (('unit',), ['number', 'category'])
    >>> rows = scaling.scale(table)
    >>> rows.numbers.tolist(), rows.codes.tolist()
    ([[-1.0], [1.0], [0.0]], [[1], [0], [0]])
    """

    columns: tuple[Column, ...]
    constant: tuple[str, ...] = ()
    notes: tuple[Note, ...] = ()
    """What was decided; it stays with the training."""

    @classmethod
    def decide(cls, train: MixedTable) -> TableScaling:
        """What the training rows say: a column of numbers only is numbers, any other categories.

        Columns with one value, or none, are left out; a note names them.

        Raises:
            ValueError: an infinite number, no column that changes, one of numbers but for a few cells, or one
                with nearly as many names as rows.
        """
        columns: list[Column] = []
        constant: list[str] = []
        for name, cells in train.columns.items():
            counts = counted(cells)
            if len(counts) < 2:
                constant.append(name)
            elif is_numeric(cells):
                mean, std = _moments(numbers(train, name))
                if std > 0:
                    columns.append(Column(name, "number", mean, std))
                else:  # 1 and 1.0
                    constant.append(name)
            elif (mistyped := _mistyped(counts)) is not None:
                place = cells.index(mistyped)
                raise ValueError(
                    f'{train.where(place)}: "{shortened(mistyped)}" in column "{name}" is no number, as '
                    "nearly all others are: mend it, empty it, or ignore the column"
                )
            elif len(counts) > MOST_CATEGORIES:
                raise ValueError(
                    f'column "{name}" has {len(counts):,} different values that are no numbers, more than '
                    f"{MOST_CATEGORIES}: ignore it, or join its categories"
                )
            else:
                columns.append(Column(name, "category", categories=tuple(sorted(counts))))
        if not columns:
            raise ValueError(
                f"no column of {', '.join(train.columns)} ever changes: there is nothing to learn"
            )
        what = "constant columns were left out"
        note = (Note("constant", len(constant), what, tuple(constant[:3])),) if constant else ()
        return cls(tuple(columns), tuple(constant), note)

    @property
    def numeric(self) -> tuple[Column, ...]:
        """The columns of numbers."""
        return tuple(column for column in self.columns if column.kind == "number")

    @property
    def categorical(self) -> tuple[Column, ...]:
        """The columns of categories."""
        return tuple(column for column in self.columns if column.kind == "category")

    def scale(self, table: MixedTable) -> Scaled:
        """Rows as a model reads them; values never seen in training are counted.

        Raises:
            ValueError: a column is not there, one of numbers holds something else, or an infinite number.
        """
        for column in self.columns:
            if column.name not in table.columns:
                held = ", ".join(table.columns)
                raise ValueError(
                    f'the table has no column "{column.name}", as that trained on has: it has {held}'
                )
        rows, notes = len(table), list[Note]()
        scaled = np.zeros((rows, len(self.numeric)), np.float32)
        known = np.zeros((rows, len(self.numeric)), np.bool_)
        for place, column in enumerate(self.numeric):
            values = numbers(table, column.name)
            known[:, place] = ~np.isnan(values)
            with np.errstate(over="ignore"):
                told = np.where(known[:, place], (values - column.mean) / column.std, 0)
            scaled[:, place] = told.clip(-_FARTHEST, _FARTHEST)
            if (far := np.abs(told) > _FARTHEST).any():
                where = shown(table, np.flatnonzero(far).tolist())
                what = f'values of "{column.name}" beyond 10¹⁵ deviations were taken for that far'
                notes.append(Note("far", int(far.sum()), what, where))
        codes = np.full((rows, len(self.categorical)), -1, np.int64)
        for place, column in enumerate(self.categorical):
            code = {name: number for number, name in enumerate(column.categories)}
            never = len(column.categories)
            cells = table.columns[column.name]
            self._refuse_numbers(table, column)
            codes[:, place] = [-1 if cell is None else code.get(cell, never) for cell in cells]
            if (unseen := codes[:, place] == never).any():
                where = shown(table, np.flatnonzero(unseen).tolist())
                what = f'values of "{column.name}" were unknown in training'
                notes.append(Note("unseen", int(unseen.sum()), what, where))
        return Scaled(scaled, known, codes, tuple(notes))

    def _refuse_numbers(self, table: MixedTable, column: Column) -> None:
        """A column of names that now holds nothing but other numbers has changed its kind."""
        values = counted(table.columns[column.name])
        if values and not values.keys() & set(column.categories) and is_numeric(values):
            raise ValueError(
                f'column "{column.name}" holds numbers ({next(iter(values))}), but was trained on categories '
                f"({', '.join(column.categories[:3])}): is it the same column?"
            )

    def unscaled(self, scaled: NDArray[np.float32]) -> NDArray[np.float64]:
        """The numbers in their own units again, [rows, columns of numbers]."""
        mean = np.array([column.mean for column in self.numeric])
        std = np.array([column.std for column in self.numeric])
        return scaled.astype(np.float64) * std + mean

    def to_dict(self) -> dict[str, Any]:
        """Everything ``from_dict`` needs, fit for JSON."""
        return {"columns": [asdict(column) for column in self.columns], "constant": list(self.constant)}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> TableScaling:
        """The scaling that ``to_dict`` wrote.

        Raises:
            ValueError: something is missing or unknown.
        """
        try:
            made = [
                Column(each["name"], each["kind"], each["mean"], each["std"], tuple(each["categories"]))
                for each in saved["columns"]
            ]
            return cls(tuple(made), tuple(saved["constant"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"a saved scaling of a table is damaged: {error}") from error


def _moments(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard deviation, 0 where nothing but rounding changes; NaN is missing."""
    largest = float(np.nanmax(np.abs(values))) or 1.0  # the square of a large number may be infinite
    mean, std = float(np.nanmean(values / largest)), float(np.nanstd(values / largest))
    return mean * largest, std * largest if std > _CHANGES else 0.0


def _mistyped(counts: Counter[str]) -> str | None:
    """A value that is no number in a column where nearly all are, and are many."""
    none = [value for value in counts if not is_numeric([value])]
    share = 1 - sum(counts[value] for value in none) / counts.total()
    return none[0] if share >= _MISTYPED and len(counts) - len(none) > _NUMBERS else None
