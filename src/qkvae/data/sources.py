"""From the user's files to sentence pairs: everything met on the way is counted and said, or refused.

The kinds of input are in ``files`` (text, compressed or zipped), ``tables`` (columns) and ``hub`` (data sets
by name); here they become ``Pairs``.
"""

from __future__ import annotations

import os
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from qkvae.data.archives import member_names
from qkvae.data.files import Lines, TextFile, locate, missing_column
from qkvae.data.hub import data_set_rows, is_data_set
from qkvae.data.pairs import EXAMPLES, Note, Pairs, Tally
from qkvae.data.tables import TABLES, table_rows

MINIMUM_PAIRS = 10
"""Fewer pairs than this are refused: nothing can be learned from them."""

# C0 and C1 controls but the tab, the Unicode line and paragraph separators, the byte-order mark inside a
# text, and halves of surrogate pairs (which JSON can smuggle in and UTF-8 cannot hold).
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]")

Name = str | os.PathLike[str]


def read_pairs(
    paths: Name | Sequence[Name],
    source: str | int | None = None,
    target: str | int | None = None,
    *,
    minimum: int = MINIMUM_PAIRS,
) -> Pairs:
    """Read sentence pairs, whatever they are in.

    ``paths`` is one of: two aligned text files, one sentence per line; one table (.tsv, .csv, .jsonl) with
    the columns ``source`` and ``target`` by name or by number from 0 (see ``tables.table_rows``); a .zip that
    holds one of these; the name of a Hugging Face data set with its languages (``opus_books:en-it``, see
    ``hub.data_set_rows``).  Text may be compressed (.gz, .xz).  A path that does not exist as given is looked
    for under the folder ``QKVAE_DATA``.

    Handled, and counted in ``notes``: byte-order marks, ``\\r\\n``, control characters (each becomes a
    space), surrounding white space (taken off), pairs with an empty side or a line of more than 100,000 bytes
    (dropped), and exact duplicates (**kept**: a test set must stay whole, and the split by hash keeps them on
    one side).

    Raises:
        FileNotFoundError: a path does not exist; the nearest existing name is suggested.
        ValueError: unequal line counts, a side that is empty or says the same in every line, fewer than
            ``minimum`` pairs, a column that is not there, and whatever is no UTF-8 text; one line with place
            and cure.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> rows = "".join(f"{n} dogs\\t{n} Hunde\\r\\n" for n in range(2, 22))
        >>> _ = (folder / "pairs.tsv").write_bytes(b"en\\tde\\r\\n" + rows.encode())
        >>> pairs = read_pairs(folder / "pairs.tsv", "de", "en")
        >>> pairs.sources[0], pairs.targets[0], pairs.lines[0]
        ('2 Hunde', '2 dogs', 2)
        >>> print(*pairs.notes)
        21 lines ended in \\r\\n; the \\r was taken off (pairs.tsv:1, pairs.tsv:2, pairs.tsv:3, …)
    """
    names = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    columns = [None if column is None else str(column) for column in (source, target)]
    if columns[0] is not None and columns[0] == columns[1]:
        raise ValueError(f'source and target are both column "{columns[0]}": give the two sides')
    tally = Tally()
    rows, sides = _rows(names, columns[0], columns[1], tally)
    sources, targets, lines = _collect(rows, sides, tally)
    label = " and ".join(os.path.basename(name) for name in names)
    _refuse_useless(sources, targets, label, minimum, tally)
    notes = (*tally.notes(), *_duplicates(sources, targets, lines))
    return Pairs(sources, targets, lines, notes, tuple(names))


Sides = tuple[str, str]
Rows = Iterator[tuple[int, str | None, str | None]]


def _rows(names: list[str], source: str | None, target: str | None, tally: Tally) -> tuple[Rows, Sides]:
    """The raw pairs with their line numbers, and what messages call the two sides."""
    if len(names) == 1:
        if is_data_set(names[0]) and not Path(names[0]).exists():
            return data_set_rows(names[0], source, target, tally), (names[0], names[0])
        path = locate(names[0])
        files, source, target = (
            _unzipped(path, source, target, tally)
            if path.suffix == ".zip"
            else ([TextFile(path)], source, target)
        )
    elif len(names) == 2:
        files = [TextFile(locate(name)) for name in names]
    else:
        raise ValueError(
            f"{len(names)} paths given: give two aligned text files, or one table, zip or data set"
        )
    for file in files:
        if file.member is None and file.path.is_dir():
            raise ValueError(
                f'{file.path} is a folder: give its files, or "{file.path}:en-it" for a data set'
            )
    if len(files) == 1:
        return _table(files[0], source, target, tally), (files[0].name, files[0].name)
    for file in files:
        if file.suffix in TABLES:
            raise ValueError(f"{file.name} is a table and holds both sides: give it alone")
    if source is not None or target is not None:
        raise ValueError(
            f"source {source} and target {target} have no effect on two aligned files: leave them out"
        )
    if files[0] == files[1] or (files[0].member is None and files[0].path.samefile(files[1].path)):
        raise ValueError(f"{files[0].name} is given twice: give the source file and the target file")
    left, right = (Lines(file, tally) for file in files)
    return _aligned(left, right), (files[0].name, files[1].name)


