"""What a path holds of labelled texts, row by row: tables, stories with questions, or a folder per class."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from qkvae.data.archives import is_packed, member_names
from qkvae.data.columns import TABLES, Columns, labelled_rows
from qkvae.data.files import TextFile, inside_archive, locate, read_head
from qkvae.data.folders import filed_texts
from qkvae.data.pairs import Tally
from qkvae.data.stories import is_story

Item = tuple[int, Any, Any, Any]
"""Line, text, label, second text."""

STORY = Columns(text="story", pair="question", label="answer")
"""What is read of a story where nothing else is asked: all that was told before each question, and that."""


def labelled_items(name: str, columns: Columns, tally: Tally) -> Iterator[tuple[str, Iterator[Item]]]:
    """The name of each file that a path holds, and its rows.

    Raises:
        FileNotFoundError: the path does not exist; the nearest existing name is suggested.
        ValueError: it holds nothing of the kind, or several tables of which none is named.
    """
    files = inside_archive(name)
    if not files:
        path = locate(name)
        zipped = path.suffix.lower() == ".zip"
        tables = _tables_in([TextFile(path, each) for each in sorted(member_names(path))]) if zipped else []
        if len(tables) > 1:
            shown = ", ".join(table.member or "" for table in tables)
            raise ValueError(
                f"{path.name} holds {len(tables)} tables: add the one to read, as in "
                f"{path.name}/{tables[0].member} ({shown})"
            )
        if path.is_dir() or is_packed(path) or (zipped and not tables):
            yield from _filed(name, columns, tally)
            return
        files = tables or [TextFile(path)]
    for file in files:
        rows = labelled_rows(_readable(file), columns, tally)
        yield (
            file.name,
            ((line, cells[0], cells[1], cells[2] if len(cells) > 2 else None) for line, cells in rows),
        )


def told_columns(names: list[str], columns: Columns) -> Columns:
    """The columns to read: those asked for, or all of a story where nothing is asked of stories."""
    if columns != Columns():
        return columns
    for name in names:
        files = inside_archive(name) or [TextFile(locate(name))]
        if files[0].member is None and (files[0].path.is_dir() or is_packed(files[0].path)):
            return columns
        if not all(file.suffix == ".txt" and is_story(file) for file in files):
            return columns
    return STORY


def _readable(file: TextFile) -> TextFile:
    """The file, if its name and its first line are those of a table.

    Raises:
        ValueError: they are not.
    """
    if file.suffix not in TABLES:
        raise ValueError(
            f"{file.name} is no table: give .tsv, .csv, .jsonl or .parquet, or a folder per class"
        )
    if file.suffix == ".txt" and not is_story(file) and b"\t" not in read_head(file).split(b"\n", 1)[0]:
        raise ValueError(f"{file.name} has no tab in its first line: save the table as .tsv or .csv")
    return file


def _tables_in(files: list[TextFile]) -> list[TextFile]:
    return [file for file in files if file.suffix in TABLES and file.suffix != ".txt"]


def _filed(name: str, columns: Columns, tally: Tally) -> Iterator[tuple[str, Iterator[Item]]]:
    path = locate(name)
    if columns != Columns():
        raise ValueError(
            f"{path.name} is a folder per class, which has no columns: leave text, label and pair out"
        )
    for filed in filed_texts(path, tally):
        yield f"{path.name}/{filed.name}", iter([(1, filed.text, filed.label, None)])
