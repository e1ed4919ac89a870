"""What of a base a model was given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Given:
    """Which weights a model was given, module by module."""

    taken: tuple[str, ...]
    numbers: int
    """How many numbers they are together."""

    anew: tuple[str, ...]
    left_out: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """For the run's config."""
        return {"numbers": self.numbers, "anew": list(self.anew), "left_out": list(self.left_out)}

    def __str__(self) -> str:
        said = [f"{len(self.taken)} parts with {self.numbers:,} numbers are taken"]
        said += [f"beginning anew: {_several(self.anew)}"] if self.anew else []
        said += [f"left out: {_several(self.left_out)}"] if self.left_out else []
        return "; ".join(said)


def _several(names: Sequence[str]) -> str:
    """Names for a line, of many the first: the run's config has all.

    >>> _several("abcdefg"), _several("abc")
    ('a, b, c, d and 3 more', 'a, b, c')
    """
    more = f" and {len(names) - 4} more" if len(names) > 5 else ""
    return ", ".join(names[:4] if more else names) + more
