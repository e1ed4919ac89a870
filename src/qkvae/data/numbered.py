"""Batches that are known by their number, one after the other: prepared in this process or in others."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator
from typing import Protocol, TypeVar, cast, runtime_checkable

import torch
from torch.utils.data import DataLoader, Dataset

T = TypeVar("T")
Item = TypeVar("Item", covariant=True)


@runtime_checkable
class Numbered(Protocol[Item]):
    """What gives an item by its number."""

    def __getitem__(self, number: int, /) -> Item: ...


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
