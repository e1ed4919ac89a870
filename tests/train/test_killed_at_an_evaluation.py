"""A training by minutes, killed around an evaluation: the weights on disk are of the plan that was logged.

Minutes make it hard: what is resumed goes on at another speed, so by another plan, and never meets the steps
again at which the killed one was evaluated.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from small_loops import Fit, Heard
from torch import Tensor

from qkvae.config import Optimizer, Saving, Training, Translation
from qkvae.run import Run
from qkvae.train.device import Machine
from qkvae.train.loop import Loop
from qkvae.train.plan import Plan, plans_of

EFFECTS = ("save_state", "save_model", "save_checkpoint", "log")
"""All that a training does to a run."""


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


class Peaked(Fit):
    """Best on the way and worse again afterwards, as when a model learns its training data by heart."""

    def __init__(self) -> None:
        super().__init__()
        self.start = self.weight()

    def weight(self) -> Tensor:
        return dict(self.model.named_parameters())["inner.weight"].detach().clone()

    def validate(self) -> dict[str, float]:
        return {"score": -abs(float((self.weight() - self.start).norm()) - 0.3)}


def ticking(seconds: float) -> Callable[[], float]:
    """A clock that each look moves on."""
    looks = itertools.count()
    return lambda: next(looks) * seconds


def make_run(path: Path) -> Run:
    config = Translation(
        training=Training(minutes=1.0, validations=6, average="ema"),
        optimizer=Optimizer(name="adamw", lr=0.0045),
        saving=Saving(save_every=1000, keep=2),
    )
    return Run.create(path, "translation", config)


def train(run: Run, clock: Callable[[], float], replay: list[Plan] | None = None) -> None:
    Loop(Peaked(), run, Machine("cpu", "fp32", 1), Heard(), clock=clock, replay=replay).fit()


def kill_at(patch: pytest.MonkeyPatch, effect: int, before: bool) -> list[str]:
    """Be killed just before or just after the effect of that number; all effects so far."""
    seen: list[str] = []

    def watched(name: str, original: Callable[..., None]) -> Callable[..., None]:
        def act(self: Run, *arguments: Any) -> None:
            seen.append(name)
            if before and len(seen) == effect:
                raise Killed
            original(self, *arguments)
            if not before and len(seen) == effect:
                raise Killed

        return act

    for name in EFFECTS:
        patch.setattr(Run, name, watched(name, getattr(Run, name)))
    return seen


def everything(run: Run) -> dict[str, Tensor]:
    """The weights to use, those of the checkpoints, and what resuming needs."""
    found, _ = run.load_state() or ({}, {})
    found |= {f"model.{name}": w for name, w in run.load_model().items()}
    for step in run.checkpoints():
        found |= {f"step-{step}.{name}": w for name, w in run.load_checkpoint(step).items()}
    return found


def evaluations(run: Run) -> list[tuple[int, float, bool]]:
    return [(r["step"], r["score"], r["best"]) for r in run.records() if "score" in r]


def test_killed_at_any_instant_around_evaluations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        effects = kill_at(patch, -1, before=True)
        train(make_run(tmp_path / "whole"), ticking(0.05))
    models = [number for number, name in enumerate(effects, 1) if name == "save_model"]
    assert len(models) >= 3, effects
    assert not evaluations(Run.open(tmp_path / "whole"))[-1][2], "the best must not be the last"
    around = range(models[-1] - 2, models[-1] + 5)
    for number, before in itertools.product(around, (True, False)):
        path = tmp_path / f"killed-{number}-{before}"
        with monkeypatch.context() as patch:
            kill_at(patch, number, before)
            with pytest.raises(Killed):
                train(make_run(path), ticking(0.05))
        run = Run.open(path, resume=True)
        train(run, ticking(0.11))
        again = make_run(tmp_path / f"again-{number}-{before}")
        train(again, ticking(0.05), replay=plans_of(run.records()))
        found, expected = everything(run), everything(again)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected), (number, before)
        assert evaluations(run) == evaluations(again)
        assert len(evaluations(run)) == 6


class Slow(Peaked):
    """Its third evaluation takes longer than all the time that is left."""

    def __init__(self) -> None:
        super().__init__()
        self.late, self.evaluated = 0.0, 0

    def validate(self) -> dict[str, float]:
        self.evaluated += 1
        self.late += 60.0 if self.evaluated == 3 else 0.0
        return super().validate()


def train_slowly(run: Run) -> None:
    objective, tick = Slow(), ticking(0.05)
    Loop(objective, run, Machine("cpu", "fp32", 1), Heard(), clock=lambda: tick() + objective.late).fit()


def test_killed_around_an_evaluation_that_uses_up_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        effects = kill_at(patch, -1, before=True)
        train_slowly(make_run(tmp_path / "whole"))
    assert len(evaluations(Run.open(tmp_path / "whole"))) == 3
    last_save = max(number for number, name in enumerate(effects, 1) if name == "save_state")
    for number, before in itertools.product(range(last_save, len(effects) + 1), (True, False)):
        path = tmp_path / f"killed-{number}-{before}"
        with monkeypatch.context() as patch:
            kill_at(patch, number, before)
            with pytest.raises(Killed):
                train_slowly(make_run(path))
        run = Run.open(path, resume=True)
        train(run, ticking(0.11))
        again = make_run(tmp_path / f"again-{number}-{before}")
        train(again, ticking(0.05), replay=plans_of(run.records()))
        found, expected = everything(run), everything(again)
        assert all(torch.equal(found[name], expected[name]) for name in expected), (number, before)
        assert evaluations(run) == evaluations(again)
        saved = not (number == last_save and before)
        assert (len(evaluations(run)) == 3) == saved, (
            "once saved it was the last one, and it is not made again"
        )


def test_an_evaluation_once_saved_is_neither_made_again_nor_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly between the save of the weights and whatever comes next."""
    run = make_run(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Run, "log", lambda self, record: None)  # the disk has none of it yet
        kept = Run.save_model

        def save_model(self: Run, weights: dict[str, Tensor]) -> None:
            kept(self, weights)
            raise Killed

        patch.setattr(Run, "save_model", save_model)
        with pytest.raises(Killed):
            train(run, ticking(0.05))
    on_disk = run.load_model()["inner.weight"]
    assert evaluations(run) == []
    loop = Loop(Peaked(), Run.open(tmp_path), Machine("cpu", "fp32", 1), Heard(), clock=ticking(0.11))
    ((step, score, best),) = evaluations(run)
    assert (step, score, best) == (loop.step, loop.best, True)
    assert torch.equal(run.load_model()["inner.weight"], on_disk)
    assert loop.validations == 1
