"""Labelled texts and text pairs: read from the user's tables and folders, with everything handled counted."""

from __future__ import annotations

import json
import os
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, cast

import numpy as np

from qkvae.data.columns import Columns
from qkvae.data.labelled_rows import labelled_items, told_columns
from qkvae.data.pairs import EXAMPLES, Note, Tally
from qkvae.data.sources import scrubbed
from qkvae.data.splits import chosen_by_hash, kept_note, source_hashes, without_unmet
from qkvae.data.tables import shortened

MINIMUM_TEXTS = 10
"""Fewer labelled texts than this are refused: nothing can be learned from them."""

Label = str | tuple[str, ...]
"""One label as it was written, or several."""

Name = str | os.PathLike[str]


@dataclass(frozen=True)
class Labelled:
    """Texts with their labels as they were written: ``texts[i]`` has ``labels[i]``; what a label means is
    decided by ``labels.Labels``.

    Raises:
        ValueError: the lists differ in length.

    >>> some = Labelled(["good", "bad"], ["1", "0"])
    >>> len(some), some.select([1]).texts, some.where(1)
    (2, ['bad'], 'line 2')
    """

    texts: list[str]
    labels: list[Label]
    pairs: list[str] | None = None
    """The second texts, where pairs of texts are labelled."""

    lines: Sequence[int] = ()
    """Where each text was read, in its file, from 1; a record of several lines counts by its first."""

    notes: tuple[Note, ...] = ()
    paths: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    """Names of the files that were read."""

    file_of: Sequence[int] = field(default=(), repr=False)
    """Which of ``files`` each text is from."""

    def __post_init__(self) -> None:
        if not self.lines:
            object.__setattr__(self, "lines", array("q", range(1, len(self.texts) + 1)))
        sides = [self.texts, self.labels, self.lines]
        if self.pairs is not None:
            sides.append(self.pairs)
        if len({len(side) for side in sides}) > 1:
            raise ValueError(
                f"{len(self.texts)} texts, {len(self.labels)} labels and {len(self.lines)} line numbers: "
                "there must be equally many of each"
            )

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what the rows say, in their order; file names, lines and notes do not matter."""
        digest = sha256(f"{len(self)} rows, pairs: {self.pairs is not None}".encode())
        seconds = self.pairs or [""] * len(self)
        for row in zip(self.texts, self.labels, seconds, strict=True):
            digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        return digest.hexdigest()

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of these texts."""
        return {"files": list(self.paths), "texts": len(self)}

    def where(self, index: int) -> str:
        """Where a text was read, for a message."""
        if not self.files:
            return f"line {self.lines[index]}"
        name = self.files[self.file_of[index] if self.file_of else 0]
        return f"{name}: line {self.lines[index]}"

    def select(self, indices: Iterable[int]) -> Labelled:
        """The texts at these places, in this order; the notes stay with the whole."""
        chosen = array("q", indices)
        return Labelled(
            [self.texts[i] for i in chosen],
            [self.labels[i] for i in chosen],
            None if self.pairs is None else [self.pairs[i] for i in chosen],
            array("q", (self.lines[i] for i in chosen)),
            paths=self.paths,
            files=self.files,
            file_of=array("q", (self.file_of[i] for i in chosen)) if self.file_of else (),
        )


