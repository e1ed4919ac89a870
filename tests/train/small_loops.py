"""A loop over something small: three numbers in, one out, as a family of its own would train."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from qkvae.config import Optimizer, Saving, Training, Translation
from qkvae.nn.projection import Projection
from qkvae.run import Run
from qkvae.run.manifest import Manifest
from qkvae.train.device import Machine
from qkvae.train.loop import Loop
from qkvae.train.objective import Loss
from qkvae.train.processes import ALONE, Processes

ROWS = 8


class Line(nn.Module):
    """w·x + b, times a gain."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Projection(3, (1,))
        self.gain = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x)[0] * self.gain


class Fit:
    """Squared error; the figures of the evaluations may be told beforehand."""

    metric = "score"
    larger_is_better = True
    counted = "rows"

    def __init__(self, scores: Sequence[float] = (), rows: int = ROWS) -> None:
        torch.manual_seed(7)
        self.model: nn.Module = Line()
        self.rows = rows
        self.scores = list(scores)
        self.asked: list[int] = []
        """Rows of every loss that was computed."""

    def batches(self, start: int) -> Iterator[Any]:
        for number in itertools.count(start):
            draw = torch.Generator().manual_seed(number)
            x = torch.randn(self.rows, 3, generator=draw)
            yield torch.cat([x, x.sum(1, keepdim=True)], 1)

    def parts(self, batch: Any, count: int) -> list[Any]:
        return list(batch.chunk(count))

    def size(self, batch: Any) -> int:
        return len(batch)

    def loss(self, batch: Any) -> Loss:
        self.asked.append(len(batch))
        total = (self.model(batch[:, :3]) - batch[:, 3:]).square().sum()
        return Loss(total, total.detach(), len(batch))

    def validate(self) -> dict[str, float]:
        return {"score": self.scores.pop(0) if self.scores else 0.0}


class Heard:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[tuple[float, float, str, float]] = []

    def say(self, text: str) -> None:
        self.said.append(text)

    def step(self, progress: float, loss: float, speed: str, seconds_left: float) -> None:
        self.steps.append((progress, loss, speed, seconds_left))

    def close(self) -> None:
        pass


def small_loop(
    folder: Path,
    objective: Fit,
    *,
    optimizer: Optimizer | None = None,
    saving: Saving | None = None,
    reporter: Heard | None = None,
    processes: Processes = ALONE,
    **training: Any,
) -> Loop:
    """A loop of 8 steps in a new run, or from where the folder's run stands."""
    asked: dict[str, Any] = {"steps": 8, "validations": 4, "average": "none"} | training
    config = Translation(
        training=Training(**asked),
        optimizer=optimizer or Optimizer(name="adamw", lr=0.1),
        saving=saving or Saving(save_every=1000),
    )
    if not processes.leads:
        run = Run(folder, Manifest(task="translation", config=config))
    elif (folder / "config.json").exists():
        run = Run.open(folder)
    else:
        run = Run.create(folder, "translation", config)
    return Loop(objective, run, Machine("cpu", "fp32", 1), reporter or Heard(), processes=processes)
