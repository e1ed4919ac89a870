"""How far a training has come, and how many steps the minutes that are left will hold.

The learning rate, the evaluations and the averaging depend on *progress*, a number from 0 to 1.  A plan says
how progress grows: in a straight line from where it stands to 1 at the planned last step.  A change of plan
bends the line and never breaks it.  Plans are logged, so a run can be repeated from its log without a clock.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

_WARM = 3  # the first steps are slow and not counted; of long ones the first alone
_FIRST = 8  # steps before the first mean; of long ones the shortest of fewer says how many there will be
_PROVISIONAL = 20_000  # the plan until then: long, so that hardly any progress is made under it
_CHECK = 0.02  # part of the minutes between two looks at the clock
_TOLERANCE = 0.01  # a plan is changed when its end is off by more than this part of the minutes


@dataclass(frozen=True)
class Plan:
    """From ``step`` on, where progress stands at ``progress``, it grows evenly to 1 at step ``steps``."""

    step: int
    progress: float
    steps: int

    def at(self, step: int) -> float:
        """Progress after ``step`` steps.

        >>> Plan(10, 0.5, 20).at(15)
        0.75
        """
        if step >= self.steps:
            return 1.0
        return self.progress + (1 - self.progress) * (step - self.step) / (self.steps - self.step)

    def record(self) -> dict[str, Any]:
        """The line of the log that tells of it."""
        return {"event": "plan", "step": self.step, "progress": self.progress, "steps": self.steps}


def plans_of(records: Sequence[dict[str, Any]]) -> list[Plan]:
    """The plans that a log tells of.

    >>> plans_of([{"step": 1, "loss": 7.0}, Plan(0, 0.0, 100).record()])
    [Plan(step=0, progress=0.0, steps=100)]
    """
    return [Plan(r["step"], r["progress"], r["steps"]) for r in records if r.get("event") == "plan"]


class Planner:
    """Ends the training when the minutes end, or after the steps asked for, or as another run's log says.

    Args:
        steps: the number asked for, or None to go by the clock.
        seconds: time for everything, evaluations and ending included.
        clock: seconds since any fixed instant.
        used: seconds that an interrupted training has used already.
        known: plans to follow, of a log or of an interrupted training.
        replay: follow the known plans to their end and never look at the clock.

    >>> Planner(steps=100, seconds=None, clock=lambda: 0.0).current.at(25)
    0.25
    """

    def __init__(
        self,
        *,
        steps: int | None,
        seconds: float | None,
        clock: Callable[[], float],
        used: float = 0.0,
        known: Sequence[Plan] = (),
        replay: bool = False,
    ) -> None:
        assert steps is not None or seconds is not None or known
        self.budget = None if steps is not None or replay else seconds
        self.clock = clock
        self.begun = clock() - used
        self.coming = list(known) or [Plan(0, 0.0, steps if steps is not None else _PROVISIONAL)]
        self.current = self.coming.pop(0)
        # When, and at which step, the present measurement began.
        self._window: tuple[float, int] | None = None
        self._per_step: float | None = None
        self._settled = False  # whether enough steps have been measured for a mean
        self._first: int | None = None  # the step at which this process began
        self._newest, self._shortest = 0.0, math.inf  # when the newest step ended, the shortest one

    def used(self) -> float:
        """Seconds used so far, those before an interruption included."""
        return self.clock() - self.begun

    def left_out(self, seconds: float) -> None:
        """Time that went into something that is not a step."""
        if self._window is not None:
            self._window = (self._window[0] + seconds, self._window[1])
            self._newest += seconds

    def change(self, step: int, pending: float) -> Plan | None:
        """The plan from ``step`` on, if it is another one.

        ``pending`` is the time that everything beside the steps will still take.
        """
        if self.coming:
            if step < self.coming[0].step:
                return None
            self.current = self.coming.pop(0)
            return self.current
        if self.budget is None or not self._measure(step, self.budget - self.used() - pending):
            return None
        assert self._per_step is not None
        left = self.budget - self.used() - pending
        steps = step + max(0, round(left / self._per_step))
        off = abs(steps - self.current.steps) * self._per_step
        if off <= _TOLERANCE * self.budget:
            return None
        self.current = Plan(step, self.current.at(step), steps)
        return self.current

    def _measure(self, step: int, left: float) -> bool:
        """Take the time; whether enough of it has passed for a new estimate of a step's."""
        now = self.used()
        self._first = step if self._first is None else self._first
        if self._window is None:  # the first step of a process waits for much that later ones do not
            if step > self._first:
                self._open(now, step)
            return False
        begun, first = self._window
        assert self.budget is not None
        enough = now - begun >= min(_CHECK * self.budget, max(left, 0.0) / 4)
        if self._settled:
            if not enough:
                return False
            assert self._per_step is not None
            self._per_step = (self._per_step + (now - begun) / (step - first)) / 2
        else:
            self._shortest, self._newest = min(self._shortest, now - self._newest), now
            if step - self._first <= _WARM and not enough:
                self._open(now, step)
                return False
            self._settled = step - first >= _FIRST
            if not self._settled:
                # Long steps: a plan at once, by the shortest, which waited for nothing.
                self._per_step = self._shortest
                return enough and step - first > 1
            self._per_step = (now - begun) / (step - first)
        self._open(now, step)
        return True

    def _open(self, now: float, step: int) -> None:
        """Begin a measurement."""
        self._window, self._newest, self._shortest = (now, step), now, math.inf
