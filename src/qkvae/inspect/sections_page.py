"""One self-contained page of sections: examples, tables and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qkvae import __version__
from qkvae.inspect import page
from qkvae.inspect.sections import Section


@dataclass(frozen=True, kw_only=True)
class SectionsPage:
    """A title, a sentence and sections."""

    run: str
    """Name of the run."""

    title: str
    note: str
    sections: Sequence[Section]

    verb: str = "look"
    """What made it."""

    def write(self, path: Path | str) -> Path:
        """Write the page; it needs no network, no other file and no script.

        Raises:
            OSError: the file cannot be written.
        """
        return page.write_page(path, self.text())

    def text(self) -> str:
        """The page.

        >>> "<h1>a.png</h1>" in SectionsPage(run="digits", title="a.png", note="", sections=()).text()
        True
        """
        facts = {"run": self.run, "verb": self.verb, "title": self.title, "note": self.note}
        css = page.part("base.css", "report.css")
        return page.render(
            "sections.html.j2", {**facts, "sections": self.sections, "css": css, "version": __version__}
        )
