"""Plain text to learn from: the user's files or the embedded default, and what of it is held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from qkvae.config.tasks.text_files import TextFiles
from qkvae.data.default_text import default_documents
from qkvae.data.documents import Documents, read_documents, split_documents
from qkvae.data.pairs import Note

MOST_VALID = 250_000
"""Characters that are split off at most: more change an evaluation little, and each costs time."""


@runtime_checkable
class Part(Protocol):
    """One part of a corpus: documents, conversations."""

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was handled while the files were read."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with any text."""
        ...

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of it."""
        ...


T = TypeVar("T", bound=Part)


@dataclass(frozen=True)
class Corpus(Generic[T]):
    """The texts of a training."""

    train: T
    valid: T

    @property
    def fingerprint(self) -> str:
        """Changes with any text of either part."""
        return f"{self.train.fingerprint[:32]}{self.valid.fingerprint[:32]}"

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read."""
        return [str(note) for part in (self.train, self.valid) for note in part.notes]

    @property
    def passport(self) -> dict[str, Any]:
        """What is known of the data."""
        return {
            "fingerprint": self.fingerprint,
            "training": self.train.figures,
            "validation": self.valid.figures,
            "notes": self.notes,
        }


def read_split(data: TextFiles) -> Corpus[Documents]:
    """The documents that the settings name, or the embedded default; split if no ``valid`` is named.

    Raises:
        ValueError, FileNotFoundError: what `read_documents` and `split_documents` raise.
    """
    texts = read_documents(data.paths, data.text) if data.paths else default_documents()
    if data.valid:
        return Corpus(texts, read_documents(data.valid, data.text))
    return Corpus(*split_documents(texts, held_out(data, texts.characters)))


def held_out(data: TextFiles, characters: int) -> float:
    """The part of so many characters that is split off."""
    return min(data.valid_fraction_or_default, MOST_VALID / characters)


def reading(data: TextFiles) -> str:
    """What a person is told while the text is read."""
    paths = (*data.paths, *data.valid)
    return f"reading {', '.join(paths) or 'the embedded default: the language reference of Python'}"
