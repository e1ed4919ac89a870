"""Sentences of different lengths packed into rows, without padding but for the end of a row.

Batch k is a pure function of (sentences, length, tokens, seed, k).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from qkvae.data.corruption import Corruption
from qkvae.data.encoded import Sentences
from qkvae.data.even import EvenBatches, first_fit
from qkvae.data.numbered import in_order
from qkvae.data.ragged import Ints, spans
from qkvae.data.tokenizer import PAD

PADDING = -1
"""The document number of padding."""


@dataclass(frozen=True, eq=False)
class PackedBatch:
    """Rows in which sentences follow each other; a token may look at those of its own sentence only."""

    ids: Int[Tensor, "rows length"]
    """Token ids; PAD behind the last sentence of a row."""

    documents: Int[Tensor, "rows length"]
    """Number of the sentence within its row, from 0; -1 where there is padding."""

    positions: Int[Tensor, "rows length"]
    """Place of the token within its sentence, from 0."""

    segments: Int[Tensor, "rows length"]
    """Kind of the token, see `Sentences.kinds`: odd from the second text of a pair on; 0 where there is
    padding."""

    sentences: Int[Tensor, " count"]
    """Which sentences of the data these are, in the order in which they stand in the rows."""

    places: Int[Tensor, " count"]
    """Where each begins in the flattened rows: the place of its first token."""

    @property
    def tokens(self) -> int:
        """Tokens, padding not counted."""
        return int((self.documents >= 0).sum())

    def split(self, count: int) -> list[PackedBatch]:
        """The batch cut by rows into at most ``count`` parts."""
        names = ("ids", "documents", "positions", "segments")
        tables = [getattr(self, name).chunk(count) for name in names]
        parts: list[PackedBatch] = []
        begin = 0
        for ids, documents, positions, segments in zip(*tables, strict=True):
            end = begin + ids.numel()
            inside = (self.places >= begin) & (self.places < end)
            sentences, places = self.sentences[inside], self.places[inside] - begin
            parts.append(PackedBatch(ids, documents, positions, segments, sentences, places))
            begin = end
        return parts

    def to(self, device: torch.device | str) -> PackedBatch:
        """The same batch on another device."""
        tensors = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return PackedBatch(**{name: each.to(device, non_blocking=True) for name, each in tensors.items()})


@dataclass(frozen=True, eq=False)
class MaskedBatch:
    """A packed batch with some tokens hidden."""

    packed: PackedBatch
    """The rows as the model sees them: ``packed.ids`` are corrupted."""

    places: Int[Tensor, " chosen"]
    """Where the chosen tokens stand in the flattened rows."""

    targets: Int[Tensor, " chosen"]
    """The tokens that stood there."""

    @property
    def tokens(self) -> int:
        """Tokens that are asked about."""
        return len(self.targets)

    def split(self, count: int) -> list[MaskedBatch]:
        """The batch cut by rows into at most ``count`` parts."""
        parts: list[MaskedBatch] = []
        begin = 0
        for each in self.packed.split(count):
            end = begin + each.ids.numel()
            inside = (self.places >= begin) & (self.places < end)
            parts.append(MaskedBatch(each, self.places[inside] - begin, self.targets[inside]))
            begin = end
        return parts

    def to(self, device: torch.device | str) -> MaskedBatch:
        """The same batch on another device."""
        places, targets = (each.to(device, non_blocking=True) for each in (self.places, self.targets))
        return MaskedBatch(self.packed.to(device), places, targets)


def pack(sentences: Sentences, chosen: Ints, length: int) -> PackedBatch:
    """These sentences in as few rows of ``length`` tokens as `first_fit` needs.

    >>> from qkvae.data.ragged import Ragged
    >>> rows = Sentences.framed(Ragged.from_lists([[7], [8, 8, 8], [9, 9]]), first=1, last=2)
    >>> batch = pack(rows, np.arange(3), length=8)
    >>> batch.ids.tolist()
    [[1, 8, 8, 8, 2, 1, 7, 2], [1, 9, 9, 2, 0, 0, 0, 0]]
    >>> batch.documents.tolist()[0], batch.sentences.tolist(), batch.places.tolist()
    ([0, 0, 0, 0, 0, 1, 1, 1], [1, 0, 2], [0, 5, 8])
    """
    part = sentences[chosen]
    lengths = part.ids.lengths
    row, begin, number, rows = first_fit(lengths, length)
    places = row * length + begin
    at = spans(places, lengths)
    inside = at - np.repeat(places, lengths)
    tables = {name: np.zeros(rows * length, np.int64) for name in ("positions", "segments")}
    ids, documents = np.full(rows * length, PAD, np.int64), np.full(rows * length, PADDING, np.int64)
    ids[at] = part.ids.flat
    documents[at] = np.repeat(number, lengths)
    tables["positions"][at] = inside
    tables["segments"][at] = part.kinds()
    order = np.argsort(places, kind="stable")
    tables = {"ids": ids, "documents": documents, **tables}
    return PackedBatch(
        **{name: torch.from_numpy(table.reshape(rows, length)) for name, table in tables.items()},
        sentences=torch.from_numpy(np.ascontiguousarray(chosen[order], np.int64)),
        places=torch.from_numpy(places[order]),
    )


class PackedSentences:
    """An endless, shuffled course of packed batches; every sentence is seen once an epoch.

    Each epoch's order is cut into batches of nearly equally many tokens, as many batches in every epoch,
    and each batch is packed by itself, so that any of them is had without those before it.

    >>> from qkvae.data.ragged import Ragged
    >>> rows = Ragged.from_lists([[5 + n] * (1 + n % 9) for n in range(100)])
    >>> batches = PackedSentences(Sentences.framed(rows, first=1, last=2), length=32, tokens=128, seed=1)
    >>> batches.batches_per_epoch, batches[0].ids.shape, batches.epoch_of(7)
    (5, torch.Size([5, 32]), 1)
    """

    def __init__(self, sentences: Sentences, length: int, tokens: int, seed: int) -> None:
        """
        Args:
            sentences: what to learn from.
            length: tokens of a row.
            tokens: tokens in a batch, about; padding is not counted.
            seed: decides the order.

        Raises:
            ValueError: there are no sentences, or one is longer than a row.
        """
        if not len(sentences):
            raise ValueError("there are no sentences to make batches of")
        lengths = sentences.ids.lengths
        if int(lengths.max()) > length:
            raise ValueError(
                f"sentence {int(lengths.argmax()) + 1} has {int(lengths.max())} tokens, but a row holds "
                f"{length}: "
                "cut it or leave it out"
            )
        self.sentences, self.length = sentences, length
        self._batches = EvenBatches(lengths, tokens, seed)

    @property
    def batches_per_epoch(self) -> int:
        """Batches in every epoch."""
        return self._batches.per_epoch

    def epoch_of(self, number: int) -> int:
        """The epoch, from 0, that a batch belongs to."""
        return number // self._batches.per_epoch

    def __getitem__(self, number: int) -> PackedBatch:
        """Batch ``number``, counted from 0 through all epochs."""
        return pack(self.sentences, self._batches[number], self.length)

    def stream(self, start: int = 0, workers: int = 0) -> Iterator[PackedBatch]:
        """Batch ``start`` and all after it, without end, prepared by so many processes beside this one."""
        return in_order(self, start, workers)

    def once(self) -> Iterator[PackedBatch]:
        """Every sentence once, in the order of the data, for evaluation."""
        for chosen in self._batches.in_turn():
            yield pack(self.sentences, chosen, self.length)


class MaskedSentences:
    """Packed batches with some tokens hidden; batch k is a pure function of (sentences, seed, k)."""

    def __init__(self, batches: PackedSentences, corruption: Corruption, seed: int) -> None:
        """
        Args:
            batches: the sentences, packed.
            corruption: how tokens are hidden.
            seed: with the batch's number, decides which.
        """
        self.batches, self.corruption, self._seed = batches, corruption, seed

    @property
    def batches_per_epoch(self) -> int:
        """Batches in every epoch."""
        return self.batches.batches_per_epoch

    def epoch_of(self, number: int) -> int:
        """The epoch, from 0, that a batch belongs to."""
        return self.batches.epoch_of(number)

    def __getitem__(self, number: int) -> MaskedBatch:
        """Batch ``number``, counted from 0 through all epochs."""
        return hidden(self.batches[number], self.corruption, self._seed, number)

    def stream(self, start: int = 0, workers: int = 0) -> Iterator[MaskedBatch]:
        """Batch ``start`` and all after it, without end, prepared by so many processes beside this one."""
        return in_order(self, start, workers)

    def once(self) -> Iterator[MaskedBatch]:
        """Every sentence once, always with the same tokens hidden, for evaluation."""
        return (
            hidden(each, self.corruption, self._seed, step) for step, each in enumerate(self.batches.once())
        )


def hidden(batch: PackedBatch, corruption: Corruption, seed: int, step: int) -> MaskedBatch:
    """A packed batch with some of its tokens hidden: a pure function of its arguments."""
    corrupted = corruption(batch.ids.numpy(), batch.documents.numpy(), seed, step)
    packed = dataclasses.replace(batch, ids=torch.from_numpy(corrupted.ids))
    return MaskedBatch(packed, torch.from_numpy(corrupted.places), torch.from_numpy(corrupted.targets))
