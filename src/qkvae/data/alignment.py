"""Do the two sides go together?  Judged by lengths alone: long sentences have long translations.

The idea is that of length-based sentence alignment (Gale and Church 1993): the length of a translation is
about proportional to that of its source, with a spread that grows with the square root of the length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkvae.data.pairs import Pairs

WINDOW = 100
"""Lines that are judged together."""

FEWEST = 30
"""With fewer lines than this, windows say nothing."""

SHIFTS = 5
"""How many lines a side may have slipped to be found."""

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Stretch:
    """Pairs ``first`` to ``last`` (counted from 0, both included) that do not go together.

    ``shift`` is k where source i fits target i + k; None where it fits none of its neighbours.
    """

    first: int
    last: int
    shift: int | None


def letters(pairs: Pairs) -> tuple[Floats, Floats]:
    """How many characters each source and each target has; an empty one counts as one."""
    sources, targets = (
        np.maximum(np.fromiter(map(len, side), np.float64, len(side)), 1)
        for side in (pairs.sources, pairs.targets)
    )
    return sources, targets


def ratio_scores(sources: Floats, targets: Floats) -> Floats:
    """How far each pair's lengths are from proportional, in robust standard deviations.

    With c = Σ targets / Σ sources, d = (targets − c·sources) / √(sources + targets); the score is d less
    its median, over 1.4826 times the median distance from it.
    """
    slope = targets.sum() / sources.sum()
    return robust_scores((targets - slope * sources) / np.sqrt(sources + targets), least=0.3)


def robust_scores(values: Floats, least: float) -> Floats:
    """(x − median) / (1.4826 · median |x − median|): for normal data the usual z, unmoved by outliers.

    The divisor is at least ``least``, so that data of hardly any spread does not make outliers of trifles.
    """
    centred = values - np.median(values)
    spread = 1.4826 * float(np.median(np.abs(centred)))
    return centred / max(spread, least)


def stretches(sources: Floats, targets: Floats) -> tuple[list[Stretch], bool | None]:
    """Where sides have slipped or do not belong together, and whether they belong together at all.

    In windows of 100 pairs the spread of log(target length / source length) is compared with that of the
    target one to five lines earlier and later, and with that of lines put together at random.  The second
    answer is None where lengths cannot tell: too few lines, or lines of all but one length.
    """
    count = len(sources)
    if count < FEWEST:
        return [], None
    source_log, target_log = np.log(sources), np.log(targets)
    shuffled = np.random.default_rng(0).permutation(count)
    chance = _spread((target_log[shuffled] - source_log)[None])[0]
    width = min(WINDOW, count)
    starts = np.unique(np.append(np.arange(0, count - width + 1, max(width // 2, 1)), count - width))
    rows = starts[:, None] + np.arange(width)
    shifts = np.arange(-SHIFTS, SHIFTS + 1)
    spreads = np.stack(
        [_spread(target_log[np.clip(rows + k, 0, count - 1)] - source_log[rows]) for k in shifts], axis=1
    )
    as_given, best = spreads[:, SHIFTS], spreads.min(axis=1)
    typical = float(np.median(best))
    if chance < 0.12:
        return [], None
    if typical > 0.75 * chance:
        return [], False
    odd = (as_given > 1.8 * typical) & (as_given > 0.5 * chance)
    slipped = odd & (best < 0.6 * as_given)
    kinds = [int(shifts[spreads[place].argmin()]) if slipped[place] else None for place in range(len(starts))]
    return list(_merged(starts, width, odd, kinds)), True


def _spread(ratios: Floats) -> Floats:
    """Median distance from the median, row by row."""
    return np.median(np.abs(ratios - np.median(ratios, axis=1, keepdims=True)), axis=1)


def _merged(starts: NDArray[np.int64], width: int, odd: Flags, kinds: list[int | None]) -> Iterator[Stretch]:
    """Odd windows that touch and have slipped alike, as one stretch."""
    open_: Stretch | None = None
    for place in np.flatnonzero(odd):
        first = int(starts[place])
        if open_ is not None and first <= open_.last + 1 and kinds[place] == open_.shift:
            open_ = Stretch(open_.first, first + width - 1, open_.shift)
            continue
        if open_ is not None:
            yield open_
        open_ = Stretch(first, first + width - 1, kinds[place])
    if open_ is not None:
        yield open_
