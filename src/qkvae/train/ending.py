"""What is kept of the minutes for the work after the last step, and how it is known to be done."""

from __future__ import annotations

from qkvae.run import CARD, Run

_SHARE = 0.04  # part of the minutes kept for the ending


def reserved(minutes: float | None) -> float:
    """Seconds to keep for the ending of a training of so many minutes; none of one that counts steps."""
    return 60 * minutes * _SHARE if minutes is not None else 0.0


def is_finished(run: Run) -> bool:
    """Whether everything was done: the model card is what is written last."""
    return (run.path / CARD).is_file()
