"""Our figures of classes and numbers are scikit-learn's and SciPy's, on anything."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import stats

from qkvae import metrics

sklearn = pytest.importorskip("sklearn.metrics")

CLASSES = 4
SIDES = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[arrays.arrays(np.int64, n, elements=st.integers(0, CLASSES - 1))] * 2)
)
NUMBERS = st.integers(2, 40).flatmap(
    lambda n: st.tuples(*[arrays.arrays(np.float64, n, elements=st.integers(-50, 50).map(float))] * 2)
)


@settings(max_examples=60, deadline=None)
@given(SIDES)
def test_the_figures_of_classes_are_scikit_learns(sides: tuple[np.ndarray, np.ndarray]) -> None:
    known, predicted = sides
    table = metrics.confusion(known, predicted, CLASSES)
    every = list(range(CLASSES))
    assert (table == sklearn.confusion_matrix(known, predicted, labels=every)).all()
    assert metrics.accuracy(table) == pytest.approx(sklearn.accuracy_score(known, predicted))
    theirs = sklearn.f1_score(known, predicted, labels=every, average=None, zero_division=0.0)
    assert metrics.class_f1(table) == pytest.approx(theirs)
    assert metrics.macro_f1(table) == pytest.approx(sklearn.f1_score(known, predicted, average="macro"))
    if len(np.unique(np.concatenate(sides))) > 1:
        assert metrics.matthews(table) == pytest.approx(sklearn.matthews_corrcoef(known, predicted))


@settings(max_examples=60, deadline=None)
@given(NUMBERS)
def test_the_correlations_are_scipys(sides: tuple[np.ndarray, np.ndarray]) -> None:
    if any(len(np.unique(side)) == 1 for side in sides):
        assert metrics.pearson(*sides) == metrics.spearman(*sides) == 0
        return
    assert metrics.pearson(*sides) == pytest.approx(stats.pearsonr(*sides).statistic, abs=1e-9)
    assert metrics.spearman(*sides) == pytest.approx(stats.spearmanr(*sides).statistic, abs=1e-9)


def test_calibration_of_answers_that_are_as_sure_as_they_are_right() -> None:
    draw = np.random.default_rng(0)
    confidence = draw.uniform(0.2, 1, 200_000)
    right = draw.uniform(size=200_000) < confidence
    assert metrics.expected_calibration_error(confidence, right) < 0.01
    assert metrics.expected_calibration_error(confidence, ~right) > 0.2
    assert sum(each.count for each in metrics.calibration(confidence, right)) == 200_000


def test_confidence_one_falls_into_the_last_bin() -> None:
    (only,) = metrics.calibration(np.array([1.0, 0.95]), np.array([True, False]))
    assert only.count == 2


def test_chance_is_not_taken_for_a_difference() -> None:
    draw = np.random.default_rng(1)
    right = (draw.uniform(size=(2, 400, 1)) < 0.8).astype(np.int64)
    first, second = (np.concatenate([each, np.ones_like(each)], 1) for each in right)
    found = metrics.paired_bootstrap("accuracy", first, second, metrics.mean_of)
    assert found["verdict"] == "cannot tell"


def test_different_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="2 and 3 answers"):
        metrics.confusion(np.array([0, 1]), np.array([0, 1, 1]), 2)
