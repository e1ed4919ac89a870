"""Loss and speed of the steps since the last line of the log."""

from __future__ import annotations

import math
from collections.abc import Callable

_LOG_EVERY = 2.0  # seconds between lines of the log


class Meter:
    """Counts steps; ``clock`` gives seconds since any fixed instant.

    >>> meter = Meter(iter([0.0, 2.0, 2.0]).__next__)
    >>> meter.add(loss=7.5, tokens=100)
    >>> meter.tokens_per_second, meter.due()
    (50.0, True)
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.loss = math.nan
        """Exponential mean, for people."""
        self.tokens_per_second = self.seconds_per_step = 0.0
        self._reset()

    def _reset(self) -> None:
        self.begun, self.losses, self.tokens = self.clock(), list[float](), 0

    def add(self, loss: float, tokens: int) -> None:
        """A step was made."""
        self.losses.append(loss)
        self.tokens += tokens
        self.loss = loss if math.isnan(self.loss) else 0.95 * self.loss + 0.05 * loss
        seconds = max(self.clock() - self.begun, 1e-9)
        self.tokens_per_second = self.tokens / seconds
        self.seconds_per_step = seconds / len(self.losses)

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
            "tokens_per_second": round(self.tokens_per_second, 1),
        }
        self._reset()
        return numbers
