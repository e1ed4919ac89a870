"""Tables of numbers and categories, as they were written; values that are missing are counted."""

from __future__ import annotations

import itertools
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from qkvae.config.names import nearest
from qkvae.data.files import Lines, TextFile, locate
from qkvae.data.pairs import EXAMPLES, Note, Tally
from qkvae.data.parquet import opened_parquet
from qkvae.data.tables import json_cells, records, shortened

MINIMUM_ROWS = 10
"""Fewer rows than this are refused: nothing can be learned from them."""

MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "?", "-"))
"""What a cell without a value says, whatever its case."""

Cell = str | None
Name = str | os.PathLike[str]


@dataclass(frozen=True)
class MixedTable:
    """Cells as they were written, column by column; None where there is no value.

    Raises:
        ValueError: the columns differ in length.

    >>> table = MixedTable({"age": ["31", None], "town": ["Turin", "Pisa"]})
    >>> len(table), table.select([1]).columns
    (2, {'age': [None], 'town': ['Pisa']})
    """

    columns: dict[str, list[Cell]]
    lines: Sequence[int] = field(default=(), repr=False)
    """The line of its file, from 1, that each row was read in."""

    places: Sequence[int] = field(default=(), repr=False)
    """Which row of its files each is, from 1: those that were dropped are counted."""

    notes: tuple[Note, ...] = ()
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.lines:
            object.__setattr__(self, "lines", range(1, len(self) + 1))
        if not self.places:
            object.__setattr__(self, "places", range(1, len(self) + 1))
        counts = {len(self.lines), len(self.places)}
        if {len(cells) for cells in self.columns.values()} | counts != {len(self)}:
            lengths = ", ".join(f"{name} {len(cells)}" for name, cells in self.columns.items())
            raise ValueError(f"there are {len(self.lines)} lines, but columns of other lengths: {lengths}")

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()))) if self.columns else 0

    @property
    def fingerprint(self) -> str:
        """Changes with any cell, name or order."""
        return sha256(repr(list(self.columns.items())).encode("utf-8", "surrogatepass")).hexdigest()

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of this table."""
        return {"files": list(self.paths), "rows": len(self), "columns": list(self.columns)}

    def where(self, index: int) -> str:
        """Where a row was read, for a message."""
        name = os.path.basename(self.paths[0]) + ": " if len(self.paths) == 1 else ""
        return f"{name}line {self.lines[index]}"

    def select(self, indices: Iterable[int]) -> MixedTable:
        """The rows at these places, in this order; the notes stay with the whole."""
        chosen = list(indices)
        columns = {name: [cells[i] for i in chosen] for name, cells in self.columns.items()}
        lines, places = ([each[i] for i in chosen] for each in (self.lines, self.places))
        return replace(self, columns=columns, lines=lines, places=places, notes=())

    def hashes(self) -> NDArray[np.uint64]:
        """64 bits of each row's cells: equal rows never stand on both sides of a split by them."""
        rows = zip(*self.columns.values(), strict=True)
        digests = b"".join(sha256(repr(row).encode("utf-8", "surrogatepass")).digest()[:8] for row in rows)
        return np.frombuffer(digests, "<u8").astype(np.uint64)


def read_mixed_table(
    paths: Name | Sequence[Name], ignore: Sequence[str] = (), minimum: int = MINIMUM_ROWS
) -> MixedTable:
    """Read a table: .csv, .tsv, .jsonl or .parquet; several of the same columns follow each other.

    The first row is a header unless one of its cells is a number; then columns are called 0, 1, 2 …  Quotes
    around a cell are taken off.  Cells without a value (empty, NA, N/A, NaN, null, none, ?, -) are missing
    and counted.

    Args:
        paths: what to read.
        ignore: columns that are left out, by name or by number from 0.
        minimum: fewer rows are refused.

    Raises:
        FileNotFoundError: a path does not exist.
        ValueError: no table, too few rows, other columns than the first file's, or one to be ignored that is
            not there.
    """
    given = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not given:
        raise ValueError("no path is given: give a table, .csv, .tsv, .jsonl or .parquet")
    tally = Tally()
    columns: dict[str, list[Cell]] = {}
    lines: list[int] = []
    places: list[int] = []
    seen = itertools.count(1)
    for path in given:
        file = TextFile(locate(path))
        names, rows = _rows(file, tally)
        left = {_ignored(each, names, file.name) for each in ignore}
        kept = [each for each, name in enumerate(names) if name not in left]
        theirs = [names[each] for each in kept]
        if not columns:
            columns = {name: [] for name in theirs}
        if theirs != list(columns):
            raise ValueError(
                f"{file.name} has the columns {', '.join(theirs)}, but the first has {', '.join(columns)}"
            )
        for (number, cells), place in zip(rows, seen, strict=False):
            if cells is None:
                continue
            lines.append(number)
            places.append(place)
            for name, each in zip(columns, kept, strict=True):
                columns[name].append(_cell(cells[each], name, f"{file.name}:{number}", tally))
    if not columns:
        raise ValueError(f"{', '.join(given)} has no column left: ignore fewer")
    found = MixedTable(columns, lines, places, tally.notes(), tuple(given))
    if len(found) < minimum:
        raise ValueError(f"{', '.join(given)}: {len(found):,} rows, but at least {minimum:,} are needed")
    return found


