"""A folder per class, one text file per example: on disk, or packed as .zip, .tar, .tar.gz, .tar.xz."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from qkvae.data.archives import members
from qkvae.data.files import decoded
from qkvae.data.pairs import Tally
from qkvae.data.stories import STORY

LARGEST_TEXT = 4 * 2**20
"""Bytes; a larger file is no example of text: it is dropped and counted."""


class Filed(NamedTuple):
    """One example: its class is the name of the folder that holds it."""

    label: str
    name: str
    text: str


def filed_texts(path: Path, tally: Tally) -> Iterator[Filed]:
    """The examples of a folder of classes, in the order of their names (in a tar: as packed).

    The class is the folder that directly holds the file.  Hidden files, read-me and licence files, and files
    directly at the top are left out and counted; so are files of more than 4 MiB and empty ones.

    Raises:
        ValueError: no file stands in a folder of its own, a text is not UTF-8, or the archive is damaged or
            unfolds to suspiciously much.
    """
    count = 0
    for name, size, read in members(path, tally):
        parts = PurePosixPath(name)
        if len(parts.parts) < 2:
            tally.add("no class", "files that stand in no folder of a class were left out", name)
            continue
        if size > LARGEST_TEXT or len(raw := read()) > LARGEST_TEXT:
            tally.add("too long", f"files of more than {LARGEST_TEXT:,} bytes were dropped", name)
            continue
        if b"\x00" in raw:
            raise ValueError(f"{path.name}/{name} is a binary file, not text: give one text file per example")
        if STORY.match(raw):
            raise ValueError(
                f"{path.name} holds stories: name those to read, as in {path.name}/{parts.name} or "
                f"'{path.name}/*_train.txt'"
            )
        count += 1
        yield Filed(parts.parent.name, name, decoded(raw, f"{path.name}/{name}", tally).strip("\n"))
    if not count:
        raise ValueError(
            f"{path.name} holds no text file in a folder of its own: make one folder per class, with one "
            "text file per example"
        )