def _table(file: TextFile, source: str | None, target: str | None, tally: Tally) -> Rows:
    if file.suffix in TABLES:
        return table_rows(Lines(file, tally), source, target)
    first = next(iter(Lines(file, Tally())), None)
    if first is not None and "\t" in first:
        raise ValueError(f"{file.name} holds tabs but is not called .tsv: rename it if it is a table")
    raise ValueError(
        f"{file.name} is one text file, which has one side: give two aligned files, or one .tsv, .csv, "
        ".jsonl or .zip"
    )


def _unzipped(
    path: Path, source: str | None, target: str | None, tally: Tally
) -> tuple[list[TextFile], str | None, str | None]:
    """The one table or the two aligned texts in a zip; of texts, ``source`` and ``target`` name the last
    suffixes."""
    files = [TextFile(path, member) for member in member_names(path)]
    tables = [file for file in files if file.suffix in TABLES]
    if len(tables) == 1:
        return tables, source, target
    texts = {file.suffix.removeprefix("."): file for file in files if file.suffix not in TABLES}
    if not tables and source is not None and target is not None:
        for wanted in (source, target):
            if wanted not in texts:
                raise missing_column(path.name, wanted, list(texts))
        return [texts[source], texts[target]], None, None
    if not tables and len(files) == 2 and source is target is None:
        order = " → ".join(Path(file.name).name for file in files)
        tally.add("columns", "zip was read in the order of its two texts", order)
        return files, None, None
    raise ValueError(
        f"{path.name} holds {len(files)} files ({', '.join(file.member or '' for file in files[:4])}…): it "
        "must hold one .tsv, .csv or .jsonl, or two aligned texts (source and target name their suffixes)"
    )


def _aligned(left: Lines, right: Lines) -> Rows:
    end = object()
    counts = [0, 0]
    for number, (source, target) in enumerate(zip_longest(left, right, fillvalue=end), 1):
        if source is not end:
            counts[0] = number
        if target is not end:
            counts[1] = number
        if counts[0] == counts[1]:
            yield number, source, target  # type: ignore[misc]
    if counts[0] != counts[1]:
        raise ValueError(
            f"{left.file.name} has {counts[0]:,} lines and {right.file.name} has {counts[1]:,}: line n of "
            "one must translate line n of the other"
        )


def _collect(rows: Rows, sides: Sides, tally: Tally) -> tuple[list[str], list[str], array[int]]:
    """Clean both sides; drop and count pairs that lack one."""
    sources: list[str] = []
    targets: list[str] = []
    lines = array("q")
    empty = [0, 0]
    pairs = 0
    for number, left, right in rows:
        pairs += 1
        if left is None or right is None:
            continue
        # isprintable() and strip() are quick; what they do not clear is looked at with care
        source = left.strip() if left.isprintable() else scrubbed(left, f"{sides[0]}:{number}", tally)
        target = right.strip() if right.isprintable() else scrubbed(right, f"{sides[1]}:{number}", tally)
        if not (source and target):
            empty[0] += not source
            empty[1] += not target
            side = " and ".join(name for name, text in zip(sides, (source, target), strict=True) if not text)
            tally.add("empty side", "pairs with an empty side were dropped", f"{side}:{number}")
            continue
        if len(source) != len(left) or len(target) != len(right):
            what = "pairs had white space around a sentence; it was taken off"
            tally.add("white space", what, f"{sides[len(source) == len(left)]}:{number}")
        sources.append(source)
        targets.append(target)
        lines.append(number)
    for place, name in enumerate(sides):
        if pairs and empty[place] == pairs:
            what = ("source", "target")[place]
            raise ValueError(
                f"{name}: the {what} side is empty in all {pairs:,} lines: is it the right file or column?"
            )
    return sources, targets, lines


def scrubbed(text: str, where: str, tally: Tally) -> str:
    """The text with control characters turned into spaces, which is counted, and stripped."""
    clean, count = _CONTROL.subn(" ", text)
    if count:
        tally.add("control characters", "control characters were turned into spaces", where, count)
    return clean.strip()


def _refuse_useless(sources: list[str], targets: list[str], label: str, minimum: int, tally: Tally) -> None:
    if len(sources) < minimum:
        dropped = sum(note.count for note in tally.notes() if "dropped" in note.what)
        left = (
            f" ({dropped:,} were dropped: {'; '.join(n.what for n in tally.notes() if 'dropped' in n.what)})"
        )
        raise ValueError(
            f"{label}: {len(sources):,} sentence pairs{left if dropped else ''}, but at least {minimum:,} "
            "are needed"
        )
    for what, side in (("source", sources), ("target", targets)):
        if len(side) > 1 and all(text == side[0] for text in side):
            shown = side[0] if len(side[0]) <= 60 else side[0][:59] + "…"
            raise ValueError(
                f'{label}: all {len(side):,} {what} lines are identical ("{shown}"): is it the right file or '
                "column?"
            )


def _duplicates(sources: list[str], targets: list[str], lines: Sequence[int]) -> Iterable[Note]:
    """Exact repetitions of an earlier pair.  Only 64-bit hashes are held, and only for the length of this
    call."""
    hashes = np.fromiter(map(hash, zip(sources, targets, strict=True)), np.int64, len(sources))
    order = np.argsort(hashes, kind="stable")
    again = np.sort(order[1:][hashes[order[1:]] == hashes[order[:-1]]])
    if len(again):
        examples = tuple(f"line {lines[int(place)]}" for place in again[:EXAMPLES])
        yield Note("duplicates", len(again), "exact duplicates of an earlier pair were kept", examples)