def read_labelled(
    paths: Name | Sequence[Name],
    text: str | int | None = None,
    label: str | int | None = None,
    pair: str | int | None = None,
    *,
    separator: str | None = None,
    minimum: int = MINIMUM_TEXTS,
) -> Labelled:
    """Read labelled texts, whatever they are in.

    Each of ``paths`` is a table (.tsv, .csv, .jsonl, .parquet, .txt with tabs; see
    ``columns.labelled_rows`` for ``text``, ``label`` and ``pair`` by name or by number from 0), a folder
    per class with one text file per example (also packed as .zip or .tar), stories with questions in the
    format of bAbI (.txt, see ``stories``), or files inside a zip or tar (``cola.zip/raw/train.tsv``,
    ``babi.tar.xz/*_train.txt``).  Text may be compressed (.gz, .xz).  A path that does not exist as given
    is looked for under the folder ``QKVAE_DATA``.

    With a ``separator`` a label is several, separated by it; in .jsonl and .parquet a list is several, too.

    Handled, and counted in ``notes``: what ``sources.read_pairs`` counts, and rows without a label
    (dropped, but for those where several may be given: they may be none).

    Raises:
        FileNotFoundError: a path does not exist; the nearest existing name is suggested.
        ValueError: fewer than ``minimum`` texts, the same text or label in every row, a column that is not
            there, and whatever is no UTF-8 text; one line with place and cure.

    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "films.tsv"
        >>> rows = "".join(f"film {n} was good\\t{n % 2}\\n" for n in range(20))
        >>> _ = path.write_text(rows, encoding="utf-8")
        >>> films = read_labelled(path, text=0, label=1)
        >>> films.texts[3], films.labels[3], films.lines[3]
        ('film 3 was good', '1', 4)
        >>> print(*films.notes)
        1 first row was read as a row: name the columns if it is a header (films.tsv: film 0 was good | 0)
    """
    names = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not names:
        raise ValueError("no path is given: give a table, or a folder with one folder per class")
    asked = Columns(*(None if column is None else str(column) for column in (text, label, pair)))
    columns, tally = told_columns(names, asked), Tally()
    reader = _Reader(separator, columns.pair is not None, tally)
    for name in names:
        reader.read(name, columns)
    found = reader.found(tuple(names))
    _refuse_useless(found, minimum)
    return found


class _Reader:
    """Gathers the rows of several files."""

    def __init__(self, separator: str | None, paired: bool, tally: Tally) -> None:
        if separator is not None and not separator:
            raise ValueError("separator is empty: give what stands between two labels, such as a comma")
        self._separator, self._tally = separator, tally
        self._texts: list[str] = []
        self._labels: list[Label] = []
        self._pairs: list[str] | None = [] if paired else None
        self._lines, self._file_of = array("q"), array("q")
        self._files: list[str] = []

    def read(self, name: str, columns: Columns) -> None:
        for file_name, items in labelled_items(name, columns, self._tally):
            self._files.append(file_name)
            for line, text, label, second in items:
                self._add(f"{file_name}:{line}", line, text, label, second)

    def _add(self, where: str, line: int, text: Any, label: Any, second: Any) -> None:
        tally = self._tally
        first = self._clean(text, where)
        other = "" if self._pairs is None else self._clean(second, where)
        if not first or (self._pairs is not None and not other):
            tally.add("empty text", "rows with an empty text were dropped", where)
            return
        read = _label(label, self._separator, where)
        if read == "":
            tally.add("no label", "rows without a label were dropped", where)
            return
        self._texts.append(first)
        self._labels.append(read)
        if self._pairs is not None:
            self._pairs.append(other)
        self._lines.append(line)
        self._file_of.append(len(self._files) - 1)

    def _clean(self, cell: Any, where: str) -> str:
        if cell is None:
            return ""
        if not isinstance(cell, str):
            raise ValueError(f"{where}: the text is {shortened(json.dumps(cell, default=str))}, not text")
        clean = cell.strip() if cell.isprintable() else scrubbed(cell, where, self._tally)
        if len(clean) != len(cell) and clean:
            self._tally.add("white space", "texts had white space around them; it was taken off", where)
        return clean

    def found(self, paths: tuple[str, ...]) -> Labelled:
        whole = Labelled(
            self._texts,
            self._labels,
            self._pairs,
            self._lines,
            self._tally.notes(),
            paths,
            tuple(self._files),
            self._file_of,
        )
        object.__setattr__(whole, "notes", (*whole.notes, *_duplicates(whole)))
        return whole


