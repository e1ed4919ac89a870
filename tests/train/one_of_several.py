"""One process of several that train a small line together: ``python one_of_several.py FOLDER SCENARIOS``.

The scenarios, in JSON, by name: the settings of `scene`.  Each is trained in a folder of its name, beside
which every process writes what it found.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from small_loops import Fit, Heard, small_loop
from torch import nn

from qkvae.train.objective import Loss
from qkvae.train.processes import ALONE, LostProcess, Processes, joined


class Uneven(Fit):
    """Batches of different numbers of rows, and a weight that is never used."""

    def __init__(self, rows: int) -> None:
        super().__init__(rows=rows)
        self.model.unused = nn.Parameter(torch.ones(2))
        self.drawn: list[float] = []

    def batches(self, start: int) -> Iterator[Any]:
        for number, batch in enumerate(super().batches(start), start):
            yield batch[: max(1, self.rows - number % 3)]

    def loss(self, batch: Any) -> Loss:
        self.drawn.append(float(torch.rand(())))
        return super().loss(batch)


class AveragedPerProcess(Uneven):
    """The planted fault: each process takes the mean over its own rows, and these means are averaged."""

    def size(self, batch: Any) -> int:
        self.whole = len(batch)
        return self.whole

    def loss(self, batch: Any) -> Loss:
        loss = super().loss(batch)
        return Loss(loss.total / len(batch) * self.whole / 2, loss.nll, loss.count)


def scene(
    folder: Path,
    processes: Processes = ALONE,
    *,
    rows: int = 8,
    fault: bool = False,
    kill: int | None = None,
    stop: int | None = None,
    **training: Any,
) -> dict[str, Any]:
    """Train or go on, the last process killed or asked to stop at a step; what came out of it."""
    objective, heard = (AveragedPerProcess if fault else Uneven)(rows), Heard()
    loop = small_loop(folder, objective, reporter=heard, processes=processes, **training)
    kept = loop._train_step

    def train_step(batches: Any) -> tuple[float, int]:
        if processes.rank == processes.count - 1:
            if loop.step == kill:
                os._exit(9)  # as abruptly as a kill
            if loop.step == stop:
                signal.raise_signal(signal.SIGINT)
        return kept(batches)

    loop._train_step = train_step  # type: ignore[method-assign]
    ended = "whole"
    try:
        loop.fit()
    except (KeyboardInterrupt, LostProcess) as error:
        ended = f"{type(error).__name__}: {error}"
    return {
        "ended": ended,
        "step": loop.step,
        "weights": {name: w.tolist() for name, w in loop.learner.weights.masters.items()},
        "losses": [loss for _, loss, _, _ in heard.steps],
        "rows": objective.asked,
        "drawn": objective.drawn,
    }


def main() -> None:
    """Every scenario, one after the other."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    for name, settings in json.loads(sys.argv[2]).items():
        with joined() as processes:
            found = scene(folder / name, processes, **settings)
            (folder / f"{name}-{processes.rank}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
