"""A folder per class, one text file per example: on disk, or packed as .zip, .tar, .tar.gz, .tar.xz."""

from __future__ import annotations

import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from qkvae.data.files import FREE_EXPANSION, LARGEST_EXPANSION, TextFile, decoded, read_whole, zip_members
from qkvae.data.pairs import Tally

PACKED = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz")
LARGEST_TEXT = 4 * 2**20
"""Bytes; a larger file is no example of text: it is dropped and counted."""

_SKIPPED = ("readme", "license", "licence", "copying")


class Filed(NamedTuple):
    """One example: its class is the name of the folder that holds it."""

    label: str
    name: str
    text: str


def is_packed(path: Path) -> bool:
    """Whether the name is that of a tar archive."""
    return path.name.lower().endswith(PACKED)


def split_member(name: str) -> tuple[Path, str] | None:
    """``data/archive.zip/inside/train.tsv`` as the archive and its member; None if no archive is named.

    >>> split_member("sets/cola.zip/raw/train.tsv")[1], split_member("sets/train.tsv")
    ('raw/train.tsv', None)
    """
    parts = Path(name).parts
    for place, part in enumerate(parts[:-1]):
        if part.lower().endswith(".zip"):
            return Path(*parts[: place + 1]), PurePosixPath(*parts[place + 1 :]).as_posix()
    return None


def filed_texts(path: Path, tally: Tally) -> Iterator[Filed]:
    """The examples of a folder of classes, in the order of their names (in a tar: as packed).

    The class is the folder that directly holds the file.  Hidden files, read-me and licence files, and files
    directly at the top are left out and counted; so are files of more than 4 MiB and empty ones.

    Raises:
        ValueError: no file stands in a folder of its own, a text is not UTF-8, or the archive is damaged or
            unfolds to suspiciously much.
    """
    count = 0
    for name, raw in _files(path, tally):
        parts = PurePosixPath(name)
        if len(parts.parts) < 2:
            tally.add("no class", "files that stand in no folder of a class were left out", name)
            continue
        if len(raw) > LARGEST_TEXT:
            tally.add("too long", f"files of more than {LARGEST_TEXT:,} bytes were dropped", name)
            continue
        if b"\x00" in raw:
            raise ValueError(f"{path.name}/{name} is a binary file, not text: give one text file per example")
        count += 1
        yield Filed(parts.parent.name, name, decoded(raw, f"{path.name}/{name}", tally).strip("\n"))
    if not count:
        raise ValueError(
            f"{path.name} holds no text file in a folder of its own: make one folder per class, with one "
            "text file per example"
        )


def _files(path: Path, tally: Tally) -> Iterator[tuple[str, bytes]]:
    if path.is_dir():
        for file in sorted(path.rglob("*")):
            name = file.relative_to(path).as_posix()
            if file.is_file() and _kept(name, tally):
                yield name, read_whole(TextFile(file))
    elif is_packed(path):
        yield from _untarred(path, tally)
    else:
        for member in sorted(zip_members(path)):
            yield member, read_whole(TextFile(path, member))


def _untarred(path: Path, tally: Tally) -> Iterator[tuple[str, bytes]]:
    """One pass from front to end: a compressed tar has no table of contents.  Nothing is written to disk."""
    limit = max(FREE_EXPANSION, LARGEST_EXPANSION * path.stat().st_size)
    total = 0
    try:
        with tarfile.open(path, "r|*") as archive:
            for member in archive:
                total += member.size
                if total > limit:
                    raise ValueError(
                        f"{path.name} unfolds to more than {limit // 2**20:,} MiB, as a decompression bomb "
                        "does: unpack it yourself if you trust it"
                    )
                if not member.isfile() or not _kept(member.name, tally):
                    continue
                stream = archive.extractfile(member)
                assert stream is not None
                yield member.name, stream.read()
    except (tarfile.TarError, EOFError, OSError, zipfile.BadZipFile) as error:
        raise ValueError(
            f"{path.name} is damaged or cut short ({error}): copy or download it again"
        ) from error


def _kept(name: str, tally: Tally) -> bool:
    parts = PurePosixPath(name).parts
    if any(part.startswith((".", "__")) for part in parts) or parts[-1].lower().startswith(_SKIPPED):
        tally.add("no example", "hidden, read-me and licence files were left out", name)
        return False
    return True
