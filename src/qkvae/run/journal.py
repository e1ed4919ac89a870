"""``metrics.jsonl``: one JSON object a line, appended while training, readable at any moment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from qkvae.run.atomic import write_bytes
from qkvae.run.errors import DamagedPart, plainly


class Journal:
    """A file of records that survives a kill in the middle of a line.

    >>> import tempfile
    >>> journal = Journal(Path(tempfile.mkdtemp()) / "metrics.jsonl")
    >>> journal.append({"step": 1, "loss": 7.5})
    >>> journal.append({"step": 2, "loss": 7.25})
    >>> journal.rewind(1)
    >>> journal.records()
    [{'step': 1, 'loss': 7.5}]
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._ends_whole = False

    def append(self, record: Mapping[str, Any]) -> None:
        """Add one record; numbers that are not finite are written as Python writes them (NaN, Infinity).

        Raises:
            StorageError: the disk refused; the records before stay readable.
        """
        line = _line(record) + b"\n"
        with plainly(self.path):
            if not self._ends_whole:
                self._cut_torn_line()
            self._ends_whole = False
            with self.path.open("ab") as file:
                file.write(line)
            self._ends_whole = True

    def records(self) -> list[dict[str, Any]]:
        """All whole records, oldest first; a last line that a kill tore is left out.

        Raises:
            DamagedPart: a whole line is no record.
        """
        return [json.loads(line) for line in self._lines()]

    def rewind(self, step: int, last: Sequence[Mapping[str, Any]] = ()) -> None:
        """Drop the records of later steps: they will be made again.  Records without a step stay.

        Those of ``last`` that a kill kept from being written are added.

        Raises:
            StorageError: the disk refused; nothing is dropped.
        """
        kept = [line for line in self._lines() if json.loads(line).get("step", step) <= step]
        kept += [line for line in map(_line, last) if line not in kept]
        write_bytes(self.path, b"".join(line + b"\n" for line in kept))
        self._ends_whole = True

    def _lines(self) -> list[bytes]:
        if not self.path.is_file():
            return []
        with plainly(self.path, "read"):
            lines = self.path.read_bytes().split(b"\n")[:-1]
        for number, line in enumerate(lines, start=1):
            if not _is_record(line):
                raise DamagedPart(f"{self.path}, line {number}: {line[:40]!r} is no record: delete that line")
        return lines

    def _cut_torn_line(self) -> None:
        if not self.path.is_file():
            return
        content = self.path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            with self.path.open("rb+") as file:
                file.truncate(whole)


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8")


def _is_record(line: bytes) -> bool:
    try:
        return isinstance(cast(object, json.loads(line)), dict)
    except ValueError:
        return False
