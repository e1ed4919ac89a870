"""Sentence pairs to batches of tensors.  Batch k is a pure function of (pairs, tokens, seed, k)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from qkvae.config import Marks
from qkvae.data.bpe_dropout import Words
from qkvae.data.numbered import in_order
from qkvae.data.plan import MULTIPLE, plan_epoch, rounded
from qkvae.data.ragged import Ints, Ragged, Rows, spans
from qkvae.data.tokenizer import PAD

Ids = NDArray[np.int32]

SHARD = 32_768
"""Most pairs that are encoded and planned at a time: bounds the pause and the memory of BPE-dropout."""


@runtime_checkable
class PairSource(Protocol):
    """Sentence pairs that can be asked for, again and again."""

    def __len__(self) -> int: ...

    def draw(self, rows: Ints, seed: Sequence[int]) -> SentencePairs:
        """These pairs as token ids: a pure function of (rows, seed)."""
        ...


@dataclass(frozen=True, eq=False)
class SentencePairs:
    """Pairs of sentences as token ids without special tokens.

    Raises:
        ValueError: the sides have different numbers of sentences.
    """

    sources: Ragged
    """Token ids of the source sentences."""

    targets: Ragged
    """Token ids of the target sentences."""

    marks: Marks = field(default_factory=Marks)
    """The special tokens that frame them."""

    def __post_init__(self) -> None:
        if len(self.sources) != len(self.targets):
            raise ValueError(
                f"{len(self.sources)} source sentences, but {len(self.targets)} target sentences"
            )

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, rows: Rows) -> SentencePairs:
        return SentencePairs(self.sources[rows], self.targets[rows], self.marks)

    def draw(self, rows: Ints, seed: Sequence[int]) -> SentencePairs:
        """These pairs; the same for every seed."""
        return self[rows]


@dataclass(frozen=True, eq=False)
class DropoutPairs:
    """Pairs of sentences that are encoded anew, with merges dropped, each time they are drawn (BPE-
    dropout)."""

    sources: Words
    """The source sentences."""

    targets: Words
    """The target sentences."""

    p: float
    """Probability that a merge is dropped."""

    def __len__(self) -> int:
        return len(self.sources)

    def draw(self, rows: Ints, seed: Sequence[int]) -> SentencePairs:
        """These pairs, segmented at random as the seed says."""
        return SentencePairs(
            self.sources[rows].sample(self.p, [*seed, 0]), self.targets[rows].sample(self.p, [*seed, 1])
        )


@dataclass(frozen=True, eq=False)
class Seq2SeqBatch:
    """What an encoder-decoder is trained on; rows are padded with PAD to a common multiple of 4."""

    source: Int[Tensor, "batch length"]
    """Source sentences, each ending in EOS."""

    source_lengths: Int[Tensor, " batch"]
    """Their lengths, EOS counted."""

    target_in: Int[Tensor, "batch target_length"]
    """What the decoder reads: BOS, then the target sentence."""

    target_out: Int[Tensor, "batch target_length"]
    """What it must say: the target sentence, then EOS."""

    target_lengths: Int[Tensor, " batch"]
    """Lengths of both, BOS or EOS counted."""

    @property
    def real(self) -> Bool[Tensor, "batch target_length"]:
        """Where the target has tokens and no padding."""
        places = torch.arange(self.target_out.shape[1], device=self.target_out.device)
        return places < self.target_lengths[:, None]

    @property
    def tokens(self) -> int:
        """Target tokens, padding not counted."""
        return int(self.target_lengths.sum())

    def split(self, count: int) -> list[Seq2SeqBatch]:
        """The batch cut by rows into at most ``count`` parts."""
        parts = [getattr(self, field.name).chunk(count) for field in dataclasses.fields(self)]
        return [Seq2SeqBatch(*tensors) for tensors in zip(*parts, strict=True)]

    def to(self, device: torch.device | str) -> Seq2SeqBatch:
        """The same batch on another device."""
        tensors = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Seq2SeqBatch(
            **{name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}
        )


def collate(pairs: SentencePairs, rows: Rows) -> Seq2SeqBatch:
    """These pairs as one batch.

    >>> batch = collate(SentencePairs(Ragged.from_lists([[7, 8]]), Ragged.from_lists([[9]])), [0])
    >>> batch.source.tolist(), batch.target_in.tolist(), batch.target_out.tolist()
    ([[7, 8, 2, 0]], [[1, 9, 0, 0]], [[9, 2, 0, 0]])
    """
    return _Arrays.of(pairs, rows).batch()


@dataclass(frozen=True, eq=False)
class _Arrays:
    """A batch as it travels between processes.

    Not as tensors: a worker that is told to end while it shares a tensor aborts instead.
    """

    source: Ids
    source_lengths: Ints
    target_in: Ids
    target_out: Ids
    target_lengths: Ints

    @classmethod
    def of(cls, pairs: SentencePairs, rows: Rows) -> _Arrays:
        sources, targets, marks = pairs.sources[rows], pairs.targets[rows], pairs.marks
        return cls(
            source=_padded(sources, last=marks.eos),
            source_lengths=sources.lengths + 1,
            target_in=_padded(targets, first=marks.bos),
            target_out=_padded(targets, last=marks.eos),
            target_lengths=targets.lengths + 1,
        )

    def batch(self) -> Seq2SeqBatch:
        arrays = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Seq2SeqBatch(
            **{name: torch.as_tensor(array, dtype=torch.int64) for name, array in arrays.items()}
        )


def _padded(rows: Ragged, *, first: int | None = None, last: int | None = None) -> Ids:
    """A rectangle of the rows, each with one token before or after it."""
    lengths = rows.lengths
    width = int(rounded(lengths + 1).max(initial=MULTIPLE))
    filled = np.full((len(rows), width), PAD, np.int32)
    flat, begins = filled.reshape(-1), np.arange(len(rows)) * width
    flat[spans(begins + (first is not None), lengths)] = rows.flat
    if first is not None:
        flat[begins] = first
    if last is not None:
        flat[begins + lengths] = last
    return filled


class Batches:
    """An endless, shuffled course of batches; every pair is seen once an epoch.

    All epochs have the same number of batches, also when each encodes the texts anew: as many as the first
    one needs for ``tokens`` target tokens each.  More than 32,768 pairs are cut, anew each epoch, into
    equal random shards that are encoded, planned and gone through one after the other.

    >>> words = Ragged.from_lists([[4 + n] * (n % 9) for n in range(100)])
    >>> batches = Batches(SentencePairs(words, words), tokens=100, seed=1)
    >>> stream = batches.stream(batches.batches_per_epoch)
    >>> next(stream).tokens, batches.epoch_of(batches.batches_per_epoch)
    (114, 1)
    """

    def __init__(self, pairs: PairSource, tokens: int, seed: int, workers: int = 0) -> None:
        """
        Args:
            pairs: what to learn from.
            tokens: target tokens in a batch, about; padding is not counted.
            seed: decides the order and what ``pairs`` draw at random.
            workers: processes that prepare batches; none prepares them in this one, on demand.  They are
            spawned, so
                a script that uses them needs the usual ``if __name__ == "__main__":``.

        Raises:
            ValueError: there are no pairs.
        """
        if not len(pairs):
            raise ValueError("there are no sentence pairs to make batches of")
        self.workers = workers
        self._numbered = _Numbered(pairs, tokens, seed)
        self._per_epoch = self._numbered.shards * self._numbered.batches_per_shard

    @property
    def batches_per_epoch(self) -> int:
        """Batches in every epoch."""
        return self._per_epoch

    def epoch_of(self, number: int) -> int:
        """The epoch, from 0, that a batch belongs to."""
        return number // self._per_epoch

    def __getitem__(self, number: int) -> Seq2SeqBatch:
        """Batch ``number``, counted from 0 through all epochs."""
        return self._numbered[number].batch()

    def stream(self, start: int = 0) -> Iterator[Seq2SeqBatch]:
        """Batch ``start`` and all after it, without end; closing the iterator ends its workers."""
        for each in in_order(self._numbered, start, self.workers):
            yield each.batch()


class _Numbered(Dataset[_Arrays]):
    """Batches by number; remembers the shard it made last."""

    def __init__(self, pairs: PairSource, tokens: int, seed: int) -> None:
        self._pairs = pairs
        self._tokens = tokens
        self._seed = seed
        self.shards = -(-len(pairs) // SHARD)
        self._last: tuple[int, SentencePairs, list[Ints]] | None = None
        self._batches: int | None = None  # in a shard

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    @property
    def batches_per_shard(self) -> int:
        """As many as the first shard of all needs."""
        if self._batches is None:
            self._batches = len(self._shard(0)[1])
        return self._batches

    def __getitem__(self, index: int) -> _Arrays:
        shard, place = divmod(index, self.batches_per_shard)
        pairs, plan = self._shard(shard)
        return _Arrays.of(pairs, plan[place])

    def _shard(self, number: int) -> tuple[SentencePairs, list[Ints]]:
        """A shard, counted from 0 through all epochs, encoded and planned."""
        if self._last is None or self._last[0] != number:
            epoch, part = divmod(number, self.shards)
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._pairs))
            rows = order[part :: self.shards]
            pairs = self._pairs.draw(rows, [self._seed, epoch, part])
            lengths = pairs.sources.lengths, pairs.targets.lengths
            plan = plan_epoch(*lengths, self._tokens, self._seed, number, batches=self._batches)
            self._last = number, pairs, plan
        return self._last[1:]
