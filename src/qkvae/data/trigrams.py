"""Which of the two languages is a line in?  Learned from the data's own two sides, letter by letter.

No list of languages and no model from outside: how often three letters follow each other on the source side
and on the target side is counted, and each line is asked which of the two it resembles (naive Bayes over
trigrams).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkvae.data.alignment import Floats, robust_scores
from qkvae.data.pairs import BLOCK, Pairs

BITS = 18
"""Trigrams are hashed into 2¹⁸ counts: 2 MiB a side, which a processor's cache holds."""

SMOOTHING = 0.5
"""Added to every count, so that what was never seen is rare and not impossible."""


@dataclass(frozen=True)
class Judged:
    """One side's lines: nats a letter, and what follows from them.

    ``ratio`` is log p(line | own side) − log p(line | other side), above zero where a line looks like its own
    side; ``fit`` is log p(line | own side), low where it looks like neither.
    """

    ratio: Floats
    fit: Floats
    letters: Floats

    @property
    def foreign(self) -> NDArray[np.bool_]:
        """Lines in the other side's language: clearly (each letter) and with enough evidence (all letters).

        The trigrams of a line overlap, so that their sum overstates; it counts from 8 nats on.
        """
        return (self.ratio < -0.5) & (self.ratio * self.letters < -8)

    @property
    def strange(self) -> NDArray[np.bool_]:
        """Lines of 20 letters or more in neither language: far from their own, and no nearer to it than half
        the rest."""
        unlike = self.ratio < 0.5 * np.median(self.ratio)
        return unlike & (self.letters >= 20) & (robust_scores(self.fit, least=0.1) < -5)


@dataclass(frozen=True)
class Sides:
    """How often each hashed trigram occurs on the source side and on the target side."""

    source: Floats
    target: Floats

    @classmethod
    def learn(cls, pairs: Pairs) -> Sides:
        """Count the trigrams of both sides."""
        return cls(_count(pairs.sources), _count(pairs.targets))

    @property
    def differ(self) -> bool:
        """Whether the sides can be told apart: the average letter says so with at least 0.3 nats on each
        side.

        This is the Kullback-Leibler divergence between the sides' trigrams, the smaller of the two
        directions.
        """
        source, target = (_logarithms(side) for side in (self.source, self.target))
        there = float(np.dot(self.source, source - target)) / max(float(self.source.sum()), 1)
        back = float(np.dot(self.target, target - source)) / max(float(self.target.sum()), 1)
        return min(there, back) > 0.3

    def judge(self, pairs: Pairs, seen: bool) -> tuple[Judged, Judged]:
        """Judge the lines of both sides; lines that were learned from (``seen``) as if they had not been."""
        return (
            _judge(pairs.sources, self.source, self.target, seen),
            _judge(pairs.targets, self.target, self.source, seen),
        )


def _blocks(texts: list[str]) -> Iterator[tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.int64]]]:
    """Block by block: hashed trigrams by their middle letter, and where each line begins and ends."""
    for start in range(0, len(texts), BLOCK):
        block = (text.replace("\n", " ") if "\n" in text else text for text in texts[start : start + BLOCK])
        joined = "\n" + "\n".join(block).lower() + "\n"
        letters = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
        mixed = letters[:-2] * np.uint32(0x9E3779B1) + letters[1:-1] * np.uint32(0x85EBCA77)
        mixed += letters[2:] * np.uint32(0xC2B2AE3D)
        mixed ^= mixed >> np.uint32(15)
        mixed *= np.uint32(0x2C1B3C6D)
        ends = np.flatnonzero(letters == 10)
        # trigram k has its middle at letter k + 1; a line's letters lie between two line ends
        yield mixed >> np.uint32(32 - BITS), ends[:-1], ends[1:] - 1


def _count(texts: list[str]) -> Floats:
    counts = np.zeros(1 << BITS)
    for trigrams, _, _ in _blocks(texts):
        counts += np.bincount(trigrams, minlength=1 << BITS)
    return counts


def _logarithms(counts: Floats, less: int = 0) -> Floats:
    """log p of each trigram, as if it had been seen ``less`` times less."""
    return np.log((np.maximum(counts - less, 0) + SMOOTHING) / (counts.sum() + SMOOTHING * len(counts)))


def _judge(texts: list[str], own: Floats, other: Floats, seen: bool) -> Judged:
    fit = _logarithms(own, less=int(seen))
    tables = (fit - _logarithms(other), fit)
    means = np.empty((2, len(texts)))
    letters = np.empty(len(texts))
    place = 0
    for trigrams, starts, ends in _blocks(texts):
        block = slice(place, place + len(starts))
        letters[block] = ends - starts
        for table, row in zip(tables, means, strict=True):
            sums = np.concatenate(([0.0], np.cumsum(table[trigrams])))
            row[block] = (sums[ends] - sums[starts]) / np.maximum(ends - starts, 1)
        place += len(starts)
    return Judged(means[0], means[1], letters)
