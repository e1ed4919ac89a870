"""From the user's files to documents: a text file is one, a row of a table is one."""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from qkvae.data.archives import COMPRESSIONS, Member, is_packed, member_names, members
from qkvae.data.files import SNIFF, TextFile, decoded, locate, read_whole, refuse_binary
from qkvae.data.pairs import BLOCK, EXAMPLES, Note, Tally
from qkvae.data.splits import chosen_by_hash, source_hashes
from qkvae.data.text_column import TABLES, text_rows

MANY = 50
"""From so many different documents on, whole ones are set aside to validate on; of fewer, the end of each."""

# C0 and C1 controls but the tab and the line feed, the Unicode line and paragraph separators, the byte-order
# mark inside a text, and halves of surrogate pairs (which JSON can smuggle in and UTF-8 cannot hold).
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")
_RETURN = re.compile("\r\n?")

Name = str | os.PathLike[str]
Each = Literal["file", "line"]


@dataclass(frozen=True)
class Documents:
    """Texts, and where each came from.

    Raises:
        ValueError: the lists differ in length.

    >>> documents = Documents(["one text", "another"])
    >>> len(documents), documents.characters, documents.where(1)
    (2, 15, 'document 2')
    """

    texts: list[str]

    lines: Sequence[int] = ()
    """The line of its file, from 1, that each text begins in; without files they count the texts."""

    files: tuple[str, ...] = ()
    """Names of the files that were read."""

    file_of: Sequence[int] = field(default=(), repr=False)
    """Which of ``files`` each text is from."""

    notes: tuple[Note, ...] = ()
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.lines:
            object.__setattr__(self, "lines", array("q", range(1, len(self.texts) + 1)))
        files = len(self.file_of) if self.files else len(self.texts)
        if not len(self.texts) == len(self.lines) == files:
            raise ValueError(f"{len(self.texts)} texts, {len(self.lines)} lines and {files} files of texts")

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def characters(self) -> int:
        """Characters of all texts together."""
        return sum(map(len, self.texts))

    @property
    def bytes(self) -> int:
        """Bytes of all texts together, in UTF-8."""
        return sum(len(text) if text.isascii() else len(text.encode()) for text in self.texts)

    @property
    def fingerprint(self) -> str:
        """Changes with any text or their order."""
        return fingerprint(self.texts)

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of these documents."""
        return {"files": list(self.paths), "documents": len(self), "characters": self.characters}

    def where(self, index: int) -> str:
        """Where a document was read, for a message."""
        if not self.files:
            return f"document {self.lines[index]}"
        return f"{self.files[self.file_of[index]]}:{self.lines[index]}"

    def select(self, indices: Iterable[int]) -> Documents:
        """The documents at these places, in this order; the notes stay with the whole."""
        chosen = array("q", indices)
        return Documents(
            [self.texts[i] for i in chosen],
            array("q", (self.lines[i] for i in chosen)),
            self.files,
            array("q", (self.file_of[i] for i in chosen)) if self.files else (),
            paths=self.paths,
        )


def fingerprint(texts: Sequence[str]) -> str:
    """SHA-256 over what the texts say, in their order; where they come from does not matter.

    >>> fingerprint(["ab", "c"]) == fingerprint(["a", "bc"])
    False
    """
    digest = sha256(f"{len(texts)} texts".encode())
    digest.update(np.fromiter(map(len, texts), "<i8", len(texts)).tobytes())
    for start in range(0, len(texts), BLOCK):
        digest.update("".join(texts[start : start + BLOCK]).encode("utf-8"))
    return digest.hexdigest()


def read_documents(
    paths: Name | Sequence[Name], text: str | int | None = None, each: Each = "file"
) -> Documents:
    """Read documents, whatever they are in; several paths are read one after the other.

    A path is a text file (one document; .gz and .xz are unpacked), a table (.csv, .tsv, .jsonl, .parquet: one
    document per row, see ``text_column.text_rows``), or a folder, .zip or .tar (.gz, .xz) of such files: all
    below it, in the order of their names (in a tar: as packed), hidden ones left out.  A path that does not
    exist as given is looked for under the folder ``QKVAE_DATA``.

    Handled, and counted in ``notes``: byte-order marks, carriage returns (line ends become ``\\n``), control
    characters (each becomes a space), empty documents (dropped), files of a folder that are no UTF-8 text
    (left out), exact duplicates (**kept**).  White space is text and stays as it is.

    Args:
        paths: what to read.
        text: the column of a table that holds the text, by name or by number from 0.
        each: whether a text file is one document, or each of its lines is one, without white space around it.

    Raises:
        FileNotFoundError: a path does not exist; the nearest existing name is suggested.
        ValueError: a file is no UTF-8 text, nothing is left, a column is not there, or ``text`` is given and
            no file is a table.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "book.txt").write_bytes(b"Call me\\r\\nIshmael.\\r\\n")
        >>> documents = read_documents(folder)
        >>> documents.texts, documents.where(0)
        (['Call me\\nIshmael.\\n'], 'book.txt:1')
        >>> print(*documents.notes)
        2 lines ended in \\r\\n; the \\r was taken off (book.txt, …)
    """
    names = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not names:
        raise ValueError("no path is given: give a text file, a folder or a table")
    tally = Tally()
    reading = _Reading(None if text is None else str(text), each, tally)
    for name in names:
        reading.path(locate(name))
    if text is not None and not reading.tables:
        raise ValueError(f"text {text} has no effect on plain text, which has no columns: leave it out")
    return reading.documents(names)


class _Reading:
    """Collects documents, file by file."""

    def __init__(self, column: str | None, each: Each, tally: Tally) -> None:
        self.tables = 0
        self._column, self._each = column, each
        self._tally = tally
        self._texts: list[str] = []
        self._lines = array("q")
        self._files: list[str] = []
        self._file_of = array("q")

    def path(self, path: Path) -> None:
        """Read a file, or all files of a folder, zip or tar."""
        if is_packed(path):
            # In one pass: each member is read when its turn comes.
            files = ((each.name, partial(self._member, path, each)) for each in members(path, self._tally))
        elif path.is_dir() or path.suffix.lower() == ".zip":
            files = ((name, partial(self._file, file, name)) for file, name in files_below(path))
        else:
            self._file(TextFile(path), path.name)
            return
        failures: list[str] = []
        read = 0
        for name, read_file in files:
            read += 1
            try:
                read_file()
            except _NotTextError as error:
                failures.append(str(error))
                self._tally.add("not text", "files of a folder that are no UTF-8 text were left out", name)
        if read == len(failures):
            why = f": {failures[0]}" if read == 1 else f" in {read:,} files" if read else ""
            raise ValueError(f"{path.name} holds no text{why}")

    def documents(self, paths: list[str]) -> Documents:
        """What was read."""
        label = ", ".join(map(os.path.basename, paths))
        if not self._texts:
            raise ValueError(f"{label} holds no text: every document is empty")
        notes = self._tally.notes()
        files = tuple(self._files)
        found = Documents(self._texts, self._lines, files, self._file_of, notes, tuple(paths))
        return replace(found, notes=(*notes, *_duplicates(found)))

    def _file(self, file: TextFile, name: str) -> None:
        self._files.append(name)
        if file.suffix in TABLES:
            self.tables += 1
            for number, text in text_rows(file, self._column, self._tally):
                self._add(text, number)
        else:
            self._add_whole(read_whole(file), name)

    def _member(self, path: Path, member: Member) -> None:
        file = TextFile(path, member.name)
        if file.suffix in TABLES or member.name.lower().endswith(COMPRESSIONS):
            self._file(file, member.name)
        else:
            self._files.append(member.name)
            self._add_whole(member.read(), member.name)

    def _add_whole(self, raw: bytes, name: str) -> None:
        text = _whole(raw, name, self._tally)
        if self._each == "file":
            self._add(text, 1)
            return
        for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
            self._add(line, number)

    def _add(self, text: str, line: int) -> None:
        where = f"{self._files[-1]}:{line}"
        text = clean(text, where, self._tally)
        text = text if self._each == "file" else text.strip()
        if not text or text.isspace():
            self._tally.add("empty", "empty documents were dropped", where)
            return
        self._texts.append(text)
        self._lines.append(line)
        self._file_of.append(len(self._files) - 1)


class _NotTextError(ValueError):
    """A file that is no text, or not in UTF-8."""


def _whole(raw: bytes, name: str, tally: Tally) -> str:
    try:
        if raw:
            refuse_binary(raw[:SNIFF], name)
        return decoded(raw, name, tally)
    except ValueError as error:
        raise _NotTextError(str(error)) from error


def files_below(path: Path) -> Iterator[tuple[TextFile, str]]:
    """The files of a folder or zip that are not hidden, with their names in it, in the order of these."""
    if not path.is_dir():
        for member in sorted(member_names(path)):
            yield TextFile(path, member), member
        return
    found: list[tuple[str, Path]] = []
    for folder, folders, files in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        here = Path(folder)
        found += [
            ((here / name).relative_to(path).as_posix(), here / name)
            for name in files
            if not name.startswith(".")
        ]
    for name, file in sorted(found):
        yield TextFile(file), name


def clean(text: str, where: str, tally: Tally) -> str:
    """The text with ``\\n`` for every line end and a space for every control character; both are counted."""
    text, returns = _RETURN.subn("\n", text)
    if returns:
        tally.add("carriage returns", "lines ended in \\r\\n; the \\r was taken off", where, returns)
    text, controls = _CONTROL.subn(" ", text)
    if controls:
        tally.add("control characters", "control characters were turned into spaces", where, controls)
    return text


def _duplicates(documents: Documents) -> Iterator[Note]:
    """Exact repetitions of an earlier document."""
    seen: set[str] = set()
    again: list[int] = []
    for place, text in enumerate(documents.texts):
        if text in seen:
            again.append(place)
        seen.add(text)
    if again:
        examples = tuple(documents.where(place) for place in again[:EXAMPLES])
        yield Note("duplicates", len(again), "exact duplicates of an earlier document were kept", examples)


def split_documents(documents: Documents, fraction: float) -> tuple[Documents, Documents]:
    """Split into (train, valid), the same way every time; the notes stay with train.

    Of 50 different documents or more, those whose hash falls below the fraction are set aside whole, so that
    equal ones (but for case and white space) never straddle (see ``splits.split_pairs``).  Of fewer, the last
    ``fraction`` of the characters of each: ``text[int((1 - fraction) * len(text)):]``.

    Raises:
        ValueError: the fraction is not inside (0, 1), or there is too little text to split.

    >>> train, valid = split_documents(Documents(["abcdefghij"]), 0.1)
    >>> train.texts, valid.texts
    (['abcdefghi'], ['j'])
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}, but must be greater than 0 and less than 1")
    if len(documents) >= MANY:
        hashes = source_hashes(documents.texts)
        if len(np.unique(hashes)) >= MANY:
            chosen = chosen_by_hash(hashes, fraction)
            parts = [documents.select(np.flatnonzero(part).tolist()) for part in (~chosen, chosen)]
            return replace(parts[0], notes=documents.notes), parts[1]
    cuts = [int((1 - fraction) * len(text)) for text in documents.texts]
    fronts = [text[:cut] for text, cut in zip(documents.texts, cuts, strict=True)]
    backs = [text[cut:] for text, cut in zip(documents.texts, cuts, strict=True)]
    lines = [line + front.count("\n") for line, front in zip(documents.lines, fronts, strict=True)]
    train, valid = _replaced(documents, fronts, documents.lines), _replaced(documents, backs, lines)
    if not (len(train) and len(valid)):
        raise ValueError(
            f"{documents.characters:,} characters are too few to set {fraction} of them aside: give more text"
        )
    return replace(train, notes=documents.notes), valid


def _replaced(documents: Documents, texts: list[str], lines: Sequence[int]) -> Documents:
    """The documents with other texts; empty ones are left out."""
    whole = Documents(texts, lines, documents.files, documents.file_of, paths=documents.paths)
    return whole.select([place for place, text in enumerate(texts) if text])
