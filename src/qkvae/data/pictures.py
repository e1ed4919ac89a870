"""Pictures, videos or signals of one size in memory or in a mapped file, and where each came from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b, sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae.config.names import many
from qkvae.data.labelled import Label
from qkvae.data.pairs import EXAMPLES, Note
from qkvae.data.splits import chosen_by_hash, kept_note, without_unmet

NOUNS = {1: "signal", 2: "picture", 3: "clip"}
"""What a grid of so many axes is called."""

Hashes = NDArray[np.uint64]
"""64 bits of what each picture was read from: those that are equal are the same picture."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Pictures of one size, channels first; one axis more for videos (frames), one less for signals.

    Raises:
        ValueError: there are not equally many of everything.

    >>> some = Pictures(np.zeros((2, 1, 8, 8), np.uint8), ["one", "two"], white=16)
    >>> len(some), some.channels, some.size, some.where(1), some.select([1]).labels
    (2, 1, (8, 8), 'picture 2', ['two'])
    """

    values: NDArray[Any]
    """[count, channels, *size]: uint8, or float32 where the files hold other numbers."""

    labels: list[Label] | None = None
    """As they were written; None where nobody asked for them."""

    white: float = 255.0
    """The value that is 1.0 to a model; black is 0."""

    hashes: Hashes = field(default_factory=lambda: np.zeros(0, np.uint64), repr=False)
    """Of the bytes that each was read from; made of the values if not given."""

    names: Sequence[str] = field(default=(), repr=False)
    """Of the files, where each picture has one."""

    notes: tuple[Note, ...] = ()
    paths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not len(self.hashes) and len(self.values):
            object.__setattr__(self, "hashes", row_hashes(self.values))
        labels = len(self) if self.labels is None else len(self.labels)
        names = len(self.names) or len(self)
        if not len(self) == labels == len(self.hashes) == names:
            raise ValueError(
                f"{len(self)} {self.noun}s, {labels} labels, {len(self.hashes)} hashes and {names} names: "
                "there must be equally many of each"
            )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def channels(self) -> int:
        """Numbers at each place."""
        return int(self.values.shape[1])

    @property
    def size(self) -> tuple[int, ...]:
        """Length; height and width; or frames, height and width."""
        return tuple(int(side) for side in self.values.shape[2:])

    @property
    def noun(self) -> str:
        """What one of them is called."""
        return NOUNS.get(len(self.size), "example")

    @property
    def fingerprint(self) -> str:
        """Changes with any picture, label, their order, size or channels; names do not matter."""
        digest = sha256(json.dumps([self.values.shape, self.white, self.labels]).encode())
        digest.update(self.hashes.astype("<u8").tobytes())
        return digest.hexdigest()

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of these pictures."""
        return {
            "files": list(self.paths),
            "pictures": len(self),
            "size": list(self.size),
            "channels": self.channels,
        }

    def where(self, index: int) -> str:
        """Where a picture was read, for a message."""
        return self.names[index] if self.names else f"{self.noun} {index + 1}"

    def select(self, indices: Iterable[int]) -> Pictures:
        """The pictures at these places, in this order; the notes stay with the whole."""
        chosen = np.fromiter(indices, np.int64)
        return replace(
            self,
            values=self.values[chosen],
            labels=None if self.labels is None else [self.labels[i] for i in chosen],
            hashes=self.hashes[chosen],
            names=[self.names[i] for i in chosen] if self.names else (),
            notes=(),
        )


def row_hashes(values: NDArray[Any]) -> Hashes:
    """64-bit BLAKE2b of each row's bytes.

    >>> some = row_hashes(np.array([[1, 2], [1, 3], [1, 2]], np.uint8))
    >>> bool(some[0] == some[2]), bool(some[0] == some[1])
    (True, False)
    """
    digests = b"".join(hashed(np.ascontiguousarray(row).tobytes()) for row in values)
    return np.frombuffer(digests, "<u8").astype(np.uint64)


def hashed(raw: bytes) -> bytes:
    """8 bytes that tell one picture from another, the same on every machine."""
    return blake2b(raw, digest_size=8).digest()


def split_pictures(pictures: Pictures, fraction: float) -> tuple[Pictures, Pictures]:
    """Split into (train, valid) by where the hash of what each was read from falls, see `splits.split_pairs`:
    the same picture never stands on both sides, whatever it is called.  Pictures of a class that no other
    shows are learned from, and are counted.  The notes stay with train.

    Raises:
        ValueError: the fraction is not inside (0, 1), or there are fewer than two different pictures.

    >>> rows = np.arange(100, dtype=np.uint8).reshape(100, 1, 1, 1)
    >>> train, valid = split_pictures(Pictures(rows), 0.1)
    >>> len(train) + len(valid), len(valid) < 20
    (100, True)
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}, but must be greater than 0 and less than 1")
    if len(np.unique(pictures.hashes)) < 2:
        count = many(len(pictures), pictures.noun)
        raise ValueError(f"{count}, all the same, cannot be split: give at least two that differ")
    chosen = chosen_by_hash(pictures.hashes, fraction)
    kept: list[int] = []
    if pictures.labels is not None:
        chosen, kept = without_unmet(chosen, pictures.hashes, pictures.labels)
    train, valid = (pictures.select(np.flatnonzero(part).tolist()) for part in (~chosen, chosen))
    return replace(
        train, notes=(*pictures.notes, *kept_note(kept, pictures.where, f"{pictures.noun}s"))
    ), valid


def duplicates(pictures: Pictures) -> tuple[Note, ...]:
    """A note on pictures that stand there again, if there are any."""
    order = np.argsort(pictures.hashes, kind="stable")
    again = np.sort(order[1:][pictures.hashes[order[1:]] == pictures.hashes[order[:-1]]])
    if not len(again):
        return ()
    examples = tuple(pictures.where(int(place)) for place in again[:EXAMPLES])
    what = f"exact duplicates of an earlier {pictures.noun} were kept"
    return (Note("duplicates", len(again), what, examples),)
