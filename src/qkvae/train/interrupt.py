"""Ctrl-C and a polite kill as a question that is asked between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager


class Paused(KeyboardInterrupt):
    """The user pressed Ctrl-C where work may be dropped and done again: everything before it is whole."""


class Interruption:
    """Whether the user wants to stop."""

    def __init__(self) -> None:
        self.asked = False
        self._droppable = False

    @contextmanager
    def at_once(self) -> Generator[None]:
        """A block that Ctrl-C ends in the middle, because what it does will be done again.

        Raises:
            Paused: it was pressed.
        """
        self._droppable = True
        try:
            yield
        finally:
            self._droppable = False

    def ask(self, *_: object) -> None:
        """What a signal calls: the first one is remembered, a second one does not wait."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        if self._droppable:
            raise Paused


@contextmanager
def interruptible() -> Generator[Interruption]:
    """Answer signals by an `Interruption` while the block runs; only the main thread gets any.

    >>> with interruptible() as interruption:
    ...     signal.raise_signal(signal.SIGINT)
    ...     interruption.asked
    True
    """
    interruption = Interruption()
    if threading.current_thread() is not threading.main_thread():
        yield interruption
        return
    signals = [signal.SIGINT, signal.SIGTERM]
    before = [signal.signal(each, interruption.ask) for each in signals]
    try:
        yield interruption
    finally:
        for each, handler in zip(signals, before, strict=True):
            signal.signal(each, handler)
