"""What a check found, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae.config.names import many
from qkvae.data.pairs import EXAMPLES, Note, Pairs

Places = NDArray[np.int64]
"""Which pairs, counted from 0."""

ADVICE = {
    "duplicates": "They weigh more than once; drop them if that is not meant.",
    "several targets": "One source, several translations: fine if all are right, but none can be guessed.",
    "leaks (source and target)": "They stand in train too, so the score flatters: take them out.",
    "leaks (source)": "Their source stands in train too, so the score flatters: take them out.",
    "leaks (target)": "Their target stands in train too: take them out unless they are set phrases.",
    "very long": "Much longer than the rest: often several sentences, or a table, in one line.",
    "length ratio": "One side is far too long for the other: likely misaligned or cut off. Drop them.",
    "misaligned": "A line is missing or doubled on one side: mend the file before the first odd pair.",
    "unrelated": "Lengths of the sides have nothing in common: is one sorted, shuffled or from another text?",
    "swapped": "Source and target seem to have changed places: swap them back.",
    "wrong language": "A side seems to be in the other's language: translate or drop it (names may stay).",
    "neither language": "A side resembles neither language: a third one, codes or names. Look at them.",
    "untranslated": "Both sides are the same: names and numbers may be, sentences should not.",
    "encoding": "Text was decoded wrongly once (Ã¤ for ä, U+FFFD): go back to where the file came from.",
    "markup": "HTML stands in the text: unescape or strip it, or the model will write it.",
    "cut": "A side has more tokens than max_length: training leaves them out. Split them, or raise it.",
}
"""The kinds of finding, and what to do about each."""


@dataclass(frozen=True)
class Example:
    """One pair that shows a finding; long sentences are shortened."""

    line: int
    source: str
    target: str


@dataclass(frozen=True)
class Finding:
    """One kind of oddity: how many pairs of which part have it, some of them, and what to do."""

    kind: str
    part: str
    count: int
    share: float
    advice: str
    detail: str = ""
    examples: tuple[Example, ...] = ()
    noun: str = "pair"

    def __str__(self) -> str:
        where = "" if self.part == "train" else f" in {self.part}"
        detail = f" {self.detail}." if self.detail else ""
        count = many(self.count, self.noun)
        lines = [f"{self.kind}{where}: {count} ({self.share:.2%}).{detail} {self.advice}"]
        place = "line" if self.noun in ("pair", "text") else self.noun
        lines += [f"  {place} {at.line}: {at.source}  →  {at.target}" for at in self.examples]
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """All findings; ``str(report)`` is for people, ``to_dict()`` for programs (plain values, fit for
    JSON)."""

    pairs: int
    valid_pairs: int
    findings: tuple[Finding, ...]
    notes: tuple[Note, ...]
    remarks: tuple[str, ...]
    noun: str = "pair"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as dicts, lists, strings and numbers."""
        return asdict(self)

    def __str__(self) -> str:
        valid = f", {self.valid_pairs:,} to validate on" if self.valid_pairs else ""
        reading = [f"while reading: {note}" for note in self.notes]
        remarks = [f"remark: {remark}" for remark in self.remarks]
        found = [str(finding) for finding in self.findings] or ["nothing odd was found"]
        return "\n".join(
            [f"{many(self.pairs, self.noun)}{valid}", *reading, "", *found, "", *remarks]
        ).rstrip()


def finding(kind: str, part: str, pairs: Pairs, places: Places, detail: str = "") -> Iterator[Finding]:
    """One finding about the pairs at these places, or none if there are none."""
    if len(places):
        examples = tuple(
            Example(pairs.lines[place], short(pairs.sources[place]), short(pairs.targets[place]))
            for place in map(int, places[:EXAMPLES])
        )
        yield Finding(kind, part, len(places), len(places) / len(pairs), ADVICE[kind], detail, examples)


def short(text: str) -> str:
    """At most 80 characters of a text."""
    return text if len(text) <= 80 else text[:79] + "…"
