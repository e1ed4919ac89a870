"""What a report is made of beside its curves: sections of examples, tables and pictures, whatever the
task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One example in named parts, the run's own answer last."""

    parts: Sequence[tuple[str, str]]
    """(name, text) of each part."""

    right: bool = False
    """Whether the answer is the known one."""

    drawing: Markup | None = None
    """What it looks like, where it is no text."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows under headings; numbers stand right."""

    title: str = ""
    headings: Sequence[str]
    rows: Sequence[Sequence[str | int | float]]
    folded: bool = False
    """Whether only the title is shown until it is asked for."""

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.headings):
                raise ValueError(
                    f'table "{self.title}" has {len(self.headings)} headings, but a row of {len(row)} cells'
                )


@dataclass(frozen=True, kw_only=True)
class Picture:
    """A drawing, with the same in numbers below it if there is a table."""

    drawing: Markup
    """An SVG element, or an image with its content inside."""

    table: Table | None = None


@dataclass(frozen=True, kw_only=True)
class Section:
    """A part of the report under a heading of its own."""

    title: str
    note: str = ""
    """A sentence that says what is seen."""

    samples: Sequence[Sample] = ()
    tables: Sequence[Table] = ()
    pictures: Sequence[Picture] = ()
