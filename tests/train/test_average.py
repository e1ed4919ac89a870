"""The averages follow their formulas, however progress is cut into steps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qkvae.train.average import _HORIZON, _LOOKS, Checkpoints, Ema


def after(points: list[tuple[float, float]]) -> float:
    """The average of a single weight that stood at these values when progress was that."""
    average = Ema({"w": torch.tensor([points[0][0]])})
    for value, progress in points:
        average.update({"w": torch.tensor([value])}, progress)
    return float(average.weights["w"])


def test_by_hand() -> None:
    """Far beyond the horizon the share of a step is Δprogress / horizon."""
    average = Ema({"w": torch.tensor([1.0])})
    average.progress = 0.5
    average.update({"w": torch.tensor([3.0])}, 0.5 + _HORIZON / 4)
    assert float(average.weights["w"]) == pytest.approx(1.0 + 0.25 * 2.0)


def test_at_first_it_is_the_plain_mean() -> None:
    values = [5.0, 1.0, 3.0, 7.0]
    step = _HORIZON / 10
    assert after([(v, step * (i + 1)) for i, v in enumerate(values)]) == pytest.approx(4.0)


@given(st.floats(-10, 10), st.integers(1, 50))
def test_a_weight_that_stands_still_is_its_own_average(value: float, steps: int) -> None:
    assert after([(value, (i + 1) / steps) for i in range(steps)]) == pytest.approx(value, abs=1e-5)


def test_one_jump_over_the_horizon_forgets_everything_before() -> None:
    assert after([(1.0, 0.1), (9.0, 0.1 + 2 * _HORIZON)]) == pytest.approx(9.0)


def test_of_many_steps_some_are_looked_at_and_the_mean_is_about_the_same() -> None:
    few, many = 2_000, 20_000
    curves = [after([((i / n) ** 2, i / n) for i in range(1, n + 1)]) for n in (few, many)]
    assert curves[1] == pytest.approx(curves[0], abs=0.002)
    assert curves[1] == pytest.approx(1 - 2 * _HORIZON, abs=0.003)  # the curve, one horizon earlier
    average, looked = Ema({"w": torch.zeros(1)}), 0
    for i in range(1, many + 1):
        before = average.progress
        average.update({"w": torch.ones(1)}, i / many)
        looked += average.progress > before
    assert 1 / _HORIZON * _LOOKS * 0.9 < looked < 1 / _HORIZON * _LOOKS * 1.2


def test_the_weights_given_are_not_changed() -> None:
    weights = {"w": torch.ones(2)}
    average = Ema(weights)
    average.update({"w": torch.zeros(2)}, 0.5)
    assert weights["w"].tolist() == [1.0, 1.0]


def test_the_mean_of_the_last_five_evaluated() -> None:
    average = Checkpoints({"w": torch.zeros(1)})
    for step in range(1, 8):
        average.mark({"w": torch.tensor([float(step)])}, 10 * step)
    assert float(average.weights["w"]) == pytest.approx((3 + 4 + 5 + 6 + 7) / 5)


def test_weights_evaluated_twice_count_once() -> None:
    average = Checkpoints({"w": torch.zeros(1)})
    for step, value in ((1, 1.0), (2, 4.0), (2, 4.0)):
        average.mark({"w": torch.tensor([value])}, step)
    assert float(average.weights["w"]) == pytest.approx(2.5)


def test_before_any_evaluation_it_is_the_weights() -> None:
    assert Checkpoints({"w": torch.tensor([3.0])}).weights["w"].tolist() == [3.0]


def test_checkpoints_are_not_changed_by_what_follows() -> None:
    w = torch.ones(2)
    average = Checkpoints({"w": w})
    average.mark({"w": w}, 1)
    w.zero_()
    assert average.weights["w"].tolist() == [1.0, 1.0]


def test_checkpoints_go_on_as_they_were() -> None:
    average, other = Checkpoints({"a.b": torch.zeros(1)}), Checkpoints({"a.b": torch.zeros(1)})
    for step, value in ((5, 1.0), (6, 2.0)):
        average.mark({"a.b": torch.tensor([value])}, step)
    other.load(*average.state())
    for each in (average, other):
        each.mark({"a.b": torch.tensor([6.0])}, 7)
    assert float(other.weights["a.b"]) == float(average.weights["a.b"]) == pytest.approx(3.0)
