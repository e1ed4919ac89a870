"""Pictures as they lie in folders, archives, tables and Parquet: bytes, labels and names, one by one."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple, cast

from qkvae.data.archives import is_archive, members
from qkvae.data.files import Lines, TextFile
from qkvae.data.pairs import Tally
from qkvae.data.parquet import opened_parquet
from qkvae.data.picture_decoding import SUFFIXES
from qkvae.data.tables import column_number, json_cells, records, shortened

MOST_BYTES = 64 * 2**20
"""A larger file is no picture that anybody trains on: it is refused."""

TABLES = (".tsv", ".csv", ".jsonl", ".parquet")

PICTURE_NAMES = ("image", "picture", "img", "path", "file", "filename", "file_name", "filepath", "image_path")
LABEL_NAMES = ("label", "labels", "class", "category", "target", "fine_label")
"""Column names that say by themselves what a column holds, the likeliest first."""


def is_picture_name(path: str) -> bool:
    """Whether a path is called as a single picture is.

    >>> is_picture_name("cat.PNG"), is_picture_name("photos"), is_picture_name("digits.npz")
    (True, False, False)
    """
    return PurePosixPath(path).suffix.lower() in SUFFIXES


class Encoded(NamedTuple):
    """A picture as it is kept: not decoded yet."""

    name: str
    label: Any
    """As written; None where it is not asked for."""

    raw: bytes


class Wanted(NamedTuple):
    """What is to be read of a path."""

    picture: str | None = None
    """Column of the pictures."""

    label: str | None = None
    """Column of the labels."""

    folder: str | None = None
    """Where the paths in a table start."""

    labelled: bool = True


def encoded_pictures(path: Path, wanted: Wanted, tally: Tally) -> Iterator[Encoded]:
    """The pictures of a folder, an archive or a table, in the order of their names (in a tar: as packed; in a
    table: of its rows).

    In folders and archives the label is the name of the folder that directly holds the file.  Left out and
    counted: hidden files, read-me and licence files, files that are not called as pictures are, links that
    lead out of the folder, and, where labels are wanted, files that stand in no folder of a class.  Paths in
    a table start from its own folder, or from ``wanted.folder``, and may not lead out of it.

    Raises:
        ValueError: a damaged archive, a column that is not there, a path that leaves its folder, a file of
            more than 64 MiB; each with its cure.
        FileNotFoundError: a table names a picture that does not exist.
    """
    if path.is_dir() or is_archive(path):
        yield from _filed(path, wanted.labelled, tally)
    elif TextFile(path).suffix in TABLES:
        yield from _tabled(TextFile(path), wanted, tally)
    else:
        yield Encoded(path.name, None, _bounded(path))


def _filed(path: Path, labelled: bool, tally: Tally) -> Iterator[Encoded]:
    homes: dict[str, PurePosixPath] = {}
    for name, raw in _files(path, tally):
        parts = PurePosixPath(name)
        if labelled and len(parts.parts) < 2:
            tally.add("no class", "pictures outside any folder of a class were left out", name)
            continue
        if labelled and homes.setdefault(parts.parent.name, parts.parent) != parts.parent:
            what = "pictures were joined into one class from folders of the same name"
            tally.add("joined", what, str(parts.parent))
        yield Encoded(name, parts.parent.name if labelled else None, raw)


def _files(path: Path, tally: Tally) -> Iterator[tuple[str, bytes]]:
    """The files that are called as pictures are, or have no kind in their name."""
    for name, size, read in members(path, tally):
        if _called(name, tally):
            _refuse_large(b"", size, f"{path.name}/{name}")
            yield name, _refuse_large(raw := read(), len(raw), f"{path.name}/{name}")


def _bounded(path: Path) -> bytes:
    _refuse_large(b"", path.stat().st_size, path.name)
    return path.read_bytes()


def _refuse_large(raw: bytes, size: int, name: str) -> bytes:
    if size > MOST_BYTES:
        raise ValueError(
            f"{name} has {max(size, MOST_BYTES + 1) / 2**20:,.0f} MiB or more, but a picture may have "
            f"{MOST_BYTES // 2**20}: make it smaller, or take it out"
        )
    return raw


def _called(name: str, tally: Tally) -> bool:
    suffix = PurePosixPath(name).suffix.lower()
    if suffix and suffix not in SUFFIXES:
        tally.add("other file", "files of other kinds were left out", name)
        return False
    return True


def _tabled(file: TextFile, wanted: Wanted, tally: Tally) -> Iterator[Encoded]:
    root = Path(wanted.folder) if wanted.folder is not None else file.path.parent
    if not root.is_dir():
        raise FileNotFoundError(f"the folder {root} does not exist: the paths of {file.name} start from it")
    for number, cell, label in _rows(file, wanted, tally):
        where = f"{file.name}: row {number}"
        if isinstance(cell, dict):  # as Hugging Face writes pictures: {"bytes": …, "path": …}
            held = cast("dict[str, Any]", cell)
            raw, cell = held.get("bytes"), held.get("path")
            if isinstance(raw, bytes):
                yield Encoded(
                    f"{where} ({cell})" if cell else where, label, _refuse_large(raw, len(raw), where)
                )
                continue
        if isinstance(cell, bytes):
            yield Encoded(where, label, _refuse_large(cell, len(cell), where))
        elif isinstance(cell, str) and cell.strip():
            yield Encoded(
                f"{cell.strip()} (row {number})", label, _bounded(_inside(root, cell.strip(), where))
            )
        else:
            raise ValueError(f"{where} names no picture, but {shortened(str(cell))}: is it the right column?")


def _inside(root: Path, name: str, where: str) -> Path:
    """The file that a table names."""
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        raise ValueError(
            f'{where} names "{shortened(name)}", which lies outside {root}: give the folder that holds table '
            "and pictures as folder"
        )
    if not path.is_file():
        raise FileNotFoundError(f"{where} names {name}, which is not in {root}: say by folder where it is")
    return path


def _rows(file: TextFile, wanted: Wanted, tally: Tally) -> Iterator[tuple[int, Any, Any]]:
    """Number, picture and label of each row."""
    if file.suffix == ".parquet":
        yield from _parquet_rows(file, wanted, tally)
    elif file.suffix == ".jsonl":
        chosen: tuple[str, ...] = ()
        for number, line in enumerate(Lines(file, tally), 1):
            if line and line.strip():
                cells = json_cells(line, f"{file.name}: line {number}")
                chosen = chosen or _columns(list(cells), wanted, file.name, tally)
                yield number, cells.get(chosen[0]), cells.get(chosen[1]) if wanted.labelled else None
    else:
        yield from _delimited_rows(Lines(file, tally), wanted)


def _delimited_rows(lines: Lines, wanted: Wanted) -> Iterator[tuple[int, Any, Any]]:
    rows = records(lines)
    name, tally = lines.file.name, lines.tally
    begins, first = next(rows, (0, list[str]()))
    if not first:
        raise ValueError(f"{name} holds no row: it must hold one picture per row")
    given = [each for each in (wanted.picture, wanted.label) if each is not None]
    lowered = [cell.strip().casefold() for cell in first]
    header = any(not each.isdecimal() for each in given)
    header = header or any(cell in PICTURE_NAMES + LABEL_NAMES for cell in lowered)
    chosen = _columns([cell.strip() for cell in first], wanted, name, tally, header)
    places = [column_number(each, first, name) for each in chosen]
    if not header:
        tally.add("first row", "first row was read as a row: name the columns if it is a header", name)
    for number, cells in rows if header else itertools.chain([(begins, first)], rows):
        if len(cells) != len(first):
            what = f"rows with another number of cells than the first ({len(first)}) were dropped"
            tally.add("ragged row", what, f"{name}:{number}: {len(cells)}")
            continue
        yield number, cells[places[0]], cells[places[1]] if wanted.labelled else None


def _columns(
    names: list[str], wanted: Wanted, table: str, tally: Tally, header: bool = True
) -> tuple[str, ...]:
    """Which columns hold picture and label: as asked for, by their names, or the first and the second."""
    asked: list[tuple[str, str | None, tuple[str, ...]]] = [("picture", wanted.picture, PICTURE_NAMES)]
    if wanted.labelled:
        asked.append(("label", wanted.label, LABEL_NAMES))
    lowered = {name.casefold(): name for name in names}
    chosen: list[str] = []
    for place, (what, given, known) in enumerate(asked):
        guess = next((lowered[each] for each in known if each in lowered), None) if header else None
        if given is None and guess is None and (len(names) == len(asked) or not header):
            guess = names[place] if header else str(place)
        if given is None and guess is None:
            shown = ", ".join(f"{at}: {shortened(name)}" for at, name in enumerate(names))
            raise ValueError(f"{table}: say which column is the {what} ({shown})")
        chosen.append(cast(str, given if given is not None else guess))
    if len(set(chosen)) < len(chosen):
        raise ValueError(f'{table}: picture and label are both the column "{chosen[0]}": they must differ')
    if header:
        for each in chosen:
            column_number(each, names, table)
    if wanted.picture is None or (wanted.labelled and wanted.label is None):
        tally.add("columns", "table was read by its columns", f"{table}: {', '.join(chosen)}")
    return tuple(chosen)


def _parquet_rows(file: TextFile, wanted: Wanted, tally: Tally) -> Iterator[tuple[int, Any, Any]]:
    with opened_parquet(file) as table:
        names = [str(name) for name in table.schema_arrow.names]
        chosen = _columns(names, wanted, file.name, tally)
        kept = [names[column_number(each, names, file.name)] for each in chosen]
        parts = (part for part in table.iter_batches(batch_size=256, columns=kept))
        rows = (
            row for part in parts for row in zip(*(part.column(n).to_pylist() for n in kept), strict=True)
        )
        called = _class_names(table.schema_arrow.metadata, kept[-1])
        for number, row in enumerate(rows, 1):
            label: Any = row[1] if wanted.labelled else None
            if isinstance(label, int) and 0 <= label < len(called):
                label = called[label]
            yield number, row[0], label


def _class_names(metadata: dict[bytes, bytes] | None, column: str) -> list[str]:
    """What Hugging Face's numbers of classes stand for, if the file says it."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return [str(name) for name in features[column]["names"]]
    except (KeyError, TypeError, ValueError):
        return []
