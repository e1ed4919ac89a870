"""The loop: what a step computes, which weights are kept, when it ends."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_loops import Fit, Heard, small_loop
from torch.testing import assert_close

from qkvae.config import Optimizer, Saving, Training, Translation
from qkvae.run import Run
from qkvae.train.device import Machine
from qkvae.train.loop import Loop
from qkvae.train.memory import ran_out
from qkvae.train.objective import Loss


def gradient_of_first_step(loop: Loop) -> dict[str, torch.Tensor]:
    """The gradient as the optimiser gets it."""
    found: dict[str, torch.Tensor] = {}

    def step(factor: float) -> None:
        masters = loop.learner.weights.masters
        found.update({name: w.grad.clone() for name, w in masters.items() if w.grad is not None})

    loop.learner.optimizers.step = step  # type: ignore[method-assign]
    loop._train_step(loop.objective.batches(0))
    return found


class Together(Fit):
    """Batches of two of `Fit`'s side by side."""

    def batches(self, start: int) -> Any:
        single = super().batches(2 * start)
        while True:
            yield torch.cat([next(single), next(single)])


def test_accumulated_batches_give_the_gradient_of_the_big_one(tmp_path: Path) -> None:
    two = gradient_of_first_step(small_loop(tmp_path / "two", Fit(), accumulate=2))
    one = gradient_of_first_step(small_loop(tmp_path / "one", Together()))
    assert set(two) == {"inner.weight", "inner.bias", "gain"}
    assert_close(two, one, rtol=0, atol=1e-6)


class Uneven(Fit):
    """Batches of 2, 14, 2, 14 … rows."""

    def batches(self, start: int) -> Any:
        for number, batch in enumerate(super().batches(start), start):
            yield batch.repeat(2, 1)[: 14 if number % 2 else 2]


def test_each_token_weighs_the_same_whatever_batch_it_is_in(tmp_path: Path) -> None:
    found = gradient_of_first_step(
        small_loop(tmp_path, Uneven(), accumulate=2, optimizer=Optimizer(name="adamw", clip=0))
    )
    objective = Uneven()
    batches = objective.batches(0)
    rows = torch.cat([next(batches), next(batches)])
    (objective.loss(rows).total / 16).backward()
    assert_close(found["inner.weight"], dict(objective.model.named_parameters())["inner.weight"].grad)


class Narrow(Fit):
    """A machine whose memory holds three rows."""

    def loss(self, batch: Any) -> Loss:
        if len(batch) > 3:
            raise torch.OutOfMemoryError("no memory left")
        return super().loss(batch)


@pytest.mark.parametrize("accumulate", [1, 2])
def test_out_of_memory_is_met_by_smaller_parts_of_the_same_step(tmp_path: Path, accumulate: int) -> None:
    heard, narrow = Heard(), Narrow()
    loop = small_loop(tmp_path / "narrow", narrow, reporter=heard, accumulate=accumulate)
    found = gradient_of_first_step(loop)
    wide = gradient_of_first_step(small_loop(tmp_path / "wide", Fit(), accumulate=accumulate))
    assert_close(found, wide, rtol=0, atol=1e-6)
    assert loop.learner.splits == 4
    assert narrow.asked == [2] * 4 * accumulate
    assert [line.split(":")[0] for line in heard.said] == ["out of memory"] * 2
    loop.fit()
    assert narrow.asked.count(2) == 4 * accumulate * 9  # it does not try the whole batch again


@pytest.mark.parametrize(
    "words",
    [
        "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried",
        "[enforce fail at alloc_cpu.cpp:119] data. DefaultCPUAllocator: not enough memory: you tried",
        "MPS backend out of memory (MPS allocated: 8.99 GB, max allowed: 9.07 GB).",
        "Invalid buffer size: 18.57 GB",
    ],
)
def test_every_device_says_it_in_its_own_words(tmp_path: Path, words: str) -> None:
    class Other(Fit):
        def loss(self, batch: Any) -> Loss:
            if len(batch) > 4:
                raise RuntimeError(words)
            return super().loss(batch)

    loop = small_loop(tmp_path, Other())
    loop.fit()
    assert loop.learner.splits == 2


def test_the_processors_allocator_still_says_it_so() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**55)
    assert ran_out(raised.value)


def test_any_other_error_is_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    class Wrong(Fit):
        def loss(self, batch: Any) -> Loss:
            raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1"):
        small_loop(tmp_path, Wrong()).fit()


class Late(Narrow):
    """Memory that is short only from the second batch of a step on."""

    def loss(self, batch: Any) -> Loss:
        return Fit.loss(self, batch) if not self.asked else super().loss(batch)


