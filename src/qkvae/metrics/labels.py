"""What predicted classes and numbers are worth.  All but the correlations are fractions of one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]


def confusion(known: Ints, predicted: Ints, classes: int) -> Ints:
    """How often each known class (rows) was taken for each class (columns), int64[classes, classes].

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]

    Raises:
        ValueError: there are no answers, or not as many of both.
    """
    _same_number(known, predicted)
    found = np.bincount(known * classes + predicted, minlength=classes**2)
    return found.reshape(classes, classes)


def accuracy(table: Ints) -> float:
    """The part of a confusion table that is right.

    >>> accuracy(np.array([[8, 2], [0, 10]]))
    0.9
    """
    return float(table.trace() / table.sum())


def class_f1(table: Ints) -> Floats:
    """F₁ of each class, 2 TP / (2 TP + FP + FN); 0 for a class that is neither known nor predicted.

    >>> class_f1(np.array([[8, 2], [0, 10]])).round(3).tolist()
    [0.889, 0.909]
    """
    right, both = table.diagonal(), table.sum(0) + table.sum(1)
    return 2 * right / np.maximum(both, 1)


def macro_f1(table: Ints) -> float:
    """The mean F₁ of the classes that are known or predicted somewhere, as scikit-learn takes it.

    A class of which the examples hold none, and which none was taken for, was not measured: a 0 for it would
    be no fault of the model.

    >>> macro_f1(np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0]]))
    0.6666666666666666
    """
    met = (table.sum(0) + table.sum(1)) > 0
    return float(class_f1(table)[met].mean())


def matthews(table: Ints) -> float:
    """Matthews correlation of known and predicted classes, from −1 to 1; 0 if one side is always the same.

    (c s − Σ pₖ tₖ) / √((s² − Σ pₖ²)(s² − Σ tₖ²)), Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006, with
    s answers, c of them right, class k predicted pₖ times and known tₖ times.

    >>> round(matthews(np.array([[8, 2], [0, 10]])), 4)
    0.8165
    """
    right, whole = float(table.trace()), float(table.sum())
    predicted, known = table.sum(0).astype(float), table.sum(1).astype(float)
    spread = (whole**2 - predicted @ predicted) * (whole**2 - known @ known)
    return float((right * whole - predicted @ known) / np.sqrt(spread)) if spread > 0 else 0.0


@dataclass(frozen=True)
class Bin:
    """Answers of about the same confidence."""

    confidence: float
    """Its mean."""

    accuracy: float
    """The part of them that is right."""

    count: int


def calibration(confidence: Floats, right: NDArray[np.bool_], bins: int = 15) -> list[Bin]:
    """Answers in ``bins`` equal steps of confidence, the empty ones left out.

    >>> calibration(np.array([0.9, 0.92, 0.55]), np.array([True, True, False]), bins=10)[1].accuracy
    1.0
    """
    _same_number(confidence, right)
    number = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    found: list[Bin] = []
    for place in np.unique(number).tolist():
        inside = number == place
        found.append(Bin(float(confidence[inside].mean()), float(right[inside].mean()), int(inside.sum())))
    return found


def expected_calibration_error(confidence: Floats, right: NDArray[np.bool_], bins: int = 15) -> float:
    """Σ n_b / n · |accuracy_b − confidence_b|: how far confidences are from how often they are right.

    Guo et al. 2017, arXiv:1706.04599, equation 3.

    >>> round(expected_calibration_error(np.array([0.75] * 4), np.array([True, True, True, False])), 4)
    0.0
    """
    found = calibration(confidence, right, bins)
    return sum(each.count * abs(each.accuracy - each.confidence) for each in found) / len(right)


def pearson(known: Floats, predicted: Floats) -> float:
    """Linear correlation, cov(x, y) / (σ_x σ_y), from −1 to 1; 0 if one side is always the same.

    >>> round(pearson(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 2.0])), 4)
    0.866
    """
    _same_number(known, predicted)
    return correlation_of(correlation_sums(known, predicted).sum(0))


def spearman(known: Floats, predicted: Floats) -> float:
    """Pearson correlation of the ranks; equal values share the mean of theirs.

    >>> spearman(np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    return pearson(_ranks(known), _ranks(predicted))


def correlation_sums(known: Floats, predicted: Floats) -> Floats:
    """What each pair adds to the sums that `correlation_of` reads, float64[pairs, 6].

    Both sides are moved to a mean of 0 first, which changes no correlation and saves digits.
    """
    x, y = (side.astype(np.float64) - side.mean(dtype=np.float64) for side in (known, predicted))
    return np.stack([np.ones_like(x), x, y, x * x, y * y, x * y], 1)


def correlation_of(sums: Any) -> float:
    """The Pearson correlation of the pairs whose `correlation_sums` were added up."""
    count, x, y, xx, yy, xy = cast("list[float]", sums.tolist())
    spread = (count * xx - x * x) * (count * yy - y * y)
    if spread <= 1e-24 * (count * xx) * (count * yy):
        return 0.0
    return float(np.clip((count * xy - x * y) / np.sqrt(spread), -1, 1))


def _ranks(values: Floats) -> Floats:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[place]


def _same_number(known: NDArray[Any], predicted: NDArray[Any]) -> None:
    if known.shape != predicted.shape or not len(known):
        raise ValueError(f"{len(known)} and {len(predicted)} answers to compare: give the same, at least one")
