"""Something that runs do instead of answering, and for which they need no inputs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qkvae.run import Run
from qkvae.tasks.uses import Output


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Numbers."""

    draw: int | None = None
    """How many numbers."""

    twice: bool = False
    """Each of them twice."""


def draw(run: Run, asked: Draw, groups: Iterable[list[str]], output: Output) -> None:
    """Numbers from 0; the inputs are not read."""
    for number in range(asked.draw or 0):
        output.put(str(2 * number if asked.twice else number))
    output.say(f"of {run.task}")
