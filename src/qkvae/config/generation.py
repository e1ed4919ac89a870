"""How an answer is chosen from a model's distributions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qkvae.config import checks

Precision = Literal["auto", "fp32", "bf16", "int8", "int4"]
"""In which numbers the large products of decoding are computed."""


@dataclass(frozen=True, kw_only=True)
class Filtering:
    """Among which tokens the next one is drawn."""

    temperature: float = 1.0
    """Divides the logits before drawing: below 1 is more certain."""

    top_k: int | None = None
    """Draw among the k most probable tokens only."""

    top_p: float | None = None
    """Draw among the fewest tokens that hold this much probability."""

    min_p: float | None = None
    """Draw among tokens at least this fraction as probable as the best one."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "top_k")
        checks.at_least(self, 0, "temperature", "min_p")
        checks.above_zero(self, "top_p")
        for name in ("top_p", "min_p"):
            value = getattr(self, name)
            if value is not None and value > 1:
                raise ValueError(f"{name} is {value}, but must be between 0 and 1")

    @property
    def filters(self) -> list[str]:
        """The settings that leave tokens out."""
        return [name for name in ("top_k", "top_p", "min_p") if getattr(self, name) is not None]


@dataclass(frozen=True, kw_only=True)
class Generation(Filtering):
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

    batch: int = 32
    """Inputs decoded side by side."""

    seed: int = 0
    """Seed of the sampling."""

    precision: Precision = "auto"
    """Large products on a processor: fp32, bf16, int8, int4, or auto: what is quick for as many rows."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.at_least(self, 1, "beam", "nbest", "max_length", "batch")
        checks.above_zero(self, "temperature")
        checks.one_of(self, "precision")
        if self.sample and self.beam > 1:
            raise ValueError(f"sample and beam {self.beam} exclude each other: use beam 1 to sample")
        if not self.sample and self.nbest > self.beam:
            raise ValueError(f"nbest is {self.nbest}, but the beam holds {self.beam}: use beam {self.nbest}")
        unused = [*self.filters, *(["temperature"] if self.temperature != 1 else [])]
        if unused and not self.sample:
            raise ValueError(f"{unused[0]} has no effect without sample: add sample, or leave it out")
