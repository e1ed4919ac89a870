"""Chosen columns of a table that carries labels: .tsv, .csv, .txt with tabs, .jsonl, .parquet."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from qkvae.data.files import Lines, TextFile, missing_column
from qkvae.data.pairs import Tally
from qkvae.data.parquet import opened_parquet
from qkvae.data.stories import is_story, story_rows
from qkvae.data.tables import column_number, json_cells, records, shortened

TABLES = (".tsv", ".csv", ".txt", ".jsonl", ".parquet")
"""What a table may be called; .txt must separate its columns by tabs."""

_TEXTS = "text sentence review comment content message document utterance"
_LABELS = "label labels class category target sentiment score judgment stars"
_OTHERS = "premise hypothesis question answer title relatedness entailment id source"

TEXT_NAMES = frozenset(_TEXTS.split())
LABEL_NAMES = frozenset(_LABELS.split())
"""Column names that say by themselves which column holds the text and which the label."""

KNOWN_NAMES = TEXT_NAMES | LABEL_NAMES | frozenset(_OTHERS.split())
"""Words that make a short cell of the first row a column's name."""

_LONGEST_NAME = 30

Row = tuple[int, tuple[Any, ...]]
"""Line number from 1, and the cells in the order asked for: text, label and the pair's second text."""


@dataclass(frozen=True)
class Columns:
    """Which columns hold what, by name or by number from 0; None where that is left to the table."""

    text: str | None = None
    label: str | None = None
    pair: str | None = None

    def __post_init__(self) -> None:
        given = [column for column in (self.text, self.label, self.pair) if column is not None]
        for column in given:
            if given.count(column) > 1:
                raise ValueError(f'column "{column}" is asked for twice: text, label and pair must differ')

    @property
    def numbered(self) -> bool:
        """Whether every column that is given is a number: then the table is taken to have no header."""
        return all(column is None or column.isdecimal() for column in (self.text, self.label, self.pair))


def labelled_rows(file: TextFile, columns: Columns, tally: Tally) -> Iterator[Row]:
    """The chosen columns, row by row.

    A **name** means that there is a header which holds it.  **Numbers** mean that there is none, except
    that a first row whose chosen cells all look like column names (``sentence_A``, ``label`` …) is left
    out; a note says what became of row 1.  If text or label is not given, the header's names tell
    (``text``, ``label`` and their like, exactly one of each), or else a table of two columns is read as
    text, then label; a note says that too.  .jsonl and .parquet have names (the arrays of .jsonl numbers),
    and their cells may be lists.

    Raises:
        ValueError: a column is not there (the nearest is named) or cannot be told, malformed rows, or the
            extra ``data`` is not installed for .parquet.
    """
    if file.suffix == ".jsonl":
        return _named(_json_rows(Lines(file, tally)), columns, file.name, tally)
    if file.suffix == ".parquet":
        return _parquet_rows(file, columns, tally)
    if file.suffix == ".txt" and is_story(file):
        return _named(story_rows(Lines(file, tally)), columns, file.name, tally)
    return _delimited_rows(Lines(file, tally), columns)


def _delimited_rows(lines: Lines, columns: Columns) -> Iterator[Row]:
    name, tally = lines.file.name, lines.tally
    rows = records(lines)
    first = next(rows, None)
    if first is None:
        raise ValueError(f"{name} holds no row: it must hold one labelled text per row")
    number, cells = first
    chosen = _chosen(cells, columns, name, tally)
    places = [column_number(column, cells, name) for column in chosen]
    header = not all(column.isdecimal() for column in chosen)
    if not header:
        header = all(_is_name(cells[place]) for place in places)
        verb = "left out as a header" if header else "read as a row: name the columns if it is a header"
        shown = " | ".join(shortened(cells[place]) for place in places)
        tally.add("first row", f"first row was {verb}", f"{name}: {shown}")
    if not header:
        rows = itertools.chain([(number, cells)], rows)
    width = len(cells)
    for number, cells in rows:
        if len(cells) != width:
            what = f"rows with another number of cells than the first ({width}) were dropped"
            tally.add("ragged row", what, f"{name}:{number}: {len(cells)}")
            continue
        yield number, tuple(cells[place] for place in places)


def _is_name(cell: str) -> bool:
    """Whether a cell is a column's name: short, and with a well-known word in it."""
    words = set(re.split(r"[\W\d_]+", cell.strip().casefold()))
    return len(cell) <= _LONGEST_NAME and not words.isdisjoint(KNOWN_NAMES)


def _chosen(names: Sequence[str], columns: Columns, table: str, tally: Tally) -> list[str]:
    """Text, label and perhaps pair: as asked for, or as the names or the number of columns tell."""
    wanted = [columns.text, columns.label]
    if None in wanted:
        lowered = [name.strip().casefold() for name in names]
        guesses = (TEXT_NAMES, LABEL_NAMES)
        for place, known in enumerate(guesses):
            found = [
                name.strip()
                for name, low in zip(names, lowered, strict=True)
                if low in known and name not in wanted
            ]
            if wanted[place] is None and len(found) == 1:
                wanted[place] = found[0]
        if None in wanted and len(names) == 2 and columns.pair is None:
            wanted = _the_other(wanted, list(names), columns.numbered)
        if None in wanted:
            missing = "text" if wanted[0] is None else "label"
            shown = ", ".join(f"{at}: {shortened(name)}" for at, name in enumerate(names))
            raise ValueError(f"{table}: say which column is the {missing} ({shown})")
        tally.add("columns", "table was read by its columns", f"{table}: text {wanted[0]}, label {wanted[1]}")
    both = [column for column in wanted if column is not None]
    return both if columns.pair is None else [*both, columns.pair]


def _the_other(wanted: list[str | None], names: list[str], numbered: bool) -> list[str | None]:
    """Of two columns, the one that is not given; text, then label, if neither is."""
    keys = ["0", "1"] if numbered else [name.strip() for name in names]
    if wanted[0] is None and wanted[1] is None:
        return [*keys]
    given = wanted[0] if wanted[0] is not None else wanted[1]
    other = next((key for key in keys if key != given), None)
    return [other if column is None else column for column in wanted]


def _json_rows(lines: Lines) -> Iterator[tuple[int, dict[str, Any]]]:
    name = lines.file.name
    for number, line in enumerate(lines, 1):
        if line is None:
            continue
        if line.strip():
            yield number, json_cells(line, f"{name}: line {number}")
        else:
            lines.tally.add("blank row", "blank rows were dropped", f"{name}:{number}")


def _named(
    rows: Iterator[tuple[int, dict[str, Any]]], columns: Columns, name: str, tally: Tally
) -> Iterator[Row]:
    """Rows whose cells have names; the first one decides which are read."""
    chosen: list[str] = []
    for number, cells in rows:
        if not chosen:
            chosen = _chosen(list(cells), columns, name, tally)
            for column in chosen:
                if column not in cells:
                    raise missing_column(name, column, list(cells))
        yield number, tuple(cells.get(column) for column in chosen)


def _parquet_rows(file: TextFile, columns: Columns, tally: Tally) -> Iterator[Row]:
    with opened_parquet(file) as table:
        names = [str(name) for name in table.schema_arrow.names]
        chosen = _chosen(names, columns, file.name, tally)
        places = [column_number(column, names, file.name) for column in chosen]
        kept = [names[place] for place in places]
        number = 0
        for part in table.iter_batches(columns=kept):
            for cells in zip(*(part.column(name).to_pylist() for name in kept), strict=True):
                number += 1
                yield number, cells
