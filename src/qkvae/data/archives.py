"""Bytes of files, read safely: compressed or not, alone, in a folder, a zip or a tar; nothing is unpacked to
disk."""

from __future__ import annotations

import gzip
import io
import lzma
import re
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple, cast

from qkvae.config.names import nearest
from qkvae.data.pairs import Tally

COMPRESSIONS = (".gz", ".xz")
TARS = (".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz")

FREE_EXPANSION = 64 * 2**20
"""Bytes that any compressed file may unfold to, however small it is."""

LARGEST_EXPANSION = 200
"""Beyond that, a compressed file may unfold to at most this many times its size (text reaches about 10)."""

DAMAGE = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile, tarfile.TarError)
"""What reading a file that is damaged or cut short raises."""

_SKIPPED = ("readme", "license", "licence", "copying")


class Member(NamedTuple):
    """A file of a folder or of an archive."""

    name: str
    """Its path in there, with slashes."""

    size: int
    """Bytes, as they are told before it is read."""

    read: Callable[[], bytes]
    """Its bytes, decompressed; of a tar's member, only before the next one is asked for."""


def is_packed(path: Path) -> bool:
    """Whether the name is that of a tar, compressed or not."""
    return path.name.lower().endswith(TARS)


def is_archive(path: Path) -> bool:
    """Whether the name is that of a zip or a tar."""
    return is_packed(path) or path.suffix.lower() == ".zip"


def split_member(name: str) -> tuple[Path, str] | None:
    """``data/archive.zip/inside/train.tsv`` as the archive and its member; None if no archive is named.

    >>> split_member("sets/cola.zip/raw/train.tsv")[1], split_member("sets/train.tsv")
    ('raw/train.tsv', None)
    """
    parts = Path(name).parts
    for place, part in enumerate(parts[:-1]):
        if is_archive(Path(part)):
            return Path(*parts[: place + 1]), PurePosixPath(*parts[place + 1 :]).as_posix()
    return None


def members(path: Path, tally: Tally) -> Iterator[Member]:
    """The data files of a folder, a zip or a tar, in the order of their names (in a tar: as packed).

    Folders and files whose names are not of data (see `is_data`) are left out; so are links out of a folder,
    and in an archive links of any kind.  What is left out is counted.

    Raises:
        ValueError: it is damaged or cut short, unfolds to suspiciously much, or holds a name that would leave
            the folder it is unpacked to.
    """
    found = _of_folder(path, tally) if path.is_dir() else _of_archive(path, tally)
    for member in found:
        if is_data(member.name):
            yield member
        else:
            tally.add("no example", "hidden, read-me and licence files were left out", member.name)


def member_names(path: Path) -> list[str]:
    """The names of the data files in an archive, in the order in which they are packed.

    Raises:
        ValueError: what `members` raises, or a member is encrypted.
    """
    return [member.name for member in _of_archive(path, Tally()) if is_data(member.name)]


def members_called(path: Path, wanted: str) -> list[str]:
    """The members of an archive that are meant by a name, the end of one, or a pattern as ``*_train.txt``.

    Raises:
        ValueError: none is called so, several are and ``wanted`` is no pattern, or what `members` raises.
    """
    known = member_names(path)
    if any(letter in wanted for letter in "*?["):
        found = [each for each in known if fnmatchcase(each, wanted) or fnmatchcase(each, f"*/{wanted}")]
    else:
        found = [each for each in known if each == wanted or each.endswith("/" + wanted)]
        if len(found) > 1:
            shown = ", ".join(found[:4])
            raise ValueError(f'{path.name} holds {len(found)} files "{wanted}": name one of {shown}')
    if not found:
        raise ValueError(f'{path.name} holds no file "{wanted}": {nearest(wanted, known[:20])}')
    return sorted(found)


def open_bytes(path: Path, member: str | None, stack: ExitStack) -> io.BufferedReader:
    """The bytes of a file or of a member of an archive, decompressed by what they are and not by what they
    are called.  What was opened is closed with the stack.

    Raises:
        ValueError: it cannot be unpacked, or (on reading) unfolds to suspiciously much.
    """
    name = path.name if member is None else f"{path.name}/{member}"
    try:
        if member is None:
            stream = stack.enter_context(path.open("rb"))
            size = path.stat().st_size
        elif is_packed(path):
            tarred = stack.enter_context(closing(_tarred(path, stack, Tally())))
            archive, held = next(pair for pair in tarred if pair[1].name == member)
            size, inner = held.size, archive.extractfile(held)
            stream = _limited(cast(io.BufferedIOBase, inner), size, name)
        else:
            zipped = stack.enter_context(zipfile.ZipFile(path))
            size = zipped.getinfo(member).compress_size
            inner = stack.enter_context(zipped.open(member))
            stream = _limited(cast(io.BufferedIOBase, inner), size, name)
    except (NotImplementedError, RuntimeError) as error:
        raise ValueError(f"{name} cannot be unpacked ({error}): unpack it first") from error
    head = stream.peek(6)
    if head.startswith(b"\x1f\x8b"):
        unzipped = stack.enter_context(gzip.GzipFile(fileobj=stream))
        return _limited(cast(io.BufferedIOBase, unzipped), size, name)
    if head.startswith(b"\xfd7zXZ\x00"):
        return _limited(cast(io.BufferedIOBase, stack.enter_context(lzma.LZMAFile(stream))), size, name)
    return stream


