"""A training that is killed and resumed, beside one that was left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from qkvae import api
from qkvae.run import Run
from qkvae.train import loop


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def killed_and_resumed(train: Callable[[Path], Any], folder: Path, step: int) -> tuple[Path, Path]:
    """The folders of a training left alone, and of one that is killed after this step and resumed."""
    train(folder / "whole")
    kept = loop.Loop._after_step

    def after_step(self: loop.Loop, meter: object) -> None:
        kept(self, meter)  # type: ignore[arg-type]
        if self.step == step:
            raise Killed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(loop.Loop, "_after_step", after_step)
        with pytest.raises(Killed):
            train(folder / "killed")
    return folder / "whole", api.resume(folder / "killed", quiet=True).path


def resumes_to_the_same_bits(train: Callable[[Path], Any], folder: Path, step: int) -> bool:
    """Whether a training that is killed after this step and resumed ends in the same weights."""
    whole, killed = (Run.open(path).load_model() for path in killed_and_resumed(train, folder, step))
    return whole.keys() == killed.keys() and all(torch.equal(whole[name], killed[name]) for name in whole)
