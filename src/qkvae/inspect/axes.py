"""Axes of charts: where a value lies, which round values to write beside it, and how to write a number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """One axis: values ``low`` to ``high`` onto pixels ``start`` to ``end``, linear or logarithmic."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        low, high = (math.log(self.low), math.log(self.high)) if self.log else (self.low, self.high)
        place = ((math.log(value) if self.log else value) - low) / (high - low)
        return self.start + place * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Round values inside the axis.

        >>> Scale(0, 10, 0, 100).ticks()
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
        >>> Scale(1, 1000, 0, 100, log=True).ticks()
        [1.0, 10.0, 100.0, 1000.0]
        """
        return _log_ticks(self.low, self.high) if self.log else _linear_ticks(self.low, self.high)


def axis(values: Sequence[float], start: float, end: float, *, log: bool = False, air: float = 0.0) -> Scale:
    """The scale that holds all values, with a fraction of ``air`` around them; zero joins if it is near.

    >>> axis([1.0, 10.0], 0, 100, air=0.1)
    Scale(low=0.0, high=10.9, start=0, end=100, log=False)

    Raises:
        ValueError: a logarithmic axis is given a value that is not above zero.
    """
    low, high = (min(values), max(values)) if values else (1.0, 10.0)
    if log and low <= 0:
        raise ValueError(f"a logarithmic axis was given {low}, but holds values above 0 only")
    if log:
        factor = (high / low) ** air if high > low else 2.0
        return Scale(low / factor, high * factor, start, end, log=True)
    room = (high - low) * air if high > low else abs(high) * 0.1 or 1.0
    bottom = 0.0 if air and 0 <= low < 0.4 * high else low - room
    return Scale(bottom, high + room, start, end)


def short(value: float) -> str:
    """A number for a tick or a hover title: four significant digits, from ten thousand on with k, M, G.

    >>> [short(value) for value in (0, 0.05, 8192, 15_000, 2_000_000, 3.1e-5, float("nan"))]
    ['0', '0.05', '8192', '15k', '2M', '3.1e-5', 'nan']
    """
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    for limit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if max(limit, 1e4) <= abs(value) < 1e13:
            return f"{value / limit:.4g}{letter}"
    if 1e-3 <= abs(value) < 1e13:
        return f"{value:.4g}"
    digits, exponent = f"{value:.3e}".split("e")
    return f"{float(digits):g}e{int(exponent)}"


def _linear_ticks(low: float, high: float, wanted: int = 5) -> list[float]:
    rough = (high - low) / wanted
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 2.5, 5, 10) if size * factor >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{number * step:.12g}") for number in range(first, last + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    for steps in ((1,), (1, 3), (1, 2, 5), tuple(range(1, 10))):
        ticks = _decades(low, high, steps)
        if len(ticks) >= 3:
            return ticks[:: math.ceil(len(ticks) / 7)]
    return _linear_ticks(low, high, 3)


def _decades(low: float, high: float, steps: tuple[int, ...]) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [step * 10.0**exponent for exponent in exponents for step in steps]
    return [value for value in values if low * 0.999 <= value <= high * 1.001]
