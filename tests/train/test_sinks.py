"""TensorBoard and Weights & Biases are told the curves; where they are not there they are refused at once."""

from __future__ import annotations

import sys
import types
from pathlib import Path
from typing import Any

import pytest
from small_loops import Fit, small_loop

from qkvae.config import Saving
from qkvae.train.sinks import make_sink, require_sink

MODULES = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb"}


@pytest.mark.parametrize("name", MODULES)
def test_without_the_package(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    for ask in (lambda: require_sink(name), lambda: make_sink(name, tmp_path)):
        with pytest.raises(
            ValueError, match=rf'sink {name} needs its package: pip install "qkvae\[{name}\]"'
        ):
            ask()


def test_nobody_needs_nothing(tmp_path: Path) -> None:
    require_sink("none")
    make_sink("none", tmp_path).tell(1, {"loss": 2.0})


def test_tensorboard_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[Any, ...]] = []

    class SummaryWriter:
        def __init__(self, folder: Path) -> None:
            told.append((folder,))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            told.append((name, value, step))

        def flush(self) -> None:
            pass

    monkeypatch.setitem(
        sys.modules, MODULES["tensorboard"], types.SimpleNamespace(SummaryWriter=SummaryWriter)
    )
    loop = small_loop(tmp_path / "run", Fit([3.0, 4.0]), validations=2, saving=Saving(sink="tensorboard"))
    loop.fit()
    assert told == [(tmp_path / "run" / "tensorboard",), ("score", 3.0, 4), ("score", 4.0, 8)]


def test_wandb_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    run = types.SimpleNamespace(log=lambda numbers, step: told.append((numbers, step)))
    fake = types.SimpleNamespace(init=lambda **facts: told.append(facts) or run)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    make_sink("wandb", tmp_path / "mine").tell(5, {"loss": 2.0})
    assert told == [{"project": "qkvae", "name": "mine", "dir": str(tmp_path / "mine")}, ({"loss": 2.0}, 5)]
