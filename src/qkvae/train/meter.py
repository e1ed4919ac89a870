"""Loss and speed of the steps since the last line of the log."""

from __future__ import annotations

import math
from collections.abc import Callable

_LOG_EVERY = 2.0  # seconds between lines of the log


class Meter:
    """Counts steps and what they learn from.

    Args:
        clock: seconds since any fixed instant.
        counted: what is counted, in the plural.

    >>> meter = Meter(iter([0.0, 2.0, 2.0]).__next__, "texts")
    >>> meter.add(loss=7.5, count=100)
    >>> meter.speed, meter.due()
    ('50 texts/s', True)
    """

    def __init__(self, clock: Callable[[], float], counted: str) -> None:
        self.clock, self.counted = clock, counted
        self.loss = math.nan
        """Exponential mean, for people."""
        self.per_second = self.seconds_per_step = 0.0
        self._reset()

    def _reset(self) -> None:
        self.begun, self.losses, self.count = self.clock(), list[float](), 0

    def add(self, loss: float, count: int) -> None:
        """A step was made."""
        self.losses.append(loss)
        self.count += count
        self.loss = loss if math.isnan(self.loss) else 0.95 * self.loss + 0.05 * loss
        seconds = max(self.clock() - self.begun, 1e-9)
        self.per_second = self.count / seconds
        self.seconds_per_step = seconds / len(self.losses)

    @property
    def speed(self) -> str:
        """How quickly it goes, for people."""
        number = f"{self.per_second:,.0f}" if self.per_second >= 10 else f"{self.per_second:.2g}"
        return f"{number} {self.counted}/s"

    def leave_out(self, seconds: float) -> None:
        """Time that went into something that is not a step."""
        self.begun += seconds

    def due(self) -> bool:
        """Whether it is time for another line."""
        return self.clock() - self.begun >= _LOG_EVERY

    def numbers(self) -> dict[str, float]:
        """The numbers of the line; counting begins anew."""
        numbers = {
            "loss": sum(self.losses) / len(self.losses),
            f"{self.counted.replace(' ', '_')}_per_second": round(self.per_second, 1),
        }
        self._reset()
        return numbers
