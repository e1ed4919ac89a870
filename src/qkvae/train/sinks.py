"""Telling the curves to TensorBoard or Weights & Biases as well."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

_MODULES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}


@runtime_checkable
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
        self.writer: Any = _module("tensorboard").SummaryWriter(run / "tensorboard")

    def tell(self, step: int, numbers: dict[str, float]) -> None:
        """Write each number as a scalar."""
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, step)
        self.writer.flush()


class WandB:
    """A run of Weights & Biases, named after the run's folder."""

    def __init__(self, run: Path) -> None:
        self.run: Any = _module("wandb").init(project="qkvae", name=run.name, dir=str(run))

    def tell(self, step: int, numbers: dict[str, float]) -> None:
        """Log the numbers."""
        self.run.log(numbers, step=step)


def require_sink(name: str) -> None:
    """Refuse a sink that is not there before any work is done for it.

    Raises:
        ValueError: its package is not installed.
    """
    if name != "none":
        _module(name)


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


def _module(name: str) -> Any:
    try:
        return importlib.import_module(_MODULES[name])
    except ImportError:
        raise ValueError(
            f'sink {name} needs its package: pip install "qkvae[{name}]", or leave it out'
        ) from None
