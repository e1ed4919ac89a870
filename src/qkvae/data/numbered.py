"""Batches that are known by their number, one after the other: prepared in this process or in others."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from qkvae.data.ragged import Ints

T = TypeVar("T")
Item = TypeVar("Item", covariant=True)


@runtime_checkable
class Numbered(Protocol[Item]):
    """What gives an item by its number."""

    def __getitem__(self, number: int, /) -> Item: ...


class EpochOrder:
    """The order of ``count`` examples in each epoch, a pure function of (seed, epoch); the last one is kept.

    >>> order = EpochOrder(5, seed=1)
    >>> sorted([*order.batch(0, 2).tolist(), *order.batch(1, 2).tolist()])
    [0, 1, 2, 3, 4]
    """

    def __init__(self, count: int, seed: int) -> None:
        self._count, self._seed = count, seed
        self._last: tuple[int, Ints] | None = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_last": None}

    def __call__(self, epoch: int) -> Ints:
        """Every example once."""
        if self._last is None or self._last[0] != epoch:
            self._last = epoch, np.random.default_rng([self._seed, epoch]).permutation(self._count)
        return self._last[1]

    def batch(self, number: int, per_epoch: int) -> Ints:
        """The examples of a batch, counted from 0 through all epochs; an epoch is cut into equal shares."""
        epoch, place = divmod(number, per_epoch)
        begin, end = (share * self._count // per_epoch for share in (place, place + 1))
        return self(epoch)[begin:end]


def in_order(numbered: Numbered[T], start: int, workers: int) -> Iterator[T]:
    """Number ``start`` of an endless data set and all after it; closing the iterator ends its workers.

    Args:
        numbered: gives each item by its number; goes to the workers as a copy.
        start: the first number.
        workers: processes that prepare items ahead; none prepares them in this one, on demand.
    """
    if not workers:
        for number in itertools.count(start):
            yield numbered[number]
    yield from DataLoader(
        cast("Dataset[T]", numbered),
        sampler=_From(start),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn",
        prefetch_factor=4,
        worker_init_fn=_leave_interrupts,
        generator=torch.Generator(),  # the loader draws a number: not from the training's generator
    )


def _leave_interrupts(worker: int) -> None:
    """Ctrl-C reaches every process of a terminal: the training answers it, and needs its workers to save."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class _From:
    """The numbers from ``start`` on."""

    def __init__(self, start: int) -> None:
        self._start = start

    def __iter__(self) -> Iterator[int]:
        return itertools.count(self._start)
