"""Telling the curves to TensorBoard or Weights & Biases as well."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol


class Sink(Protocol):
    """Somebody who wants to know the numbers."""

    def tell(self, step: int, numbers: dict[str, float]) -> None:
        """The numbers at a step."""
        ...


class Nobody:
    """Nobody wants to know."""

    def tell(self, step: int, numbers: dict[str, float]) -> None:
        """Say nothing."""


class TensorBoard:
    """Event files under ``tensorboard/`` in the run."""

    def __init__(self, run: Path) -> None:
        self.writer: Any = _module("torch.utils.tensorboard", "tensorboard").SummaryWriter(
            run / "tensorboard"
        )

    def tell(self, step: int, numbers: dict[str, float]) -> None:
        """Write each number as a scalar."""
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()


class WandB:
    """A run of Weights & Biases, named after the run's folder."""

    def __init__(self, run: Path) -> None:
        self.run: Any = _module("wandb", "wandb").init(project="qkvae", name=run.name, dir=str(run))

    def tell(self, step: int, numbers: dict[str, float]) -> None:
        """Log the numbers."""
        self.run.log(numbers, step=step)


def make_sink(name: str, run: Path) -> Sink:
    """The sink of that name.

    Raises:
        ValueError: its package is not installed.
    """
    match name:
        case "tensorboard":
            return TensorBoard(run)
        case "wandb":
            return WandB(run)
        case _:
            return Nobody()


def _module(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise ValueError(
            f"sink {extra} needs its package: pip install 'qkvae[{extra}]', or leave it out"
        ) from None
