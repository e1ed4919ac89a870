"""The learning rate's course: its end points, its peak, its formulas."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkvae.config import Optimizer
from qkvae.train.schedule import rate

NAMES = ["linear", "cosine", "wsd", "noam", "inverse-sqrt", "constant"]


def course(name: str, warmup: float = 0.1, cooldown: float = 0.3) -> Optimizer:
    fall = cooldown if name == "wsd" else None
    return Optimizer(schedule=name, warmup=warmup, cooldown=fall)  # pyright: ignore


@pytest.mark.parametrize("name", NAMES)
def test_it_climbs_from_zero_to_one(name: str) -> None:
    settings = course(name)
    assert rate(settings, 0.0) == 0.0
    assert rate(settings, 0.05) == pytest.approx(0.5)
    assert rate(settings, 0.1) == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("name", "end"),
    [
        ("linear", 0),
        ("cosine", 0),
        ("wsd", 0),
        ("noam", 0.1**0.5),
        ("inverse-sqrt", 0.1**0.5),
        ("constant", 1),
    ],
)
def test_where_it_ends(name: str, end: float) -> None:
    assert rate(course(name), 1.0) == pytest.approx(end, abs=1e-12)


@pytest.mark.parametrize(
    ("name", "progress", "value"),
    [
        ("linear", 0.55, 0.5),
        ("cosine", 0.55, 0.5),
        ("cosine", 0.325, 0.5 * (1 + math.cos(math.pi / 4))),
        ("wsd", 0.69, 1.0),
        ("wsd", 0.85, 0.5),
        ("noam", 0.4, 0.5),
        ("inverse-sqrt", 0.9, 1 / 3),
        ("constant", 0.9, 1.0),
    ],
)
def test_what_it_is_on_the_way(name: str, progress: float, value: float) -> None:
    assert rate(course(name), progress) == pytest.approx(value)


@pytest.mark.parametrize("step", [1, 400, 4000, 8000, 60_000])
def test_noam_is_the_papers_equation(step: int) -> None:
    """min(step^−½, step·warmup^−1.5), relative to its peak warmup^−½ (Vaswani et al. 2017, equation 3)."""
    steps, warmup = 100_000, 4000
    paper = min(step**-0.5, step * warmup**-1.5) / warmup**-0.5
    assert rate(course("noam", warmup / steps), step / steps) == pytest.approx(paper)


@given(st.sampled_from(NAMES), st.floats(0, 0.99), st.floats(0, 0.99), st.floats(0, 1))
def test_it_stays_between_zero_and_one(name: str, warmup: float, cooldown: float, progress: float) -> None:
    assert 0.0 <= rate(course(name, warmup, cooldown), progress) <= 1.0 + 1e-12


@given(st.sampled_from(NAMES), st.floats(0, 0.9), st.floats(0, 1), st.floats(0, 1))
def test_it_never_climbs_again(name: str, warmup: float, a: float, b: float) -> None:
    first, second = sorted(warmup + (1 - warmup) * x for x in (a, b))
    settings = course(name, warmup)
    if first >= warmup:
        assert rate(settings, second) <= rate(settings, first) + 1e-12


@pytest.mark.parametrize("name", NAMES)
def test_without_warm_up_it_starts_at_the_peak(name: str) -> None:
    assert rate(course(name, warmup=0.0), 0.0) == pytest.approx(1.0)
