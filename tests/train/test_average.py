"""The moving average follows its formula, however progress is cut into steps."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from qkvae.train.average import _HORIZON, Average


def after(points: list[tuple[float, float]]) -> float:
    """The average of a single weight that stood at these values when progress was that."""
    average = Average({"w": torch.tensor([points[0][0]])})
    for value, progress in points:
        average.update({"w": torch.tensor([value])}, progress)
    return float(average.weights["w"])


def test_by_hand() -> None:
    """Far beyond the horizon the share of a step is Δprogress / horizon."""
    average = Average({"w": torch.tensor([1.0])})
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


def test_the_weights_given_are_not_changed() -> None:
    weights = {"w": torch.ones(2)}
    average = Average(weights)
    average.update({"w": torch.zeros(2)}, 0.5)
    assert weights["w"].tolist() == [1.0, 1.0]
