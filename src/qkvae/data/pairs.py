"""Sentence pairs in memory, and the notes that say what was handled while they were read."""

from __future__ import annotations

import hashlib
import re
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

EXAMPLES = 3
"""How many examples a note or a finding shows."""

BLOCK = 8192
"""Pairs handled at a time wherever a whole-corpus copy would cost memory."""


@dataclass(frozen=True)
class Note:
    """One kind of thing that was met while reading, how often, what was done about it, and where.

    >>> print(Note("empty side", 2, "pairs with an empty side were dropped", ("train.de:7", "train.de:9")))
    2 pairs with an empty side were dropped (train.de:7, train.de:9)
    """

    kind: str
    count: int
    what: str
    examples: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = _of_one(self.what) if self.count == 1 else self.what
        more = ", …" if self.count > len(self.examples) else ""
        where = f" ({', '.join(self.examples)}{more})" if self.examples else ""
        return f"{self.count:,} {what}{where}"


def _of_one(what: str) -> str:
    """What is said of several, said of one.

    >>> _of_one("exact duplicates of an earlier pair were kept")
    'exact duplicate of an earlier pair was kept'
    """
    return re.sub(r"^((?:[\w-]+ )?[\w-]+)s( (?:(?!that |and ).)*?)?\bwere\b", r"\1\2was", what)


def added_up(notes: Iterable[Note]) -> tuple[Note, ...]:
    """Notes of several files, with one for each thing that was met, in the order in which it first was.

    >>> one, other = (Note("size", 1, "pictures were cut", (name,)) for name in ("a.png", "b.png"))
    >>> print(*added_up([one, other]))
    2 pictures were cut (a.png, b.png)
    """
    found: dict[tuple[str, str], Note] = {}
    for note in notes:
        before = found.setdefault((note.kind, note.what), replace(note, count=0, examples=()))
        examples = (*before.examples, *note.examples)[:EXAMPLES]
        found[note.kind, note.what] = replace(note, count=before.count + note.count, examples=examples)
    return tuple(found.values())


class Tally:
    """Counts what is met, by kind, and keeps the first examples; ``notes`` is the result."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._whats: dict[str, str] = {}
        self._examples: dict[str, list[str]] = {}

    def add(self, kind: str, what: str, example: str, count: int = 1) -> None:
        """Count one more (or ``count`` more) of ``kind``; the first examples are kept."""
        self._whats.setdefault(kind, what)
        self._counts[kind] = self._counts.get(kind, 0) + count
        examples = self._examples.setdefault(kind, [])
        if len(examples) < EXAMPLES:
            examples.append(example)

    def count(self, kind: str) -> int:
        """How often ``kind`` was met so far."""
        return self._counts.get(kind, 0)

    def notes(self) -> tuple[Note, ...]:
        """The notes, in the order in which their kinds were first met."""
        return tuple(
            Note(kind, count, self._whats[kind], tuple(self._examples[kind]))
            for kind, count in self._counts.items()
        )


@dataclass(frozen=True)
class Pairs:
    """Sentences that translate each other: ``sources[i]`` into ``targets[i]``, read from line ``lines[i]``.

    ``lines`` counts from 1 and is compact (8 bytes a pair); where the pairs come from no file it counts
    pairs.

    Raises:
        ValueError: the three lists differ in length.

    >>> pairs = Pairs(["one", "two", "six"], ["eins", "zwei", "sechs"])
    >>> len(pairs), pairs.select([2]).targets, list(pairs.select([2]).lines)
    (3, ['sechs'], [3])
    """

    sources: list[str]
    targets: list[str]
    lines: Sequence[int] = ()
    notes: tuple[Note, ...] = ()
    paths: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        if not self.lines:
            object.__setattr__(self, "lines", array("q", range(1, len(self.sources) + 1)))
        if not len(self.sources) == len(self.targets) == len(self.lines):
            raise ValueError(
                f"{len(self.sources)} sources, {len(self.targets)} targets and {len(self.lines)} line "
                "numbers: "
                "there must be equally many of each"
            )

    def __len__(self) -> int:
        return len(self.sources)

    @property
    def fingerprint(self) -> str:
        """SHA-256 over what the pairs say, in their order; file names, line numbers and notes do not matter.

        The lengths of all sentences are hashed before their letters, so that no two different lists of pairs
        feed the same bytes.

        >>> Pairs(["ab"], ["c"]).fingerprint == Pairs(["a"], ["bc"]).fingerprint
        False
        """
        digest = hashlib.sha256(f"{len(self)} pairs".encode())
        for side in (self.sources, self.targets):
            digest.update(np.fromiter(map(len, side), "<i8", len(side)).tobytes())
            for start in range(0, len(side), BLOCK):
                digest.update("".join(side[start : start + BLOCK]).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of these pairs."""
        return {"files": list(self.paths), "pairs": len(self)}

    def select(self, indices: Iterable[int]) -> Pairs:
        """The pairs at these places, in this order, with their line numbers; the notes stay with the
        whole."""
        chosen = array("q", indices)
        return Pairs(
            [self.sources[i] for i in chosen],
            [self.targets[i] for i in chosen],
            array("q", (self.lines[i] for i in chosen)),
            paths=self.paths,
        )