def test_what_was_computed_before_memory_ran_out_is_neither_lost_nor_counted_twice(tmp_path: Path) -> None:
    late = gradient_of_first_step(small_loop(tmp_path / "late", Late(), accumulate=2))
    wide = gradient_of_first_step(small_loop(tmp_path / "wide", Fit(), accumulate=2))
    assert_close(late, wide, rtol=0, atol=1e-6)


def test_no_memory_at_all_is_told(tmp_path: Path) -> None:
    class Hopeless(Fit):
        def loss(self, batch: Any) -> Loss:
            raise torch.OutOfMemoryError("no memory left")

    with pytest.raises(
        MemoryError, match="even with each batch in 64 parts: use a smaller --batch-tokens than"
    ):
        small_loop(tmp_path, Hopeless()).fit()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_gradient_that_is_not_finite_is_refused_and_the_save_before_it_kept(
    tmp_path: Path, bad: float
) -> None:
    class Broken(Fit):
        def loss(self, batch: Any) -> Loss:
            loss = super().loss(batch)
            return Loss(loss.total * (bad if len(self.asked) == 6 else 1.0), loss.nll, loss.count)

    loop = small_loop(tmp_path, Broken(), saving=Saving(save_every=1e-9))
    with pytest.raises(
        ValueError, match=r"the gradient of step 6 is not finite .*try a lower --optimizer.lr than 0.1"
    ):
        loop.fit()
    tensors, facts = Run.open(tmp_path).load_state() or ({}, {})
    assert facts["step"] == 5
    assert all(torch.isfinite(t).all() for t in tensors.values())


