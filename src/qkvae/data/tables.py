"""Two columns of a table: .tsv, .csv, .jsonl; by name or by number from 0."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator
from typing import Any, cast

from qkvae.data.files import Lines, missing_column
from qkvae.data.pairs import Tally

TABLES = (".tsv", ".csv", ".jsonl")

_HEADER_WORDS = """
source target src tgt trg ref reference text sentence translation original input output id lang
ar bg bn ca cs cy da de el en es et eu fa fi fr ga gl he hi hr hu hy id it ja ka ko lt lv mk mt nl pl
pt ro ru sk sl sq sr sv sw ta th tr uk ur vi zh eng deu ger ita fra fre spa por nld dut rus zho jpn
english german italian french spanish portuguese dutch russian chinese japanese korean arabic polish
deutsch italiano français español português nederlands polski
"""
HEADER_WORDS = frozenset(_HEADER_WORDS.split())
"""First-row cells that are column names and not sentences, for tables whose columns are asked for by
number."""

Row = tuple[int, str, str]
"""Line number from 1, source cell, target cell."""


def table_rows(lines: Lines, source: str | None, target: str | None) -> Iterator[Row]:
    """The two columns of a table, row by row.

    Which columns, and whether the first row is a header:

    - a **name** (anything that is not a number) means that there is a header, which must hold that name;
    - a **number** counts columns from 0 and means that there is none; nothing given means columns 0 and 1;
    - except that, with numbers only, a first row whose two cells are both well-known column names (``en``,
      ``source``, ``italian`` …) is taken for a header and left out.  Either way a note says what became of
      row 1.

    In .jsonl each line is an object, whose columns have names (also inside a ``translation`` object, as
    Hugging Face writes them), or an array, whose columns have numbers.  If nothing is given the objects must
    have exactly two columns, and the order of the first line decides which is the source; a note says so.

    Rows with another number of cells than the first, blank rows and lines too long to be sentences are left
    out and counted.  In .tsv a quotation mark is a quotation mark; .csv is read by RFC 4180.

    Raises:
        ValueError: a column is not there (the nearest is named), unbalanced quotes, malformed JSON, a cell
            that is no text.
    """
    if lines.file.suffix == ".jsonl":
        return _json_rows(lines, source, target)
    return _delimited_rows(lines, source, target)


def _delimited_rows(lines: Lines, source: str | None, target: str | None) -> Iterator[Row]:
    name, tally = lines.file.name, lines.tally
    rows = records(lines)
    first = next(rows, None)
    if first is None:
        raise ValueError(f"{name} holds no row: it must hold one sentence pair per row")
    wanted = (source if source is not None else "0", target if target is not None else "1")
    number, cells = first
    header = not all(column.isdecimal() for column in wanted)
    columns = [column_number(column, cells, name) for column in wanted]
    pair = [cells[column] for column in columns]
    if not header:
        header = all(cell.strip().casefold() in HEADER_WORDS for cell in pair)
        verb = "left out as a header" if header else "read as a pair: name the columns if it is a header"
        tally.add("first row", f"first row was {verb}", f'"{shortened(pair[0])}" → "{shortened(pair[1])}"')
    if not header:
        rows = itertools.chain([(number, cells)], rows)
    return _picked(rows, len(cells), columns, name, tally)


def _picked(
    rows: Iterable[tuple[int, list[str]]], width: int, columns: list[int], name: str, tally: Tally
) -> Iterator[Row]:
    left, right = columns
    for number, cells in rows:
        if len(cells) != width:
            what = f"rows with another number of cells than the first ({width}) were dropped"
            tally.add("ragged row", what, f"{name}:{number}: {len(cells)}")
            continue
        yield number, cells[left], cells[right]


def column_number(wanted: str, cells: list[str], name: str) -> int:
    """The place of a column that is asked for by name or by number, in a first row of these cells.

    Raises:
        ValueError: it is not there, or its name is there twice.
    """
    if wanted.isdecimal():
        if int(wanted) < len(cells):
            return int(wanted)
        cure = ""
        if len(cells) == 1 and (marks := [mark for mark in ";|\t," if mark in cells[0]]):
            shown = "tabs" if marks[0] == "\t" else f'"{marks[0]}"'
            cure = f"; if {shown} separates them, save it as .tsv (tabs) or .csv (commas)"
        held = f"{len(cells)} (0 to {len(cells) - 1})" if len(cells) > 1 else "1"
        raise ValueError(f"{name} has no column {wanted}: its first row has {held}{cure}")
    names = [cell.strip() for cell in cells]
    if names.count(wanted) > 1:
        raise ValueError(f'{name} has {names.count(wanted)} columns "{wanted}": ask for one by its number')
    if wanted not in names:
        raise missing_column(name, wanted, [shortened(cell) for cell in names])
    return names.index(wanted)


def records(lines: Lines, *, quoted: bool | None = None) -> Iterator[tuple[int, list[str]]]:
    """The rows of a delimited table, numbered by their first lines; blank ones are dropped and counted.

    ``quoted`` chooses RFC 4180 (commas, quotes) or tabs; the file's suffix decides if it is not given.

    Raises:
        ValueError: unbalanced quotes.
    """
    csv_rules = lines.file.suffix == ".csv" if quoted is None else quoted
    return _filled(_split_csv(lines) if csv_rules else _split_tsv(lines), lines.file.name, lines.tally)


def _split_tsv(lines: Lines) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, 1):
        if line is not None:
            yield number, line.split("\t")


def _split_csv(lines: Lines) -> Iterator[tuple[int, list[str]]]:
    """Records of RFC 4180, numbered by their first line."""
    number = 0

    def physical() -> Iterator[str]:
        nonlocal number
        for line in lines:
            number += 1
            if line is not None:
                yield line + "\n"

    reader = csv.reader(physical(), strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, cells
            start = number + 1
    except csv.Error as error:
        raise ValueError(
            f"{lines.file.name}: the record that begins in line {start} has unbalanced quotes ({error}): "
            "double every "
            'quotation mark inside a quoted cell (""), or save it as .tsv'
        ) from error


def _filled(
    rows: Iterator[tuple[int, list[str]]], name: str, tally: Tally
) -> Iterator[tuple[int, list[str]]]:
    for number, cells in rows:
        if cells and (len(cells) > 1 or cells[0].strip()):
            yield number, cells
        else:
            tally.add("blank row", "blank rows were dropped", f"{name}:{number}")


def _json_rows(lines: Lines, source: str | None, target: str | None) -> Iterator[Row]:
    name, tally = lines.file.name, lines.tally
    given = (source, target)
    columns: list[str] = []
    for number, line in enumerate(lines, 1):
        if line is None:
            continue
        if not line.strip():
            tally.add("blank row", "blank rows were dropped", f"{name}:{number}")
            continue
        where = f"{name}: line {number}"
        cells = json_cells(line, where)
        if not columns:
            columns = named_columns(cells, given, name, tally)
        yield number, _cell(cells, columns[0], where), _cell(cells, columns[1], where)


def json_cells(line: str, where: str) -> dict[str, Any]:
    """The columns of one JSON line by name; those of an array are called 0, 1, 2 …

    Raises:
        ValueError: the line is not JSON, or neither object nor array.
    """
    try:
        value = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{where} is not JSON ({error}): each line must be one object or array") from error
    if isinstance(value, list):
        return {str(place): cell for place, cell in enumerate(cast(list[Any], value))}
    if not isinstance(value, dict):
        raise ValueError(f"{where} is {shortened(line)}: each line must be one object or array")
    return unfolded(cast(dict[str, Any], value))


def unfolded(cells: dict[str, Any]) -> dict[str, Any]:
    """``{"translation": {"en": …, "it": …}}``, as Hugging Face writes pairs, beside plain columns."""
    inner = cells.get("translation")
    if not isinstance(inner, dict):
        return cells
    return {key: cell for key, cell in cells.items() if key != "translation"} | cast(dict[str, Any], inner)


def named_columns(
    cells: dict[str, Any], given: tuple[str | None, str | None], name: str, tally: Tally
) -> list[str]:
    """The two columns to read: those asked for, or the only two there are.

    Raises:
        ValueError: a column is not there, or one is not given and there are not exactly two.
    """
    if given == (None, None):
        if len(cells) != 2:
            raise ValueError(
                f"{name} has the columns {', '.join(cells) or '(none)'}: name two, source and target"
            )
        first, second = cells
        tally.add("columns", "table was read in the order of its columns", f"{first} → {second}")
        return [first, second]
    source, target = given
    if source is None or target is None:
        side, other = ("source", target) if source is None else ("target", source)
        raise ValueError(f'{name}: give {side} as well as "{other}"; its columns are {", ".join(cells)}')
    for wanted in (source, target):
        if wanted not in cells:
            raise missing_column(name, wanted, list(cells))
    return [source, target]


def _cell(cells: dict[str, Any], column: str, where: str) -> str:
    value = cells.get(column)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ValueError(f'{where}: column "{column}" is {shortened(json.dumps(value))}, not text')
    return value


def shortened(text: str) -> str:
    """At most 40 characters of a text, for a message."""
    return text if len(text) <= 40 else text[:39] + "…"