def _rows(file: TextFile, tally: Tally) -> tuple[list[str], Iterator[tuple[int, Sequence[Any] | None]]]:
    """The columns, and each row with the line it begins at; None for one that is dropped."""
    if file.suffix == ".parquet":
        return _parquet(file)
    lines = Lines(file, tally)
    if file.suffix == ".jsonl":
        every = [(n, json_cells(line, f"{file.name}: line {n}")) for n, line in enumerate(lines, 1) if line]
        names = list(dict.fromkeys(name for _, cells in every for name in cells))
        return names, ((number, [cells.get(name) for name in names]) for number, cells in every)
    if file.suffix not in (".csv", ".tsv", ".txt"):
        raise ValueError(f"{file.name} is no table: give .csv, .tsv, .jsonl or .parquet")
    rows = records(lines)
    number, cells = next(rows, (0, list[str]()))
    if not cells:
        raise ValueError(f"{file.name} holds no row")
    second = next(rows, None)
    rows = rows if second is None else itertools.chain([second], rows)
    if len(cells) == 1 and second is not None:
        _refuse_apart(file, cells[0], second[1][0])
    headless = any(_number(_unquoted(cell)) is not None for cell in cells)
    if headless:
        tally.add("first row", "first row holds numbers and was read as a row, not as a header", file.name)
        rows = itertools.chain([(number, cells)], rows)
    names = [str(n) if headless else _unquoted(cell) for n, cell in enumerate(cells)]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f'{file.name} has two columns "{twice}": give each its own name')
    return names, _even(rows, len(names), file.name, tally)


def _refuse_apart(file: TextFile, first: str, second: str) -> None:
    """Refuse a table of one column both of whose first rows hold what stands between cells elsewhere.

    Raises:
        ValueError: they do.
    """
    for apart in ";|\t":
        if 0 < first.count(apart) == second.count(apart):
            between = "commas" if file.suffix == ".csv" else "tabs"
            raise ValueError(
                f"{file.name} has one column, {shortened(first)}: put {between} between its cells, "
                f"not {apart!r}"
            )


def _even(
    rows: Iterator[tuple[int, list[str]]], width: int, name: str, tally: Tally
) -> Iterator[tuple[int, Sequence[Any] | None]]:
    for number, cells in rows:
        yield number, cells if len(cells) == width else None
        if len(cells) != width:
            what = f"rows with another number of cells than the first ({width}) were dropped"
            tally.add("ragged row", what, f"{name}:{number}: {len(cells)}")


def _parquet(file: TextFile) -> tuple[list[str], Iterator[tuple[int, Sequence[Any]]]]:
    with opened_parquet(file) as opened:
        table = opened.read()
    names = [str(name) for name in table.column_names]
    cells = zip(*(table.column(name).to_pylist() for name in names), strict=True)
    return names, enumerate(cells, 1)


def _ignored(column: str, names: list[str], table: str) -> str:
    if column in names:
        return column
    if column.isdecimal() and int(column) < len(names):
        return names[int(column)]
    raise ValueError(f'{table} has no column "{column}" to ignore: {nearest(column, names)}')


def _cell(value: Any, column: str, where: str, tally: Tally) -> Cell:
    if isinstance(value, dict | list | bytes):
        said = shortened(repr(cast(object, value)))
        raise ValueError(f'{where}: column "{column}" holds {said}, but must hold one value')
    text = "" if value is None else _unquoted(str(value))
    if text.casefold() in MISSING:
        said = f'{where}: "{text}"' if text else where
        tally.add(f"missing {column}", f'cells of "{column}" were without a value', said)
        return None
    return text


def _unquoted(cell: str) -> str:
    cell = cell.strip()
    return cell[1:-1].strip() if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in "'\"" else cell


def _number(cell: str) -> float | None:
    """The number that a cell spells, infinite ones too."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return None if "_" in cell or math.isnan(value) else value


def counted(cells: Iterable[Cell]) -> Counter[str]:
    """How often each value is met; missing ones are not."""
    return Counter(cell for cell in cells if cell is not None)


def numbers(table: MixedTable, name: str) -> NDArray[np.float64]:
    """A column as numbers; NaN where there is none.

    Raises:
        ValueError: a cell is no number, or an infinite one; the line is named.

    >>> numbers(MixedTable({"age": ["31", None]}), "age").tolist()
    [31.0, nan]
    """
    found = np.full(len(table), np.nan)
    for place, cell in enumerate(table.columns[name]):
        if cell is None:
            continue
        value = _number(cell)
        if value is None:
            raise ValueError(
                f'{table.where(place)}: "{shortened(cell)}" in column "{name}" is no number, as the others '
                "were: mend it, empty it, or ignore the column"
            )
        if math.isinf(value):
            raise ValueError(
                f'{table.where(place)}: column "{name}" holds {cell}, which is infinite: mend it or empty it'
            )
        found[place] = value
    return found


def is_numeric(cells: Iterable[Cell]) -> bool:
    """Whether every value of a column is a number."""
    return all(cell is None or _number(cell) is not None for cell in cells)


def shown(table: MixedTable, places: Iterable[int]) -> tuple[str, ...]:
    """Where some rows were read, for a note."""
    return tuple(table.where(place) for place in itertools.islice(places, EXAMPLES))