def test_the_best_weights_are_kept_by_the_metric(tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []

    class Watched(Fit):
        def validate(self) -> dict[str, float]:
            seen.append(dict(self.model.named_parameters())["inner.weight"].detach().clone())
            return super().validate()

    small_loop(tmp_path, Watched([3.0, 9.0, 5.0, 8.0])).fit()
    run = Run.open(tmp_path)
    assert_close(run.load_model()["inner.weight"], seen[1])
    assert [r["best"] for r in run.records() if "score" in r] == [True, True, False, False]
    assert [r["step"] for r in run.records() if "score" in r] == [2, 4, 6, 8]


def test_less_may_be_better(tmp_path: Path) -> None:
    objective = Fit([3.0, 1.0, 5.0, 2.0])
    objective.larger_is_better = False
    small_loop(tmp_path, objective).fit()
    assert [r["best"] for r in Run.open(tmp_path).records() if "score" in r] == [True, True, False, False]


def test_of_equals_the_one_that_learned_for_longer_is_kept(tmp_path: Path) -> None:
    loop = small_loop(tmp_path, Fit([0.0, 0.0, 0.0, 0.0]), patience=3)
    loop.fit()
    run = Run.open(tmp_path)
    assert_close(run.load_model()["inner.weight"], loop.learner.kept["inner.weight"])
    assert loop.without_better == 3  # no better one, so patience ends all the same


def test_patience_ends_the_training(tmp_path: Path) -> None:
    loop = small_loop(tmp_path, Fit([3.0, 2.0, 1.0, 9.0]), patience=2)
    loop.fit()
    assert loop.step == 6
    assert [r["step"] for r in Run.open(tmp_path).records() if "score" in r] == [2, 4, 6]


def test_the_newest_checkpoints_are_kept(tmp_path: Path) -> None:
    small_loop(tmp_path, Fit([9.0, 3.0, 2.0, 1.0]), saving=Saving(save_every=1000, keep=2)).fit()
    run = Run.open(tmp_path)
    assert run.checkpoints() == [6, 8]
    assert not torch.equal(run.load_checkpoint(8)["inner.weight"], run.load_model()["inner.weight"])


def test_the_average_is_what_is_judged_and_kept(tmp_path: Path) -> None:
    loop = small_loop(tmp_path, Fit(), average="ema", steps=100, validations=1)
    loop.fit()
    learner, name = loop.learner, "inner.weight"
    assert learner.average is not None
    assert_close(Run.open(tmp_path).load_model()[name], learner.average.weights[name])
    assert not torch.equal(learner.average.weights[name], learner.weights.masters[name])


def test_the_mean_of_checkpoints_is_what_is_judged_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = small_loop(tmp_path, Fit(range(7)), average="checkpoints", steps=14, validations=7)
    seen: list[torch.Tensor] = []
    mark = loop.learner.mark

    def watched(step: int) -> None:
        seen.append(loop.learner.weights.masters["inner.weight"].detach().clone())
        mark(step)

    monkeypatch.setattr(loop.learner, "mark", watched)
    loop.fit()
    assert len(seen) == 7
    assert_close(Run.open(tmp_path).load_model()["inner.weight"], torch.stack(seen[-5:]).mean(0))


def test_speed_does_not_count_evaluations(tmp_path: Path) -> None:
    clock = iter(range(10_000))

    class Slow(Fit):
        def validate(self) -> dict[str, float]:
            for _ in range(1000):
                next(clock)
            return super().validate()

    heard = Heard()
    loop = small_loop(tmp_path, Slow(rows=1000), reporter=heard)
    loop.clock = lambda: float(next(clock))
    loop.planner.clock = loop.clock
    loop.fit()
    speeds = [float(speed.removesuffix(" rows/s").replace(",", "")) for _, _, speed, _ in heard.steps]
    assert min(speeds) > 10  # rows a tick; 1,000 ticks of evaluation are left out


@pytest.mark.parametrize("average", ["none", "ema", "checkpoints"])
def test_ctrl_c_in_an_evaluation_stops_at_once_and_is_made_up_for(tmp_path: Path, average: str) -> None:
    class Pressed(Fit):
        def validate(self) -> dict[str, float]:
            if len(self.scores) == 2:
                self.scores.append(-1.0)
                loop.interruption.ask()
                raise AssertionError("the evaluation went on")
            return super().validate()

    loop = small_loop(tmp_path / "stopped", Pressed([1.0, 2.0, 3.0, 4.0]), average=average)
    with pytest.raises(KeyboardInterrupt) as raised:
        loop.fit()
    assert raised.value.__context__ is None  # one traceback, not two
    assert loop.step == 6
    run = Run.open(tmp_path / "stopped")
    again = Loop(Fit([3.0, 4.0]), run, loop.learner.machine, Heard())
    again.fit()
    small_loop(tmp_path / "whole", Fit([1.0, 2.0, 3.0, 4.0]), average=average).fit()
    whole = Run.open(tmp_path / "whole")
    kept = [(r["step"], r["score"]) for r in run.records() if "score" in r]
    assert kept == [(r["step"], r["score"]) for r in whole.records() if "score" in r]
    assert torch.equal(run.load_model()["inner.weight"], whole.load_model()["inner.weight"])
    assert torch.equal(again.learner.weights.masters["gain"], loop_end(tmp_path / "whole")["weights.gain"])


def loop_end(path: Path) -> dict[str, torch.Tensor]:
    tensors, _ = Run.open(path).load_state() or ({}, {})
    return tensors


@pytest.mark.parametrize(
    ("slow", "least"), [({}, 450), ({3: 30.0}, 350), (dict.fromkeys(range(99), 30.0), 90)]
)
def test_slow_evaluations_neither_end_the_training_nor_let_it_overrun(
    tmp_path: Path, slow: dict[int, float], least: int
) -> None:
    loop, clock, heard = timed(tmp_path, slow)
    loop.fit()
    assert loop.step > least
    assert 0.8 * (180 - 8) <= clock.now <= 1.01 * (180 - 8)
    if len(slow) < 2:
        assert not any("warning" in said for said in heard.said)


def test_an_evaluation_that_uses_up_the_time_is_the_last_one_and_told_of(tmp_path: Path) -> None:
    loop, _, heard = timed(tmp_path, {3: 170.0})
    loop.fit()
    evaluated = [record["step"] for record in loop.run.records() if "score" in record]
    assert len(evaluated) == 4
    assert evaluated[-1] == loop.step
    told = [said for said in heard.said if "warning" in said]
    assert len(told) == 1
    assert "steps, at 4" in told[0]
    resumed = Loop(Fit(), loop.run, loop.learner.machine, Heard())
    resumed.fit()
    assert [record["step"] for record in loop.run.records() if "score" in record] == evaluated


def timed(folder: Path, slow: dict[int, float]) -> tuple[Loop, Hand, Heard]:
    """180 seconds, 8 of them for the end, 0.3 for a step and 3 for an evaluation that is not slow."""
    clock, heard = Hand(), Heard()

    class Timed(Fit):
        def validate(self) -> dict[str, float]:
            clock.now += slow.get(len(self.scores), 3.0)
            self.scores.append(0.0)
            return {"score": float(len(self.scores))}

        def loss(self, batch: torch.Tensor) -> Loss:
            clock.now += 0.3
            return super().loss(batch)

    config = Translation(training=Training(minutes=3.0), optimizer=Optimizer(name="adamw"))
    run = Run.create(folder / "run", "translation", config)
    return Loop(Timed(), run, Machine("cpu", "fp32", 1), heard, clock=clock, ending=8.0), clock, heard


class Hand:
    """A clock that is moved by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now