def _label(cell: Any, separator: str | None, where: str) -> Label:
    """A label as it is written: numbers and truth values as JSON writes them, lists as several."""
    if isinstance(cell, list | tuple):
        several = cast(Sequence[Any], cell)
        each = [_label(one, None, where) for one in several]
        if any(isinstance(one, tuple) or not one for one in each):
            raise ValueError(f"{where}: the labels {shortened(str(several))} must be a list of names")
        return tuple(dict.fromkeys(str(one) for one in each))
    if cell is None:
        return "" if separator is None else ()
    if isinstance(cell, bool | int | float):
        cell = json.dumps(cell)
    if not isinstance(cell, str):
        raise ValueError(
            f"{where}: the label is {shortened(str(cell))}: it must be a name, a number or a list"
        )
    if separator is None:
        return cell.strip()
    return tuple(dict.fromkeys(part.strip() for part in cell.split(separator) if part.strip()))


def _refuse_useless(found: Labelled, minimum: int) -> None:
    label = " and ".join(os.path.basename(name) for name in found.paths)
    if len(found) < minimum:
        dropped = "; ".join(str(note) for note in found.notes if "dropped" in note.what)
        left = f" ({dropped})" if dropped else ""
        raise ValueError(f"{label}: {len(found):,} labelled texts{left}, but at least {minimum:,} are needed")
    for what, side in (("texts", found.texts), ("labels", found.labels)):
        if len(side) > 1 and all(each == side[0] for each in side):
            shown = shortened(str(side[0]))
            raise ValueError(
                f'{label}: all {len(side):,} {what} are "{shown}": is it the right file or column?'
            )


def _duplicates(found: Labelled) -> Iterable[Note]:
    seen: set[int] = set()
    again: list[int] = []
    seconds = found.pairs or [""] * len(found)
    for place, key in enumerate(map(hash, zip(found.texts, seconds, found.labels, strict=True))):
        if key in seen:
            again.append(place)
        seen.add(key)
    if again:
        examples = tuple(found.where(place) for place in again[:EXAMPLES])
        yield Note("duplicates", len(again), "exact duplicates of an earlier row were kept", examples)


def split_labelled(found: Labelled, fraction: float, classes: bool = False) -> tuple[Labelled, Labelled]:
    """Split into (train, valid) by where the hash of the normalised text falls, see ``splits.split_pairs``.

    Equal texts fall on one side, whatever their labels and second texts, and of pairs also those whose first
    texts only go on: all questions about one story.  Where labels are ``classes``, texts of one that no other
    has are learned from, and are counted.

    Raises:
        ValueError: the fraction is not inside (0, 1), or there are fewer than two different texts.

    >>> some = Labelled([f"film {n}" for n in range(100)], [str(n % 2) for n in range(100)])
    >>> train, valid = split_labelled(some, 0.1)
    >>> len(train), len(valid)
    (93, 7)
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}, but must be greater than 0 and less than 1")
    hashes = source_hashes(found.texts if found.pairs is None else _beginnings(found.texts))
    if len(np.unique(hashes)) < 2:
        raise ValueError(f"{len(found)} texts, all the same, cannot be split: give at least two")
    chosen = chosen_by_hash(hashes, fraction)
    chosen, kept = without_unmet(chosen, hashes, found.labels) if classes else (chosen, [])
    train, valid = (found.select(np.flatnonzero(part).tolist()) for part in (~chosen, chosen))
    return replace(train, notes=(*found.notes, *kept_note(kept, found.where, "texts"))), valid


def _beginnings(texts: list[str]) -> list[str]:
    """Each text, or where it goes on from the one before it, what that began with.

    >>> _beginnings(["A.", "A. B.", "A. B.", "C."])
    ['A.', 'A.', 'A.', 'C.']
    """
    found: list[str] = []
    for place, text in enumerate(texts):
        goes_on = place > 0 and text.startswith(texts[place - 1])
        found.append(found[-1] if goes_on else text)
    return found
