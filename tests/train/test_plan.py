"""A training ends when the user's minutes end, and its progress never jumps."""

import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from qkvae.train.plan import Plan, Planner, plans_of

VALIDATIONS, VALIDATION, ENDING = 10, 2.0, 3.0


def simulate(minutes: float, seconds_of: Callable[[float], float]) -> tuple[float, list[float], list[dict]]:
    """A training under a fake clock: time used over time asked for, progress at each step, the log."""
    now = [0.0]
    planner = Planner(steps=None, seconds=60 * minutes, clock=lambda: now[0])
    log = [planner.current.record()]
    now[0] += 5.0  # reading the data
    step, done, course = 0, 0, [0.0]
    while step < planner.current.steps:
        now[0] += seconds_of(now[0])
        step += 1
        course.append(planner.current.at(step))
        if course[-1] * VALIDATIONS >= done + 1:
            now[0] += VALIDATION
            done += 1
            planner.left_out(VALIDATION)
        plan = planner.change(step, (VALIDATIONS - done) * VALIDATION + ENDING)
        if plan is not None:
            log.append(plan.record())
    now[0] += ENDING
    return now[0] / (60 * minutes), course, log


@pytest.mark.parametrize("minutes", [1, 3, 30])
@pytest.mark.parametrize(
    "machine",
    [
        lambda now, end: 0.3,
        lambda now, end: 0.3 if now < end / 2 else 0.9,  # slows to a third half-way
        lambda now, end: 0.9 if now < end / 2 else 0.3,
        lambda now, end: 0.3 if now < 0.95 * end else 0.9,
        lambda now, end: 0.3 * random.Random(now).uniform(0.5, 2.0),
    ],
    ids=["steady", "slows to a third", "quickens", "slows at the end", "restless"],
)
def test_ends_within_five_percent(minutes: int, machine: Callable[[float, float], float]) -> None:
    share, _, _ = simulate(minutes, lambda now: machine(now, 60 * minutes))
    assert 0.95 <= share <= 1.05


def test_long_steps_are_planned_after_few() -> None:
    share, course, log = simulate(1, lambda now: 2.0)
    assert 0.9 <= share <= 1.05
    assert log[1]["step"] == 4
    assert course[5] > 0.02


@pytest.mark.parametrize(("minutes", "slow", "usual"), [(1, 2.0, 0.05), (10, 13.0, 0.3)])
def test_one_slow_step_plans_nothing(minutes: float, slow: float, usual: float) -> None:
    for which in range(1, 8):
        passed = iter(range(10**6))
        share, course, _ = simulate(
            minutes, lambda now, which=which, passed=passed: slow if next(passed) == which else usual
        )
        assert 0.95 <= share <= 1.05
        assert course[12] < 0.05


def test_a_resumed_training_plans_nothing_by_its_first_step() -> None:
    now = [0.0]
    planner = Planner(steps=None, seconds=600, clock=lambda: now[0], used=300, known=[Plan(0, 0.0, 2000)])
    assert planner.change(1000, 5.0) is None
    now[0] += 40.0
    assert planner.change(1001, 5.0) is None
    for step in range(1002, 1030):
        now[0] += 0.3
        planner.change(step, 5.0)
    assert planner.current.steps > 1700


def test_progress_is_continuous_and_ends_at_one() -> None:
    _, course, log = simulate(3, lambda now: 0.3 if now < 90 else 0.9)
    assert len(log) > 3, "the plan must have changed for this to say anything"
    assert all(0 <= b - a < 0.02 for a, b in pairwise(course))
    assert course[-1] == 1.0


def test_replay_follows_the_log_and_no_clock() -> None:
    _, course, log = simulate(3, lambda now: 0.3 if now < 90 else 0.9)
    planner = Planner(steps=None, seconds=None, clock=lambda: 0.0, known=plans_of(log), replay=True)
    step, again = 0, [0.0]
    while step < planner.current.steps:
        step += 1
        again.append(planner.current.at(step))
        planner.change(step, 0.0)
    assert again == course


def test_resumed_training_goes_on_from_the_time_it_had_used() -> None:
    now = [1000.0]
    plan = Plan(100, 0.4, 400)
    planner = Planner(steps=None, seconds=100.0, clock=lambda: now[0], used=40.0, known=[plan])
    assert planner.used() == 40.0
    assert planner.current.at(200) == plan.at(200)


def test_steps_asked_for_are_the_steps_made() -> None:
    planner = Planner(steps=50, seconds=None, clock=lambda: 0.0)
    assert planner.change(10, 0.0) is None
    assert planner.current == Plan(0, 0.0, 50)
