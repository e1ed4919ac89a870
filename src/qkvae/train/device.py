"""Where to compute and in which arithmetic: measured here, not assumed."""

from __future__ import annotations

import ctypes
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from qkvae.config import Training
from qkvae.config.names import many
from qkvae.nn.tiles import spare_failing_tiles
from qkvae.train.processes import ALONE, Processes


@dataclass(frozen=True)
class Machine:
    """What a training computes on; kept in the run, because other choices give other bits."""

    device: str
    """cpu, cuda or mps."""

    precision: str
    """fp32, or bf16 for products with fp32 weights."""

    threads: int
    """Threads of a processor, in each process."""

    processes: int = 1
    """How many train together."""

    def describe(self) -> str:
        """One line for people."""
        several = f"{self.processes} processes on " if self.processes > 1 else ""
        if self.device == "cuda":
            return f"{several}{torch.cuda.get_device_name()}, {self.precision}"
        name = platform.processor() or platform.machine()
        place = "Apple GPU" if self.device == "mps" else f"{name} processor, {many(self.threads, 'thread')}"
        return f"{several}{place}{' each' if several else ''}, {self.precision}"


def choose_machine(training: Training, processes: Processes = ALONE) -> Machine:
    """Take what was asked for; measure what was left to us.

    Raises:
        ValueError: a device was asked for that is not there, or not for so many processes; bf16 was, on a
            processor that ends the process for it.
    """
    safe = spare_failing_tiles()  # before the first product
    device = _choose_device(training.device)
    _require_one_each(device, processes)
    threads = _choose_threads(processes) if device == "cpu" else torch.get_num_threads()
    torch.set_num_threads(threads)
    precision = training.precision
    if device == "cpu" and not safe:
        if precision == "bf16":
            raise ValueError(
                "precision bf16, but this processor's matrix tiles do not work: use fp32, or set "
                "ONEDNN_MAX_CPU_ISA=AVX512_CORE_FP16 before Python starts"
            )
        precision = "fp32"
    if precision == "auto":
        precision = _choose_precision(device)
    return Machine(device, precision, threads, processes.count)


def same_machine(facts: dict[str, Any], processes: Processes = ALONE) -> Machine:
    """What a run was begun on, to go on with the same bits; other threads where other processes share it.

    Raises:
        ValueError: its device is not there, or not for so many processes; the facts do not say what it was.
    """
    try:
        machine = Machine(**facts)
    except TypeError:
        raise ValueError(
            "the run's config.json does not say what machine it was begun on (resolved.machine): "
            "put the file back as it was"
        ) from None
    spare_failing_tiles()
    _choose_device(machine.device)
    _require_one_each(machine.device, processes)
    if machine.device == "cpu" and processes.count != machine.processes:
        machine = replace(machine, threads=_choose_threads(processes))
    elif processes.count > 1:
        machine = replace(machine, threads=min(machine.threads, processes.most_threads))
    return replace(machine, processes=processes.count)


def _require_one_each(device: str, processes: Processes) -> None:
    """Give every process a graphics processor of its own, where they compute on them.

    Raises:
        ValueError: there are fewer than processes.
    """
    if processes.count == 1 or device == "cpu":
        return
    have = torch.cuda.device_count() if device == "cuda" else 1
    if have < processes.local_count:
        raise ValueError(
            f"{processes.local_count} processes on this machine, but {have} {device} device(s): start with "
            f"--nproc-per-node {have}, or compute with --device cpu"
        )
    if device == "cuda":
        torch.cuda.set_device(processes.local_rank)


def _choose_device(asked: str) -> str:
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if asked == "auto":
        # An Apple GPU must be asked for: nobody has tried one yet.
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


def _choose_threads(processes: Processes) -> int:
    """All threads, or one, whichever is quicker just now: on a busy machine several wait for each other.

    Several processes get an equal part of the cores.  OMP_NUM_THREADS=1 says nothing then: torchrun sets it
    for all that it starts.
    """
    several = torch.get_num_threads()
    if processes.count > 1:
        return processes.most_threads if several == 1 else min(several, processes.most_threads)
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
