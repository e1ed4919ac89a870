"""What a person sees while a training runs: where it stands, how fast, and when it ends."""

from __future__ import annotations

import datetime
import shutil
import sys
import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

_LINE_EVERY = 30.0  # seconds between lines where there is no terminal to draw on


@runtime_checkable
class Reporter(Protocol):
    """Somebody who is told how the training goes."""

    def say(self, text: str) -> None:
        """A sentence."""
        ...

    def step(self, progress: float, loss: float, speed: str, seconds_left: float) -> None:
        """A step was made; ``loss`` is the mean of about the last twenty, ``speed`` how many tokens, texts …
        are learned from in a second.
        """
        ...

    def close(self) -> None:
        """The training is over."""
        ...


class Silent:
    """Says nothing."""

    def say(self, text: str) -> None:
        """Say nothing."""

    def step(self, progress: float, loss: float, speed: str, seconds_left: float) -> None:
        """Say nothing."""

    def close(self) -> None:
        """Nothing is open."""


class Lines:
    """A line now and then, on stderr; for logs and pipes."""

    def __init__(self) -> None:
        self._next = 0.0

    def say(self, text: str) -> None:
        """Print the sentence."""
        print(text, file=sys.stderr, flush=True)

    def step(self, progress: float, loss: float, speed: str, seconds_left: float) -> None:
        """Print a line when the last one is old enough."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _LINE_EVERY
            self.say(_line(progress, loss, speed, seconds_left))

    def close(self) -> None:
        """Nothing is open."""


class Bar(Lines):
    """A line that is redrawn in place, on a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self._last = ""
        self._drawn = False

    def say(self, text: str) -> None:
        """Print the sentence above the bar."""
        self._wipe()
        super().say(text)

    def step(self, progress: float, loss: float, speed: str, seconds_left: float) -> None:
        """Draw the bar anew, at most ten times a second."""
        full = round(progress * 24)
        bar = "█" * full + "░" * (24 - full)
        self._last = f"{bar} {_line(progress, loss, speed, seconds_left)}"
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + 0.1
        self._draw()

    def close(self) -> None:
        """Leave the last state of the bar standing."""
        if self._last:
            self._draw()
            print(file=sys.stderr, flush=True)
            self._drawn, self._last = False, ""

    def _draw(self) -> None:
        shown = self._last[: shutil.get_terminal_size().columns - 1]  # a longer line could not be wiped
        print(f"\r{shown}\033[K", end="", file=sys.stderr, flush=True)
        self._drawn = True

    def _wipe(self) -> None:
        if self._drawn:
            print("\r\033[K", end="", file=sys.stderr)
            self._drawn = False


def make_reporter(quiet: bool) -> Reporter:
    """A bar on a terminal, lines elsewhere, nothing if asked to be quiet."""
    if quiet:
        return Silent()
    return Bar() if sys.stderr.isatty() else Lines()


def working(reporter: Reporter, what: str) -> Callable[[float], None]:
    """What is to be told which part of some long work is done: a person hears of it now and then."""
    begun = said = time.monotonic()

    def told(done: float) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _LINE_EVERY and 0 < done < 1:
            said = now
            reporter.say(f"{what}: {done:.0%}, {_left((now - begun) * (1 - done) / done)} left")

    return told


def _left(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"


def _line(progress: float, loss: float, speed: str, seconds_left: float) -> str:
    end = datetime.datetime.now() + datetime.timedelta(seconds=seconds_left)
    return f"{progress:5.1%}  mean loss {loss:.3f}  {speed}  {_left(seconds_left)} left, done at {end:%H:%M}"
