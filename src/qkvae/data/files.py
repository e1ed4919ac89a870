"""Text files read safely: plain, .gz, .xz or inside an archive; UTF-8 or refused; one line at a time."""

from __future__ import annotations

import codecs
import difflib
import io
import os
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from qkvae.config.names import nearest
from qkvae.data.archives import COMPRESSIONS, DAMAGE, damaged, members_called, open_bytes, split_member
from qkvae.data.pairs import Tally

LONGEST_LINE = 100_000
"""Bytes; a longer line is no sentence: it is dropped and counted."""

SNIFF = 64 * 1024


@dataclass(frozen=True)
class TextFile:
    """A text to read: a file, or the ``member`` of an archive."""

    path: Path
    member: str | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return self.path.name if self.member is None else f"{self.path.name}/{self.member}"

    @property
    def suffix(self) -> str:
        """Its kind, without a compression: ``.tsv`` for ``pairs.tsv.gz``."""
        name = Path((self.member or self.path.name).lower())
        return Path(name.stem).suffix if name.suffix in COMPRESSIONS else name.suffix


def locate(name: str | os.PathLike[str]) -> Path:
    """The file or folder ``name``: as given, or else under the folder that ``QKVAE_DATA`` names.

    Raises:
        FileNotFoundError: it is at neither place; the nearest existing name is suggested.
    """
    path = Path(name)
    shelf = os.environ.get("QKVAE_DATA")
    places = [path, Path(shelf) / path] if shelf and not path.is_absolute() else [path]
    for place in places:
        if place.exists():
            return place
    for place in places:
        folder = place.parent
        if folder.is_dir():
            names = [entry.name for entry in folder.iterdir() if _is_near(entry.name, place.name)]
            if close := difflib.get_close_matches(place.name, names, n=1):
                raise FileNotFoundError(f'{path} does not exist: did you mean "{folder / close[0]}"?')
    looked = f", nor under QKVAE_DATA={shelf}" if len(places) > 1 else ""
    raise FileNotFoundError(f"{path} does not exist{looked}: check the spelling and the folder you are in")


def _is_near(name: str, other: str) -> bool:
    """Whether two names differ by little, or are alike before their first dot: an ending in common is not
    enough to make one a slip for the other.

    >>> _is_near("a.tsv", "b.tsv"), _is_near("train.en", "train.fr"), _is_near("bin.en", "nope.en")
    (True, True, False)
    """

    def alike(one: str, two: str) -> float:
        return difflib.SequenceMatcher(None, one, two).ratio()

    return alike(name, other) >= 0.8 or alike(name.split(".")[0], other.split(".")[0]) >= 0.6


def inside_archive(name: str) -> list[TextFile]:
    """The members of an archive that a path leads to, as ``sets.tar.xz/*_train.txt``; none if it leads into
    no archive.

    Raises:
        FileNotFoundError, ValueError: there is no such archive, or no such member in it.
    """
    inside = split_member(name)
    if inside is None or Path(name).exists():
        return []
    path = locate(inside[0])
    return [TextFile(path, member) for member in members_called(path, inside[1])]


class Lines:
    """The lines of a UTF-8 text, without their ends; None stands for a line too long to be a sentence.

    Only ``\\n`` ends a line (and takes a ``\\r`` before it along): U+2028, form feeds and their like stay
    inside, so that two aligned files cannot drift apart.  What is handled (byte-order mark, ``\\r\\n``, lines
    longer than ``longest`` bytes) goes to the tally.

    Raises (on iteration):
        ValueError: the file is empty, binary, not UTF-8 (line and likely encoding are named), damaged or cut
            short, or unfolds to suspiciously much.
    """

    def __init__(self, file: TextFile, tally: Tally, longest: int = LONGEST_LINE) -> None:
        self.file = file
        self.tally = tally
        self._longest = longest

    def __iter__(self) -> Iterator[str | None]:
        with opened(self.file) as stream:
            refuse_binary(stream.peek(SNIFF)[:SNIFF], self.file.name)
            yield from self._decoded(stream)

    def _decoded(self, stream: io.BufferedReader) -> Iterator[str | None]:
        name, tally, longest = self.file.name, self.tally, self._longest
        number = 0
        while raw := stream.readline(longest + 1):
            number += 1
            unfinished = len(raw) > longest and not raw.endswith(b"\n")
            if number == 1 and raw.startswith(b"\xef\xbb\xbf"):
                raw = raw[3:]
                tally.add("byte-order mark", "byte-order mark at the start of a file was taken off", name)
            if unfinished:
                length = len(raw) + _skip_line(stream)
                what = f"lines of more than {longest:,} bytes were dropped along with the rest of the example"
                tally.add("too long", what, f"{name}:{number}: {length:,} bytes")
                yield None
                continue
            if raw.endswith(b"\r\n"):
                raw = raw[:-2]
                tally.add(
                    "carriage returns", "lines ended in \\r\\n; the \\r was taken off", f"{name}:{number}"
                )
            elif raw.endswith(b"\n"):
                raw = raw[:-1]
            try:
                text = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                message = _not_utf8(name, number, raw, error.start, raw + stream.read(SNIFF))
                raise ValueError(message) from error
            yield text


def read_whole(file: TextFile) -> bytes:
    """All bytes of a file, decompressed, whatever its lines.

    Raises:
        ValueError: it is damaged or cut short, or unfolds to suspiciously much.
    """
    with opened(file) as stream:
        return stream.read()


