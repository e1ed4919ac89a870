"""An answer with its probability, and how answers are ranked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Hypothesis:
    """One answer to one input.

    >>> Hypothesis((7, 8), -3.0, 3, -1.0).cut
    False
    """

    ids: tuple[int, ...]
    """The tokens, without BOS and EOS."""

    log_probability: float
    """ln p(ids, EOS | input), in nats; without EOS where the answer was cut."""

    length: int
    """Tokens that the probability is of: EOS is one of them."""

    score: float
    """What answers are ranked by: log_probability / length ** length_penalty."""

    @property
    def cut(self) -> bool:
        """Whether the answer ended because it reached its maximum length, not by EOS."""
        return self.length == len(self.ids)


def rerank(hypotheses: Iterable[Hypothesis], length_penalty: float) -> list[Hypothesis]:
    """The same answers scored by log p / length ** length_penalty, best first.

    Wu et al. 2016, arXiv:1609.08144, section 7, in the simpler form that divides by a power of the length.
    Among equal scores the order stays.

    >>> short, long = Hypothesis((7,), -2.0, 2, 0.0), Hypothesis((7, 8, 9), -3.0, 4, 0.0)
    >>> [each.ids for each in rerank([long, short], 0.0)], [each.score for each in rerank([long, short], 1.0)]
    ([(7,), (7, 8, 9)], [-0.75, -1.0])
    """
    scored = [replace(each, score=each.log_probability / each.length**length_penalty) for each in hypotheses]
    return sorted(scored, key=lambda each: -each.score)
