"""Where to compute and in which arithmetic: measured here, not assumed."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from qkvae.config import Training


@dataclass(frozen=True)
class Machine:
    """What a training computes on; kept in the run, because other choices give other bits."""

    device: str
    """cpu, cuda or mps."""

    precision: str
    """fp32, or bf16 for products with fp32 weights."""

    threads: int
    """Threads of a processor."""

    def describe(self) -> str:
        """One line for people."""
        if self.device == "cuda":
            return f"{torch.cuda.get_device_name()}, {self.precision}"
        name = platform.processor() or platform.machine()
        place = "Apple GPU" if self.device == "mps" else f"{name} processor, {self.threads} threads"
        return f"{place}, {self.precision}"


def choose_machine(training: Training) -> Machine:
    """Take what was asked for; measure what was left to us.

    Raises:
        ValueError: a device was asked for that is not there.
    """
    device = _choose_device(training.device)
    threads = _choose_threads() if device == "cpu" else torch.get_num_threads()
    torch.set_num_threads(threads)
    precision = training.precision
    if precision == "auto":
        precision = _choose_precision(device)
    return Machine(device, precision, threads)


def same_machine(facts: dict[str, Any]) -> Machine:
    """What a run was begun on, to go on with the same bits.

    Raises:
        ValueError: its device is not there, or the facts do not say what it was.
    """
    try:
        machine = Machine(**facts)
    except TypeError:
        raise ValueError(
            "the run's config.json does not say what machine it was begun on (resolved.machine): "
            "put the file back as it was"
        ) from None
    _choose_device(machine.device)
    return machine


def _choose_device(asked: str) -> str:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked == "auto":
        # An Apple GPU must be asked for: translating still computes in float64, which it does not have.
        return "cuda" if there["cuda"] else "cpu"
    if not there[asked]:
        have = ", ".join(name for name, found in there.items() if found)
        raise ValueError(
            f"device {asked} is not there (found: {have}): choose another, or install the PyTorch made for it"
        )
    return asked


def _choose_precision(device: str) -> str:
    """bf16 where its products are at least half as quick again as those of fp32, since all else is slower."""
    if device == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    if device == "mps":
        return "fp32"
    x, w = torch.randn(512, 256), torch.randn(256, 1024)
    xb, wb = x.bfloat16(), w.bfloat16()
    return "bf16" if _seconds(lambda: x @ w) > 1.5 * _seconds(lambda: xb @ wb) else "fp32"


def _choose_threads() -> int:
    """All threads, or one, whichever is quicker just now: on a busy machine several wait for each other."""
    several = torch.get_num_threads()
    if several == 1 or "OMP_NUM_THREADS" in os.environ:
        return several
    x, w = torch.randn(1024, 256), torch.randn(256, 1024)

    def work() -> Tensor:
        return (x @ w).relu().sum(0)

    quickest = {}
    for threads in (1, several):
        torch.set_num_threads(threads)
        quickest[threads] = _seconds(work, rounds=15)
    return several if quickest[several] < quickest[1] else 1


def _seconds(work: Callable[[], Tensor], rounds: int = 8) -> float:
    """The median time of some calls, after one that warms up."""
    work()
    times: list[float] = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return sorted(times)[rounds // 2]


def keep_freed_memory() -> None:
    """Tell glibc to keep freed memory for the next step instead of giving it back to the system.

    A training step frees and asks for the same tens of megabytes again and again; given back, each page must
    be found and cleared anew (5 to 8 % of a step's time).  Without effect on other C libraries.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mallopt = ctypes.CDLL(None).mallopt
    trim_threshold, mmap_threshold = -1, -3
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_threshold, 2**30)
