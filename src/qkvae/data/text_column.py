"""One column of a table, each cell a document: .csv, .tsv, .jsonl, .parquet."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

from qkvae.data.columns import TEXT_NAMES
from qkvae.data.files import Lines, TextFile, missing_column
from qkvae.data.pairs import Tally
from qkvae.data.parquet import opened_parquet
from qkvae.data.tables import column_number, json_cells, records, shortened

TABLES = (".tsv", ".csv", ".jsonl", ".parquet")
"""What a table is called; any other file is one document."""

LONGEST_ROW = 2**30
"""Bytes; a longer row is dropped and counted."""

Row = tuple[int, str]
"""Line number from 1, and the text."""


def text_rows(file: TextFile, column: str | None, tally: Tally) -> Iterator[Row]:
    """The texts of one column, row by row; an absent cell is the empty text.

    A **name** means that there is a header which holds it; a **number** counts columns from 0 and means that
    there is none, except that a first row whose cell is a well-known name of texts (``text``, ``content`` …)
    is left out.  Not given, it is the only column there is, or the only one with such a name; a note says
    which.

    Raises:
        ValueError: the column is not there (the nearest is named) or cannot be told, a cell is no text,
            malformed rows, or the extra ``data`` is not installed for .parquet.
    """
    if file.suffix == ".parquet":
        return _parquet_rows(file, column, tally)
    lines = Lines(file, tally, LONGEST_ROW)
    return _json_rows(lines, column) if file.suffix == ".jsonl" else _delimited_rows(lines, column)


def _delimited_rows(lines: Lines, column: str | None) -> Iterator[Row]:
    name, tally = lines.file.name, lines.tally
    rows = records(lines)
    first = next(rows, None)
    if first is None:
        raise ValueError(f"{name} holds no row: it must hold one document per row")
    cells = first[1]
    numbered = column is None and len(cells) == 1
    wanted = "0" if numbered else _chosen(column, cells, name, tally)
    place = column_number(wanted, cells, name)
    header = not wanted.isdecimal()
    if not header:
        header = _is_text_name(cells[place])
        verb = "left out as a header" if header else "read as a document: name the column if it is a header"
        tally.add("first row", f"first row was {verb}", f'{name}: "{shortened(cells[place])}"')
    for number, found in rows if header else itertools.chain([first], rows):
        if len(found) != len(cells):
            what = f"rows with another number of cells than the first ({len(cells)}) were dropped"
            tally.add("ragged row", what, f"{name}:{number}: {len(found)}")
            continue
        yield number, found[place]


def _is_text_name(cell: str) -> bool:
    return cell.strip().casefold() in TEXT_NAMES


def _chosen(column: str | None, names: Sequence[str], table: str, tally: Tally) -> str:
    """The column asked for, or the one that holds the text by its name or for want of another."""
    if column is not None:
        return column
    found = [name.strip() for name in names if _is_text_name(name)] if len(names) > 1 else list(names)
    if len(found) != 1:
        shown = ", ".join(f"{at}: {shortened(name)}" for at, name in enumerate(names))
        raise ValueError(f"{table}: say which column is the text ({shown})")
    tally.add("columns", "table was read by one of its columns", f"{table}: {found[0]}")
    return found[0]


def _json_rows(lines: Lines, column: str | None) -> Iterator[Row]:
    name, tally = lines.file.name, lines.tally
    chosen: str | None = None
    for number, line in enumerate(lines, 1):
        if line is None:
            continue
        if not line.strip():
            tally.add("blank row", "blank rows were dropped", f"{name}:{number}")
            continue
        where = f"{name}: line {number}"
        cells = json_cells(line, where)
        if chosen is None:
            chosen = _chosen(column, list(cells), name, tally)
            if chosen not in cells:
                raise missing_column(name, chosen, list(cells))
        yield number, _text(cells.get(chosen), chosen, where)


def _text(value: Any, column: str, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        shown = shortened(json.dumps(value, default=str, ensure_ascii=False))
        raise ValueError(f'{where}: column "{column}" is {shown}, not text')
    return value


def _parquet_rows(file: TextFile, column: str | None, tally: Tally) -> Iterator[Row]:
    with opened_parquet(file) as table:
        names = [str(name) for name in table.schema_arrow.names]
        wanted = names[column_number(_chosen(column, names, file.name, tally), names, file.name)]
        parts = table.iter_batches(columns=[wanted])
        values = (value for part in parts for value in part.column(0).to_pylist())
        for number, value in enumerate(values, 1):
            yield number, _text(value, wanted, f"{file.name}: row {number}")
