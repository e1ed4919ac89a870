"""Documents of any length to rows of one length: every token is predicted once an epoch, none is padding.

A document of the tokens t₁ … tₙ gives n + 1 predictions: the inputs <s> t₁ … tₙ and the targets t₁ … tₙ </s>.
These pairs stand one document after the other, and are cut into rows wherever a row is full.  A single text,
such as a book, is one stretch: <s> stands before its first token alone, and it has no </s>.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from qkvae.config import Marks
from qkvae.data.numbered import in_order
from qkvae.data.ragged import Ints, Ragged

Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class EncodedDocuments:
    """Documents as token ids.

    Raises:
        ValueError: there is no token, or ``counted`` is of another size.

    >>> EncodedDocuments(Ragged.from_lists([[7, 8], [9]])).predictions
    5
    """

    tokens: Ragged
    """The ids of every document, without <s> and </s>.  The flat array may be a memory-mapped file."""

    counted: Booleans | None = None
    """Which tokens are learned; all if not given.  Documents that say so (dialogues) end as their tokens end:
    they get no </s>."""

    marks: Marks = field(default_factory=Marks)
    """Which tokens <s> and </s> are."""

    def __post_init__(self) -> None:
        if not len(self.tokens.flat):
            raise ValueError("there is no token in these documents: give at least one that is not empty")
        if self.counted is not None and len(self.counted) != len(self.tokens.flat):
            raise ValueError(
                f"{len(self.tokens.flat)} tokens, but {len(self.counted)} say if they are learned"
            )

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def single(self) -> bool:
        """Whether this is one text, which has neither end nor neighbours."""
        return len(self.tokens) == 1 and self.counted is None

    @property
    def ends(self) -> bool:
        """Whether each document is followed by </s>."""
        return not self.single and self.counted is None

    @property
    def predictions(self) -> int:
        """Tokens that an epoch predicts, counted or not, each </s> among them."""
        return len(self.tokens.flat) + (len(self) if self.ends else 0)


@dataclass(frozen=True, eq=False)
class PackedBatch:
    """What a language model is trained on: rows of one length, each full."""

    inputs: Int[Tensor, "batch length"]
    """What the model reads."""

    targets: Int[Tensor, "batch length"]
    """What it must say at each place."""

    counted: Bool[Tensor, "batch length"]
    """Which of these predictions count."""

    documents: Int[Tensor, "batch length"] | None
    """The number, within its row, of the document that a place belongs to; None for a single text, whose
    rows are one stretch each."""

    positions: Int[Tensor, "batch length"] | None
    """Places counted from where the document begins in the row; None for a single text: 0, 1, 2, …"""

    @property
    def tokens(self) -> int:
        """Predictions that count."""
        return int(self.counted.sum())

    def from_place(self, place: int) -> PackedBatch:
        """What stands from this place on in each row."""
        return self._each(lambda tensor: tensor[:, place:])

    def upto(self, place: int) -> PackedBatch:
        """What stands before this place in each row."""
        return self._each(lambda tensor: tensor[:, :place])

    def split(self, count: int) -> list[PackedBatch]:
        """The batch cut by rows into at most ``count`` parts."""
        rows = -(-len(self.inputs) // count)

        def part(start: int) -> PackedBatch:
            return self._each(lambda tensor: tensor[start : start + rows])

        return [part(start) for start in range(0, len(self.inputs), rows)]

    def to(self, device: torch.device | str) -> PackedBatch:
        """The same batch on another device."""
        return self._each(lambda tensor: tensor.to(device, non_blocking=True))

    def _each(self, change: Callable[[Tensor], Tensor]) -> PackedBatch:
        documents = None if self.documents is None else change(self.documents)
        positions = None if self.positions is None else change(self.positions)
        counted = change(self.counted)
        return PackedBatch(change(self.inputs), change(self.targets), counted, documents, positions)


class PackedBatches:
    """An endless, shuffled course of batches; every token is predicted once an epoch.

    An epoch puts the documents in a random order, starts at a random place of the row of their tokens, which
    is taken as a ring, cuts it into rows and shuffles these.  The last row of the ring is filled up with
    tokens that were there before and do not count.  Rows follow each other through all epochs: each batch
    has exactly ``rows`` of them, and batch k is a pure function of (documents, length, rows, seed, k).

    >>> text = EncodedDocuments(Ragged.from_lists([list(range(4, 104))]))
    >>> batches = PackedBatches(text, length=16, rows=2, seed=1)
    >>> batch = next(batches.stream(3))
    >>> tuple(batch.inputs.shape), torch.equal(batch.targets, batches[3].targets)
    ((2, 16), True)
    >>> batches.rows_per_epoch, batches.epoch_of(3), batches.epoch_of(4)
    (7, 0, 1)
    """

    def __init__(
        self,
        documents: EncodedDocuments,
        length: int,
        rows: int,
        seed: int,
        workers: int = 0,
        before: int = 0,
    ) -> None:
        """
        Args:
            documents: what to learn from.
            length: places in a row.
            rows: rows in a batch.
            seed: decides the order.
            workers: processes that prepare batches; none prepares them in this one, on demand, which is
                quick.  They are spawned, each with a copy of the tokens.
            before: so many places more at the front of each row, which do not count: what stands before it in
                the ring.

        Raises:
            ValueError: length or rows is below 1.
        """
        for name, value in (("length", length), ("rows", rows)):
            if value < 1:
                raise ValueError(f"{name} is {value}, but must be at least 1")
        self.workers = workers
        self._numbered = _Numbered(documents, length, rows, seed, before)

    @property
    def rows_per_epoch(self) -> int:
        """Rows in every epoch."""
        return self._numbered.rows_per_epoch

    def epoch_of(self, number: int) -> int:
        """The epoch, from 0, that the first row of a batch belongs to."""
        return number * self._numbered.rows // self.rows_per_epoch

    def __getitem__(self, number: int) -> PackedBatch:
        """Batch ``number``, counted from 0 through all epochs."""
        return self._numbered[number].batch()

    def stream(self, start: int = 0) -> Iterator[PackedBatch]:
        """Batch ``start`` and all after it, without end; closing the iterator ends its workers."""
        for each in in_order(self._numbered, start, self.workers):
            yield each.batch()


def sliding(documents: EncodedDocuments, length: int, stride: int, rows: int) -> Iterator[PackedBatch]:
    """Rows for evaluation: every token is predicted once, the documents in their order.

    A window of ``length`` places moves on by ``stride``; only what is new in it counts, so each prediction
    (but in the first window) sees at least length - stride tokens before it, where its document has so many.
    The last window moves on by less, so that it is full too; fewer tokens than ``length`` are one short row.

    Args:
        documents: what to evaluate on.
        length: places in a row.
        stride: how far the window moves; equal to ``length``, windows do not overlap.
        rows: rows in a batch; the last batch may have fewer.

    Raises:
        ValueError: the stride is not in 1 … length, or rows is below 1.

    >>> text = EncodedDocuments(Ragged.from_lists([[4, 5, 6, 7, 8]]))
    >>> (batch,) = sliding(text, length=3, stride=2, rows=8)
    >>> batch.inputs.tolist(), batch.targets[batch.counted].tolist()
    ([[1, 4, 5], [5, 6, 7]], [4, 5, 6, 7, 8])
    """
    if not 1 <= stride <= length:
        raise ValueError(f"stride is {stride}, but must be between 1 and length, which is {length}")
    if rows < 1:
        raise ValueError(f"rows is {rows}, but must be at least 1")
    course = _Course(documents, np.arange(len(documents)))
    length = min(length, len(course))
    windows = 1 + -(-(len(course) - length) // stride)
    for first in range(0, windows, rows):
        numbers = np.arange(first, min(first + rows, windows))
        starts = np.minimum(numbers * stride, len(course) - length)
        seen = np.where(numbers > 0, (numbers - 1) * stride + length, 0)
        places = starts[:, None] + np.arange(length)
        yield course.at(places, places >= seen[:, None]).batch()


@dataclass(frozen=True, eq=False)
class _Arrays:
    """A batch as it travels between processes."""

    inputs: NDArray[np.int32]
    targets: NDArray[np.int32]
    counted: Booleans
    documents: Ints | None
    positions: Ints | None

    def batch(self) -> PackedBatch:
        inputs, targets = (torch.as_tensor(each, dtype=torch.int64) for each in (self.inputs, self.targets))
        documents = None if self.documents is None else torch.as_tensor(self.documents)
        positions = None if self.positions is None else torch.as_tensor(self.positions)
        return PackedBatch(inputs, targets, torch.as_tensor(self.counted), documents, positions)

    @classmethod
    def concatenate(cls, parts: list[_Arrays]) -> _Arrays:
        if len(parts) == 1:
            return parts[0]
        columns = ([getattr(part, field.name) for part in parts] for field in dataclasses.fields(cls))
        return cls(*(None if column[0] is None else np.concatenate(column) for column in columns))  # pyright: ignore[reportArgumentType]


class _Course:
    """The predictions of all documents, one document after the other."""

    def __init__(self, documents: EncodedDocuments, order: Ints) -> None:
        self._documents = documents
        self._order = order
        self._ends = np.cumsum(documents.tokens.lengths[order] + documents.ends)

    def __len__(self) -> int:
        return self._documents.predictions

    def at(self, places: Ints, counted: Booleans) -> _Arrays:
        """The predictions at these places, [rows, length], where each row is one stretch of the ring."""
        tokens, flat = self._documents.tokens, self._documents.tokens.flat
        places = places % len(self)
        place = np.searchsorted(self._ends, places, side="right")
        document = self._order[place]
        starts, lengths = tokens.starts[document], tokens.lengths[document]
        within = places - (self._ends[place] - lengths - self._documents.ends)
        last = len(flat) - 1
        here = np.minimum(starts + within, last)
        marks = self._documents.marks
        targets = np.where(within < lengths, flat[here], np.int32(marks.eos))
        inputs = np.where(within > 0, flat[np.maximum(starts + within - 1, 0)], np.int32(marks.bos))
        if self._documents.counted is not None:
            counted = counted & self._documents.counted[here]
        if self._documents.single:
            return _Arrays(inputs, targets, counted, None, None)
        begins = within == 0
        begins[:, 0] = False
        columns: Ints = np.arange(len(places[0]))
        since = np.maximum.accumulate(np.where(begins, columns, 0), axis=1)
        return _Arrays(inputs, targets, counted, np.cumsum(begins, axis=1), columns - since)


class _Numbered(Dataset[_Arrays]):
    """Batches by number; remembers the epoch it was in last."""

    def __init__(self, documents: EncodedDocuments, length: int, rows: int, seed: int, before: int) -> None:
        self._documents = documents
        self._length, self._before = length, before
        self._seed = seed
        self.rows = rows
        self.rows_per_epoch = -(-documents.predictions // length)
        self._last: tuple[int, _Course, int, Ints] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def __getitem__(self, index: int) -> _Arrays:
        rows = np.arange(index * self.rows, (index + 1) * self.rows)
        epochs = rows // self.rows_per_epoch
        return _Arrays.concatenate(
            [self._rows(epoch, rows[epochs == epoch]) for epoch in np.unique(epochs).tolist()]
        )

    def _rows(self, epoch: int, rows: Ints) -> _Arrays:
        """Rows of an epoch, by their numbers through all epochs."""
        course, offset, order = self._epoch(epoch)
        columns = np.arange(-self._before, self._length)
        places = order[rows - epoch * self.rows_per_epoch, None] * self._length + columns
        return course.at(places + offset, (columns >= 0) & (places < len(course)))

    def _epoch(self, number: int) -> tuple[_Course, int, Ints]:
        """The documents in their order, where the first row starts, and the order of the rows."""
        if self._last is None or self._last[0] != number:
            generator = np.random.default_rng([self._seed, number])
            course = _Course(self._documents, generator.permutation(len(self._documents)))
            offset = int(generator.integers(len(course)))
            self._last = number, course, offset, generator.permutation(self.rows_per_epoch)
        return self._last[1:]
