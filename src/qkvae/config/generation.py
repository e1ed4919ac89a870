"""How an answer is chosen from a model's distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qkvae.config import checks

Precision = Literal["auto", "fp32", "bf16", "int8", "int4"]
"""In which numbers the large products of decoding are computed."""


@dataclass(frozen=True, kw_only=True)
class Generation:
    """Greedy (beam 1), beam search (beam 2 and more) or sampling (sample)."""

    beam: int = 5
    """Hypotheses kept at each step; 1 is greedy."""

    nbest: int = 1
    """Answers given for each input, best first; at most beam."""

    length_penalty: float = 1.0
    """Hypotheses are ranked by log-probability / length ** length_penalty."""

    max_length: int | None = None
    """Longest answer in tokens; twice the input's length plus 10 if not given."""

    sample: bool = False
    """Draw from the distribution instead of searching."""

    temperature: float = 1.0
    """Divides the logits before sampling; below 1 is more certain."""

    top_k: int | None = None
    """Sample among the k most probable tokens only."""

    top_p: float | None = None
    """Sample among the fewest tokens that hold this much probability."""

    min_p: float | None = None
    """Sample among tokens at least this fraction as probable as the best one."""

    batch: int = 32
    """Inputs decoded side by side."""

    seed: int = 0
    """Seed of the sampling."""

    precision: Precision = "auto"
    """Large products on a processor: fp32, bf16, int8, int4, or auto: what is quick for as many rows."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "beam", "nbest", "max_length", "top_k", "batch")
        checks.above_zero(self, "temperature", "top_p")
        checks.one_of(self, "precision")
        for field in ("top_p", "min_p"):
            value = getattr(self, field)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{field} is {value}, but must be between 0 and 1")
        if self.sample and self.beam > 1:
            raise ValueError(f"sample and beam {self.beam} exclude each other: use beam 1 to sample")
        if not self.sample and self.nbest > self.beam:
            raise ValueError(f"nbest is {self.nbest}, but the beam holds {self.beam}: use beam {self.nbest}")
        unused = [name for name in ("top_k", "top_p", "min_p") if getattr(self, name) is not None]
        unused += ["temperature"] * (self.temperature != 1)
        if unused and not self.sample:
            raise ValueError(f"{unused[0]} has no effect without sample: add sample, or leave it out")