def damaged(name: str, error: Exception) -> ValueError:
    """What a person is told of a file whose reading failed."""
    kind = "no zip file, or damaged" if isinstance(error, zipfile.BadZipFile) else "damaged or cut short"
    return ValueError(f"{name} is {kind} ({error}): copy or download it again")


def is_data(name: str) -> bool:
    """Whether a file holds data by its name: it is not hidden, no read-me and no licence.

    >>> is_data("set/train.txt"), is_data("set/README.md"), is_data("__MACOSX/._train.txt")
    (True, False, False)
    """
    parts = re.split(r"[/\\]", name)
    return not any(part.startswith((".", "__")) for part in parts) and not parts[-1].lower().startswith(
        _SKIPPED
    )


def _of_folder(path: Path, tally: Tally) -> Iterator[Member]:
    inside = path.resolve()
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_symlink() and not file.resolve().is_relative_to(inside):
            tally.add("links", "links that leave the folder were left out", name)
        elif file.is_file():
            yield Member(name, file.stat().st_size, partial(_read, file, None))
        elif file.is_symlink():
            tally.add("linked folders", "links to folders or to nothing were left out", name)


def _of_archive(path: Path, tally: Tally) -> Iterator[Member]:
    with ExitStack() as stack:
        try:
            if is_packed(path):
                for archive, member in _tarred(path, stack, tally):
                    yield Member(member.name, member.size, partial(_of_tar, path, archive, member))
                return
            zipped = stack.enter_context(zipfile.ZipFile(path))
            unfolded, limit, before = 0, _limit(path.stat().st_size), ""
            for held in sorted(zipped.infolist(), key=lambda each: each.filename):
                _refuse_outside(held.filename, path)
                if held.filename == before and is_data(before):
                    raise ValueError(f'{path.name} holds two files "{before}": rename one, and pack it anew')
                before, unfolded = held.filename, unfolded + held.file_size
                if unfolded > limit:
                    raise _bomb(path.name, limit)
                if held.flag_bits & 1 and is_data(held.filename):
                    raise ValueError(f"{path.name} is encrypted: unpack it first")
                if not held.is_dir():
                    yield Member(held.filename, held.file_size, partial(_read, path, held.filename))
        except DAMAGE as error:
            raise damaged(path.name, error) from error


def _read(path: Path, member: str | None) -> bytes:
    with ExitStack() as stack:
        try:
            return open_bytes(path, member, stack).read()
        except DAMAGE as error:
            raise damaged(path.name, error) from error


def _of_tar(path: Path, archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    assert stream is not None
    try:
        return stream.read()
    except DAMAGE as error:
        raise damaged(path.name, error) from error


def _tarred(path: Path, stack: ExitStack, tally: Tally) -> Generator[tuple[tarfile.TarFile, tarfile.TarInfo]]:
    """The plain files of a tar, in one pass from front to end: a compressed one has no table of contents."""
    stream = open_bytes(path, None, stack)
    with tarfile.open(fileobj=stream, mode="r|") as archive:
        for member in archive:
            _refuse_outside(member.name, path)
            if member.issparse():
                raise ValueError(
                    f'{path.name} holds "{member.name}", whose {member.size:,} bytes are mostly holes, as '
                    "in a decompression bomb: unpack it yourself if you trust it"
                )
            if member.isfile():
                yield archive, member
            elif not member.isdir():
                tally.add("links", "links and devices in an archive were left out", member.name)


def _refuse_outside(name: str, path: Path) -> None:
    parts = re.split(r"[/\\]", name)
    if ".." in parts or parts[0] == "" or ":" in parts[0]:
        raise ValueError(f'{path.name} holds "{name}", a name that leaves its folder: not a data set')


class _Guarded(io.RawIOBase):
    """A decompressed stream that refuses to unfold beyond its limit."""

    def __init__(self, stream: io.BufferedIOBase, limit: int, name: str) -> None:
        self._stream, self._limit, self._name, self._count = stream, limit, name, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        self._count += len(data)
        if self._count > self._limit:
            raise _bomb(self._name, self._limit)
        return len(data)


def _limited(stream: io.BufferedIOBase, size: int, name: str) -> io.BufferedReader:
    return io.BufferedReader(_Guarded(stream, _limit(size), name), 256 * 1024)


def _limit(size: int) -> int:
    """Bytes that a compressed file of this size may unfold to."""
    return max(FREE_EXPANSION, LARGEST_EXPANSION * size)


def _bomb(name: str, limit: int) -> ValueError:
    return ValueError(
        f"{name} unfolds to more than {limit // 2**20:,} MiB, over {LARGEST_EXPANSION} times its size, as a "
        "decompression bomb does: unpack it yourself if you trust it"
    )
