# PyTorch documents stores and rendezvous, but its modules do not list them as their own.
# pyright: reportPrivateImportUsage=false
"""Several processes that train one model together, as torchrun starts them; or this one alone.

Each holds the whole model and makes every batch, computes the gradient of its share of the batch's rows, and
takes the same optimiser step: the sum over the processes' shares, divided by the tokens of the whole batch,
is the gradient that one process computes.  What depends on a clock, a disk or a person is decided by the
first process alone, and told to the others.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor

from qkvae.train.objective import Objective

# The others wait for an evaluation or the report of the first, however long; a process that has ended is
# noticed by its closed connection and not by this.
_PATIENCE = timedelta(days=2)

_meetings = itertools.count()  # a script may train several times


class LostProcess(ConnectionError):
    """Another process of this training has ended."""


@dataclass(frozen=True)
class Processes:
    """Which of the processes this is, and what they do together; alone, everything is as it was.

    >>> ALONE.told({"plan": 1}), ALONE.total(2.0, 3.0), ALONE.leads
    ({'plan': 1}, [2.0, 3.0], True)
    """

    rank: int = 0
    """Its number, from 0."""

    count: int = 1
    """How many there are."""

    local_rank: int = 0
    """Its number among those of this machine."""

    local_count: int = 1
    """How many this machine runs."""

    @property
    def leads(self) -> bool:
        """Whether it is the first: the one that evaluates, writes, decides and speaks."""
        return self.rank == 0

    @property
    def most_threads(self) -> int:
        """Threads that each of this machine's processes may use, so that all together have a core each."""
        return max(1, _cores() // self.local_count)

    def share(self, objective: Objective, batch: Any) -> list[Any]:
        """This process's part of a batch; none where there are fewer rows than processes."""
        if self.count == 1:
            return [batch]
        return objective.parts(batch, self.count)[self.rank : self.rank + 1]

    def add_up(self, weights: Sequence[Tensor]) -> None:
        """Every weight's gradient becomes the sum of the processes' gradients, in the weights' own fp32.

        Where no process has any, there stays none.

        Raises:
            LostProcess: another one has ended.
        """
        if self.count > 1:
            summed = flattened(weights)
            with _noticing_the_lost():
                dist.all_reduce(summed)
            spread(summed, weights)

    def sum_up(self, tensors: Sequence[Tensor]) -> None:
        """Every tensor becomes the sum of the processes' tensors, in place.

        Raises:
            LostProcess: another one has ended.
        """
        if self.count > 1:
            for tensor in tensors:
                with _noticing_the_lost():
                    dist.all_reduce(tensor)

    def total(self, *numbers: float) -> list[float]:
        """Each number summed over the processes.

        Raises:
            LostProcess: another one has ended.
        """
        if self.count == 1:
            return list(numbers)
        summed = torch.tensor(numbers, dtype=torch.float64)
        with _noticing_the_lost():
            dist.all_reduce(summed)
        return _numbers(summed)

    def wait(self) -> None:
        """Wait until all processes are here.

        Raises:
            LostProcess: another one has ended.
        """
        self.total(0.0)

    def told_numbers(self, *numbers: float) -> list[float]:
        """The numbers of the first process.

        Raises:
            LostProcess: another one has ended.
        """
        if self.count == 1:
            return list(numbers)
        return _numbers(_of_the_first(torch.tensor(numbers, dtype=torch.float64)))

    def told(self, value: Any) -> Any:
        """What the first process gives, to all of them: anything that JSON can write.

        Raises:
            LostProcess: another one has ended.
        """
        if self.count == 1:
            return value
        text = json.dumps(value).encode("utf-8") if self.leads else b""
        (length,) = self.told_numbers(len(text))
        letters = np.frombuffer(text, np.uint8).copy() if self.leads else np.zeros(int(length), np.uint8)
        return json.loads(_of_the_first(torch.from_numpy(letters)).numpy().tobytes())

    def told_tensors(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of the first process, by name, on the CPU; those that the others give do not count.

        Raises:
            LostProcess: another one has ended.
        """
        if self.count == 1:
            return tensors
        here = {name: t.detach().cpu().contiguous() for name, t in tensors.items() if self.leads}
        known = self.told([(name, str(t.dtype), t.shape) for name, t in here.items()])
        if not self.leads:
            here = {
                name: torch.empty(shape, dtype=getattr(torch, dtype.removeprefix("torch.")))
                for name, dtype, shape in known
            }
        return {name: _of_the_first(t) for name, t in here.items()}


ALONE = Processes()
"""One process, as without torchrun."""


def flattened(weights: Sequence[Tensor]) -> Float[Tensor, " n"]:
    """All gradients one behind the other, zeros where there is none, and then 1 for each that there is.

    >>> weights = [torch.ones(2), torch.ones(1)]
    >>> weights[0].grad = torch.tensor([3.0, 4.0])
    >>> flattened(weights)
    tensor([3., 4., 0., 1., 0.])
    """
    there = torch.tensor([float(w.grad is not None) for w in weights], device=weights[0].device)
    gradients = (torch.zeros_like(w) if w.grad is None else w.grad for w in weights)
    return torch.cat([*(gradient.flatten() for gradient in gradients), there])


def spread(summed: Float[Tensor, " n"], weights: Sequence[Tensor]) -> None:
    """The sum of what `flattened` gave, back as the weights' gradients.

    >>> weights = [torch.ones(2), torch.ones(1)]
    >>> spread(torch.tensor([3.0, 4.0, 0.0, 1.0, 0.0]), weights)
    >>> [w.grad for w in weights]
    [tensor([3., 4.]), None]
    """
    *begins, end = itertools.accumulate((w.numel() for w in weights), initial=0)
    for w, begin, known in zip(weights, begins, _numbers(summed[end:]), strict=True):
        gradient = summed[begin : begin + w.numel()]
        w.grad = gradient.view_as(w) if known else None


@contextmanager
def joined() -> Generator[Processes]:
    """The processes that torchrun started, connected while the block runs; without torchrun this one alone.

    What goes wrong is said once: a process that fails where another has already said why ends in silence.

    Raises:
        LostProcess: another one has ended and nobody said why.
    """
    here = os.environ
    count = int(here.get("WORLD_SIZE", 1)) if "RANK" in here else 1
    if count == 1:
        yield ALONE
        return
    rank, local_count = int(here["RANK"]), int(here.get("LOCAL_WORLD_SIZE", count))
    store, _, _ = next(iter(dist.rendezvous("env://", rank, count)))
    store = dist.PrefixStore(f"qkvae/{next(_meetings)}", store)
    backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=_PATIENCE)
    try:
        processes = Processes(rank, count, int(here.get("LOCAL_RANK", rank)), local_count)
        yield processes
        processes.wait()  # nobody leaves before the first has written everything
    except Exception:
        if store.add("said", 1) > 1:
            raise SystemExit(1) from None
        raise
    dist.destroy_process_group()  # after a failure the end of the process does it, which cannot wait in vain


def _numbers(tensor: Tensor) -> list[float]:
    return [float(number) for number in tensor.cpu()]


def _of_the_first(tensor: Tensor) -> Tensor:
    with _noticing_the_lost():
        dist.broadcast(tensor, 0)
    return tensor


@contextmanager
def _noticing_the_lost() -> Generator[None]:
    try:
        yield
    except RuntimeError as error:
        raise LostProcess(
            "another process of this training has ended (its own message or the system's log says why, such "
            "as too little memory): start the same number again, or fewer, with resume"
        ) from error


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
