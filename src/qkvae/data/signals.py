"""Signals: arrays, or tables with one signal in every row."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qkvae.config.pictures import PictureReading
from qkvae.data.files import TextFile, missing_column
from qkvae.data.labelled import Label
from qkvae.data.mixed_table import MixedTable, is_numeric, numbers, read_mixed_table
from qkvae.data.picture_files import LABEL_NAMES, TABLES
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures, duplicates
from qkvae.data.read_pictures import Name, read_pictures


def read_signals(
    paths: Name | Sequence[Name],
    settings: PictureReading | None = None,
    *,
    labelled: bool = True,
    like: PictureFormat | None = None,
    minimum: int = 2,
) -> Pictures:
    """Read signals: .npz, .npy or idx of [count, length] or [count, length, channels], or tables.

    In a table (.csv, .tsv, .jsonl, .parquet) each row is one signal of one channel: all its numbers in the
    order of the columns, but for the label, which is the column that is named, or is called as labels are, or
    is the only one that does not hold numbers.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: as `read_pictures.read_pictures` and `mixed_table.read_mixed_table`; a table without a
            column of labels, or with cells that are no numbers, missing or infinite.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "beats.csv"
        >>> _ = path.write_text("a,b,c,label\\n1,2,3,calm\\n4,5,6,quick\\n", encoding="utf-8")
        >>> beats = read_signals(path)
        >>> beats.values.shape, beats.labels
        ((2, 1, 3), ['calm', 'quick'])
    """
    settings = PictureReading() if settings is None else settings
    given = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not all(TextFile(Path(name)).suffix in TABLES for name in given):
        return read_pictures(given, settings, axes=1, labelled=labelled, like=like, minimum=minimum)
    table = read_mixed_table(given, minimum=minimum)
    label = _label_column(table, settings.label, labelled)
    if labelled and label is None:
        raise ValueError(f"{table.where(0)}: every column holds numbers: say by label which one is the label")
    places = [name for name in table.columns if name != label]
    values = np.stack([_complete(table, name) for name in places], 1).astype(np.float32)[:, None]
    names: list[Label] | None = None
    if labelled and label is not None:
        names = [_told(table, label, place) for place in range(len(table))]
    found = Pictures(values, names, 1.0, names=[table.where(place) for place in range(len(table))])
    if like is not None:
        like.fits(replace(found, paths=tuple(given)))
    return replace(found, notes=(*table.notes, *duplicates(found)), paths=tuple(given))


def _label_column(table: MixedTable, given: str | None, labelled: bool) -> str | None:
    names = list(table.columns)
    if given is not None:
        if given not in names:
            if given.isdecimal() and int(given) < len(names):
                return names[int(given)]
            if not labelled:  # what a run is asked about need not have one
                return None
            raise missing_column(os.path.basename(table.paths[0]), given, names)
        return given
    called = [name for name in names if name.casefold() in LABEL_NAMES]
    others = [name for name, cells in table.columns.items() if not is_numeric(cells)]
    guesses = called or others
    return guesses[0] if len(guesses) == 1 else None


def _complete(table: MixedTable, name: str) -> NDArray[np.float64]:
    column = numbers(table, name)
    if np.isnan(column).any():
        place = int(np.flatnonzero(np.isnan(column))[0])
        raise ValueError(f'{table.where(place)}: column "{name}" is empty, but must hold a number: fill it')
    return column


def _told(table: MixedTable, label: str, place: int) -> str:
    cell = table.columns[label][place]
    if cell is None:
        raise ValueError(f'{table.where(place)}: the label "{label}" is empty: fill it, or take the row out')
    return cell
