"""The user's data as every task has them: what is learned from, and what is held out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from qkvae.data.pairs import Note


@runtime_checkable
class Part(Protocol):
    """One part of a corpus: sentence pairs, documents, labelled texts, pictures …"""

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was handled while the files were read."""
        ...

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change with any example or their order."""
        ...

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of it."""
        ...

    def __len__(self) -> int: ...


T = TypeVar("T", bound=Part)

FEWEST = 10
"""Examples that can be learned from; to measure on, one will do."""

Tell = Callable[[str], None]
"""Whoever is told a sentence."""


def unsaid(sentence: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Corpus(Generic[T]):
    """The examples of a training.

    >>> from qkvae.data.pairs import Pairs
    >>> Corpus(Pairs(["one"], ["eins"]), Pairs(["two"], ["zwei"])).passport["training"]
    {'files': [], 'pairs': 1}
    """

    train: T
    valid: T

    @property
    def fingerprint(self) -> str:
        """Changes with any example of either part."""
        return f"{self.train.fingerprint[:32]}{self.valid.fingerprint[:32]}"

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read."""
        return [str(note) for part in (self.train, self.valid) for note in part.notes]

    def figures(self, part: T) -> dict[str, Any]:
        """What is said of one part."""
        return part.figures

    @property
    def facts(self) -> dict[str, Any]:
        """What the run folder keeps of the data besides, such as their labels."""
        return {}

    @property
    def passport(self) -> dict[str, Any]:
        """What the run folder says of the data."""
        return {
            "fingerprint": self.fingerprint,
            "training": self.figures(self.train),
            "validation": self.figures(self.valid),
            **self.facts,
            "notes": self.notes,
        }


def counted(what: str) -> Callable[[Corpus[Any]], str]:
    """What tells how many examples a corpus has, by the word for many of them.

    >>> from qkvae.data.pairs import Pairs
    >>> counted("pairs")(Corpus(Pairs(["one"], ["eins"]), Pairs(["two"], ["zwei"])))
    '1 training and 1 validation pairs'
    """
    return lambda corpus: f"{len(corpus.train):,} training and {len(corpus.valid):,} validation {what}"


def share(data: Any, size: int, most: int) -> float:
    """Which part of so much is split off: a share of a large corpus would be more than the evaluations need,
    and than the minutes allow, so it is ``most`` at most."""
    return min(data.valid_fraction_or_default, most / size)


def parts(
    data: Any,
    read: Callable[[Sequence[str], int], T],
    default: Callable[[], T],
    split: Callable[[T, float], tuple[T, T]],
    most: int,
    size: Callable[[T], int] = len,
) -> tuple[T, T]:
    """The training and the validation part that the settings name, or those of the embedded default.

    Without ``valid`` a `share` is split off.

    Args:
        data: a task's settings, with ``paths``, ``valid`` and ``valid_fraction_or_default``.
        read: the examples of these paths, of which so many are needed.
        default: those of the embedded default.
        split: into (train, valid), for a fraction of the whole.
        most: what is split off at most, in units of ``size``.

    Raises:
        ValueError, FileNotFoundError: what ``read`` and ``split`` raise.
    """
    whole = read(data.paths, FEWEST) if data.paths else default()
    if data.valid:
        return whole, read(data.valid, 1)
    return split(whole, share(data, size(whole), most))
