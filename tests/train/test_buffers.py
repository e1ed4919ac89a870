"""Buffers that learn: killed and resumed they have the same bits, and many processes move them as one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from small_loops import Fit, Heard, small_loop
from torch import Tensor, nn
from torch.testing import assert_close

from qkvae.config import Saving
from qkvae.nn.codebook import Codebook
from qkvae.train.buffers import Buffers, Follower
from qkvae.train.loop import Loop
from qkvae.train.objective import Loss
from qkvae.train.precision import Weights
from qkvae.train.processes import ALONE, Processes


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


class Coding(Fit):
    """A line through codes, whose codebook follows what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.model.book = Codebook(4, 3, keep=0.5)
        self.model.normal = nn.BatchNorm1d(3)

    def loss(self, batch: Any) -> Loss:
        z = self.model.book(self.model.normal(batch[:, :3])).z
        total = (self.model(z) - batch[:, 3:]).square().sum()
        return Loss(total, total.detach(), len(batch))


def trained(folder: Path, kill: int | None = None) -> Loop:
    """Train or go on; killed at the beginning of a step, though saved after each."""
    loop = small_loop(folder, Coding(), saving=Saving(save_every=0.001))
    kept = loop._train_step

    def train_step(batches: Any) -> tuple[float, int]:
        if loop.step == kill:
            raise Killed
        loop.saved_at = -1.0  # a save is due after every step
        return kept(batches)

    loop._train_step = train_step  # type: ignore[method-assign]
    loop.fit()
    return loop


def state(loop: Loop) -> dict[str, Tensor]:
    return {name: x.clone() for name, x in loop.objective.model.state_dict().items()}


def killed_and_resumed(folder: Path) -> list[str]:
    """What is different from a training that was never stopped."""
    whole = state(trained(folder / "whole"))
    assert float((whole["book.codes"] - Coding().model.state_dict()["book.codes"]).abs().max()) > 0.01
    with pytest.raises(Killed):
        trained(folder / "killed", kill=5)
    resumed = state(trained(folder / "killed"))
    return [name for name, x in whole.items() if not torch.equal(x, resumed[name])]


def test_a_killed_training_goes_on_with_the_same_bits_in_its_buffers(tmp_path: Path) -> None:
    assert killed_and_resumed(tmp_path) == []


def test_buffers_left_out_of_the_state_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Buffers, "state", lambda self: {})
    monkeypatch.setattr(Buffers, "load", lambda self, state: None)
    assert "book.codes" in killed_and_resumed(tmp_path)


class Two(Processes):
    """The first of two processes; the other one counted as much again."""

    def sum_up(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            tensor.mul_(2)


def test_what_all_processes_counted_moves_the_codes() -> None:
    x = torch.randn(20, 3)
    alone, shared = nn.Sequential(Codebook(4, 3)), nn.Sequential(Codebook(4, 3))
    shared.load_state_dict(alone.state_dict())
    alone[0](x.repeat(2, 1))
    shared[0](x)
    Buffers(alone).follow(3, 0, ALONE)
    Buffers(shared).follow(3, 0, Two())
    assert_close(shared.state_dict(), alone.state_dict(), rtol=1e-5, atol=1e-6)


def test_only_what_follows_is_asked_to() -> None:
    assert isinstance(Codebook(2, 2), Follower)
    assert not isinstance(nn.BatchNorm1d(2), Follower)
    fixed = nn.Module()
    fixed.register_buffer("table", torch.zeros(3), persistent=False)
    assert Buffers(fixed).state() == {}


def test_a_part_that_ran_out_of_memory_is_not_counted_twice(tmp_path: Path) -> None:
    class Narrow(Coding):
        def loss(self, batch: Any) -> Loss:
            loss = super().loss(batch)
            if len(batch) > 4:
                raise torch.OutOfMemoryError("no memory left")
            self.seen = float(self.model.book.counted()[0].sum())
            return loss

    objective = Narrow()
    loop = small_loop(tmp_path, objective, reporter=Heard())
    loop._train_step(objective.batches(0))
    assert objective.seen == 8.0


class Held(Coding):
    """A line through codes that somebody else's weights were made for: they are held."""

    def __init__(self) -> None:
        super().__init__()
        self.model.normal.requires_grad_(False)
        object.__setattr__(self.model, "held", self.model.normal)
        self.model.normal.weight.data.fill_(1.0 + 2**-12)  # which bf16 would round
        self.model.book.train = lambda mode=True: self.model.book
        self.model.book.training = False


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_held_stays_as_it_was_and_is_saved(precision: str) -> None:
    objective = Held()
    before = {name: x.clone() for name, x in objective.model.state_dict().items()}
    weights, buffers = Weights(objective.model, precision), Buffers(objective.model)
    buffers.follow(0, 0, ALONE)
    buffers.follow(1, 0, ALONE)
    after = objective.model.state_dict()
    assert {name for name in after if name.startswith(("book", "normal"))} <= buffers.state().keys()
    assert not [name for name in weights.masters if name in buffers.state()]
    for name in buffers.state():
        assert torch.equal(after[name], before[name]), name
