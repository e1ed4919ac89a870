"""Is one system better than another, or may chance have made the difference?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["the first is better", "the second is better", "cannot tell"]

LEVEL = 0.05
"""How often chance alone may pass for a difference."""


class Comparison(TypedDict):
    """Two systems on the same inputs."""

    metric: str
    first: float
    second: float
    difference: float
    """first − second."""
    interval: tuple[float, float]
    """95 % of the resampled differences lie between these."""
    p: float
    """How probable so large a difference is if both are equally good."""
    samples: int
    segments: int
    verdict: Verdict


Sums = NDArray[Any]
"""What a score is computed from, added up over segments."""


def mean_of(sums: Sums) -> float:
    """The mean of what was added up, with how many there are beside it.

    >>> mean_of(np.array([3, 4]))
    0.75
    """
    return float(sums[0] / sums[1])


def paired_bootstrap_of_losses(metric: str, first: Sums, second: Sums, samples: int = 1000) -> Comparison:
    """`paired_bootstrap` of two systems by means of which less is better.

    Args:
        metric: what the mean is called.
        first, second: of each system [segments, 2]: what each segment adds to the loss, and to what it is a
            mean over.

    >>> low, high = (np.array([[loss, 1.0]] * 50) for loss in (1.0, 2.0))
    >>> found = paired_bootstrap_of_losses("nll", low, high)
    >>> found["difference"], found["verdict"]
    (-1.0, 'the first is better')

    Raises:
        ValueError: the numbers of segments differ, or there are none.
    """
    found = paired_bootstrap(metric, first, second, _less, samples)
    # What was compared are the negatives.
    low, high = found["interval"]
    return {
        **found,
        "first": 0.0 - found["first"],
        "second": 0.0 - found["second"],
        "difference": 0.0 - found["difference"],
        "interval": (0.0 - high, 0.0 - low),
    }


def _less(sums: Sums) -> float:
    """The negative of the mean: more is better."""
    return -mean_of(sums)


def paired_bootstrap(
    metric: str,
    first: Sums,
    second: Sums,
    score: Callable[[Sums], float],
    samples: int = 1000,
    seed: int = 12345,
) -> Comparison:
    """Draw the same segments with replacement for both systems, again and again, and compare the scores.

    Koehn 2004, https://aclanthology.org/W04-3250.  p is the part of the resampled differences that are as far
    from their mean as the real difference is from zero.  It cannot be told which is better unless p < 0.05
    and the interval leaves zero out.

    Args:
        metric: what the score is called; more of it is better.
        first, second: of each system [segments, numbers]: what each segment adds to the sums.
        score: the score of the sums [numbers].

    >>> right, wrong = np.array([[1, 1]] * 90 + [[0, 1]] * 10), np.array([[1, 1]] * 70 + [[0, 1]] * 30)
    >>> found = paired_bootstrap("accuracy", right, wrong, mean_of)
    >>> round(found["difference"], 3), found["verdict"]
    (0.2, 'the first is better')

    Raises:
        ValueError: the numbers of segments differ, or there are none.
    """
    if first.shape != second.shape or not len(first):
        raise ValueError(f"{len(first)} and {len(second)} segments to compare: give the same, at least one")
    one, other = score(first.sum(0)), score(second.sum(0))
    number = len(first)
    drawn = np.random.default_rng(seed).multinomial(number, np.full(number, 1 / number), size=samples)
    left, right = (np.array([score(row) for row in drawn @ each]) for each in (first, second))
    differences = left - right
    low, high = np.percentile(differences, [50 * LEVEL, 100 - 50 * LEVEL]).tolist()
    extreme = int((np.abs(differences - differences.mean()) >= abs(one - other)).sum())
    p = (extreme + 1) / (samples + 1)
    sure = p < LEVEL and (low > 0 or high < 0)
    better: Verdict = "the first is better" if one > other else "the second is better"
    return {
        "metric": metric,
        "first": one,
        "second": other,
        "difference": one - other,
        "interval": (low, high),
        "p": p,
        "samples": samples,
        "segments": number,
        "verdict": better if sure else "cannot tell",
    }