def decoded_pieces(file: TextFile, tally: Tally, size: int) -> Iterator[str]:
    """A whole text as `decoded` gives it, in pieces of ``size`` bytes or more, which end where a line ends if
    lines are no longer than that.

    Raises:
        ValueError: as iterating over `Lines`.
    """
    with opened(file) as stream:
        refuse_binary(stream.peek(SNIFF)[:SNIFF], file.name)
        lines = 0
        while raw := stream.read(size) + stream.readline(size):
            # Neither a character nor \r\n is cut in two.
            while (after := stream.peek(1)[:1]) and (0x80 <= after[0] < 0xC0 or raw[-1:] + after == b"\r\n"):
                raw += stream.read(1)
            text = decoded(raw, file.name, tally, lines)
            lines += text.count("\n")
            yield text


def read_head(file: TextFile, size: int = SNIFF) -> bytes:
    """The first bytes of a file, decompressed, at most ``size``.

    Raises:
        ValueError: it is damaged or cut short.
    """
    with opened(file) as stream:
        return stream.read(size)


@contextmanager
def opened(file: TextFile) -> Generator[io.BufferedReader]:
    """The bytes of a file, decompressed by what they are and not by what they are called.

    Raises:
        ValueError: (on reading) it is damaged or cut short, or unfolds to suspiciously much.
    """
    with ExitStack() as stack:
        try:
            yield open_bytes(file.path, file.member, stack)
        except DAMAGE as error:
            raise damaged(file.name, error) from error


def decoded(raw: bytes, name: str, tally: Tally, before: int = 0) -> str:
    """A whole text from its bytes, or what follows so many lines of it: a byte-order mark and the ``\\r`` of
    line ends are taken off and counted.

    Raises:
        ValueError: it is not UTF-8; line and likely encoding are named.
    """
    if not before and raw.startswith(b"\xef\xbb\xbf"):
        raw = raw[3:]
        tally.add("byte-order mark", "byte-order mark at the start of a file was taken off", name)
    if returns := raw.count(b"\r\n"):
        raw = raw.replace(b"\r\n", b"\n")
        tally.add("carriage returns", "lines ended in \\r\\n; the \\r was taken off", name, returns)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        number = before + raw.count(b"\n", 0, error.start) + 1
        start = raw.rfind(b"\n", 0, error.start) + 1
        line = raw[start:].split(b"\n", 1)[0]
        message = _not_utf8(name, number, line, error.start - start, raw[start : start + SNIFF])
        raise ValueError(message) from error


def _skip_line(stream: io.BufferedReader) -> int:
    """Read on to the end of the line without keeping it; how many bytes that was."""
    skipped = 0
    while rest := stream.readline(SNIFF):
        skipped += len(rest)
        if rest.endswith(b"\n"):
            break
    return skipped


def refuse_binary(head: bytes, name: str) -> None:
    """Refuse a file that is no text, by its first ``SNIFF`` bytes.

    Raises:
        ValueError: it is empty, UTF-16 or binary.
    """
    if not head:
        raise ValueError(f"{name} is empty: it must hold text")
    if head[:2] in (b"\xff\xfe", b"\xfe\xff") or _alternates(head):
        raise ValueError(f"{name} is UTF-16, not UTF-8, from line 1 on: {_conversion('utf-16')}")
    if b"\x00" in head:
        raise ValueError(
            f"{name} is a binary file (a zero byte at offset {head.index(0):,}), not text: give plain text, "
            ".gz or .xz"
        )


def is_text(path: Path) -> bool:
    """Whether a file is called .txt, or begins as UTF-8 text does (plain, .gz or .xz)."""
    file = TextFile(path)
    if not path.is_file() or file.suffix == ".txt":
        return path.is_file()
    head = read_head(file)
    try:
        refuse_binary(head, file.name)
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except ValueError:
        return False
    return True


def _alternates(head: bytes) -> bool:
    """UTF-16 of Western text without a byte-order mark: nearly every second byte is zero."""
    zeros = max(head[0::2].count(0), head[1::2].count(0))
    return len(head) >= 8 and zeros > 0.8 * (len(head) // 2)


def _not_utf8(name: str, number: int, line: bytes, start: int, sample: bytes) -> str:
    controls = sum(value < 32 and value not in (9, 10, 13) for value in sample)
    if controls > len(sample) / 20:
        return f"{name} is a binary file (line {number} is no text): give plain text, .gz or .xz"
    what = f"{name}: line {number} is not UTF-8 (byte 0x{line[start]:02x}): "
    high = sum(value >= 0x80 for value in line)
    if high > 0.5 * len(line):
        return (
            what
            + "it looks like an older encoding of another alphabet (cp1251, gb18030, shift_jis, euc_kr …): "
            "find out which and save the file as UTF-8"
        )
    # cp1252 is latin-1 but for 0x80-0x9f, where latin-1 has control characters that no text uses.
    likely = "cp1252" if any(0x80 <= value <= 0x9F for value in line) else "latin-1"
    return f"{what}it looks like {likely}: {_conversion(likely)}"


def _conversion(encoding: str) -> str:
    return f'save it as UTF-8 (iconv -f {encoding} -t utf-8, or your editor\'s "save with encoding")'


def missing_column(name: str, wanted: str, known: list[str]) -> ValueError:
    """The error for a column that is not there; the nearest known one is named."""
    return ValueError(f'{name} has no column "{wanted}": {nearest(wanted, known)}')
