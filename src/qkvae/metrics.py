"""What a translation, or a distribution, is worth.  BLEU and chrF are sacreBLEU's, from 0 to 100."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple, TypedDict

import numpy as np
from numpy.typing import NDArray

Verdict = Literal["the first is better", "the second is better", "cannot tell"]

LEVEL = 0.05
"""How often chance alone may pass for a difference."""


class Bleu(NamedTuple):
    """BLEU with what is needed to compare it with other people's."""

    score: float
    """From 0 to 100."""

    signature: str
    """How sacreBLEU computed it."""

    length_ratio: float
    """Words of all answers / words of all references."""


class Comparison(TypedDict):
    """Two systems on the same inputs."""

    metric: str
    first: float
    second: float
    difference: float
    """first − second."""
    interval: tuple[float, float]
    """95 % of the resampled differences lie between these."""
    p: float
    """How probable so large a difference is if both are equally good."""
    samples: int
    segments: int
    verdict: Verdict


def perplexity(nll: float) -> float:
    """exp(nll), nll in nats per token: the number of equally probable tokens that are as hard to guess among.

    >>> round(perplexity(math.log(50)), 6)
    50.0
    """
    return math.exp(nll) if nll < 700 else math.inf


def bits_per_byte(nll: float, text_bytes: int) -> float:
    """Σ −log₂ p / bytes: the same measure for every tokenizer.

    ``nll`` is a whole text's in nats, ``text_bytes`` the length of that text in UTF-8.

    >>> bits_per_byte(math.log(2) * 24, 12)
    2.0

    Raises:
        ValueError: there is no text.
    """
    if text_bytes < 1:
        raise ValueError("bits per byte of a text without bytes: give a text")
    return nll / math.log(2) / text_bytes


def bleu(answers: Sequence[str], references: Sequence[str]) -> Bleu:
    """BLEU over all answers together, cased, tokenised by 13a.

    Papineni et al. 2002, https://aclanthology.org/P02-1040; Post 2018, arXiv:1804.08771.

    >>> bleu(["the cat is on the mat"], ["the cat is on the mat"]).score
    100.00000000000004

    Raises:
        ValueError: the numbers of answers and references differ, or there are none.
    """
    from sacrebleu.metrics.bleu import BLEU

    _same_number(answers, references)
    metric = BLEU()
    found: Any = metric.corpus_score(answers, [references])
    return Bleu(found.score, str(metric.get_signature()), found.sys_len / max(1, found.ref_len))


def chrf(answers: Sequence[str], references: Sequence[str]) -> float:
    """chrF2 over all answers together: the F-score of character n-grams up to 6 (Popović 2015).

    Raises:
        ValueError: the numbers of answers and references differ, or there are none.
    """
    from sacrebleu.metrics.chrf import CHRF

    _same_number(answers, references)
    return CHRF().corpus_score(answers, [references]).score


def length_ratio(answers: Sequence[str], references: Sequence[str]) -> float:
    """Words of all answers / words of all references, counted as BLEU counts them.

    >>> length_ratio(["one two"], ["one two three four"])
    0.5
    """
    return bleu(answers, references).length_ratio


def paired_bootstrap(
    first: Sequence[str],
    second: Sequence[str],
    references: Sequence[str],
    samples: int = 1000,
    seed: int = 12345,
) -> Comparison:
    """Is one system's BLEU better than another's, or may chance have made the difference?

    Koehn 2004, https://aclanthology.org/W04-3250: the same segments are drawn with replacement for both
    systems, and BLEU is computed from the sums of their n-gram counts.  p is the part of the resampled
    differences that are as far from their mean as the real difference is from zero.  It cannot be told which
    is better unless p < 0.05 and the interval leaves zero out.

    >>> good, bad = ["a b c d e", "f g h i j"] * 20, ["a b c d z", "f g h i z"] * 20
    >>> paired_bootstrap(good, bad, good)["verdict"], paired_bootstrap(bad, bad, good)["verdict"]
    ('the first is better', 'cannot tell')

    Raises:
        ValueError: the numbers of segments differ, or there are none.
    """
    _same_number(first, references)
    _same_number(second, references)
    counts = [_bleu_counts(each, references) for each in (first, second)]
    one, other = (_bleu_of(each.sum(0)) for each in counts)
    generator = np.random.default_rng(seed)
    number = len(references)
    drawn = generator.multinomial(number, np.full(number, 1 / number), size=samples)
    left, right = (np.array([_bleu_of(row) for row in drawn @ each]) for each in counts)
    differences = left - right
    low, high = np.percentile(differences, [50 * LEVEL, 100 - 50 * LEVEL]).tolist()
    extreme = int((np.abs(differences - differences.mean()) >= abs(one - other)).sum())
    p = (extreme + 1) / (samples + 1)
    sure = p < LEVEL and (low > 0 or high < 0)
    better: Verdict = "the first is better" if one > other else "the second is better"
    return {
        "metric": "bleu",
        "first": one,
        "second": other,
        "difference": one - other,
        "interval": (low, high),
        "p": p,
        "samples": samples,
        "segments": number,
        "verdict": better if sure else "cannot tell",
    }


def _bleu_counts(answers: Sequence[str], references: Sequence[str]) -> NDArray[np.int64]:
    """What BLEU is computed from, by segment: n-grams found, n-grams there are (1 to 4), both lengths."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(effective_order=True)  # for single sentences; the counts are the same
    rows: list[list[int]] = []
    for answer, reference in zip(answers, references, strict=True):
        found: Any = metric.sentence_score(answer, [reference])
        rows.append([*found.counts, *found.totals, found.sys_len, found.ref_len])
    return np.array(rows, np.int64)


def _bleu_of(counts: NDArray[np.int64]) -> float:
    from sacrebleu.metrics.bleu import BLEU

    found: list[int] = counts.tolist()
    metric: Any = BLEU
    score = metric.compute_bleu(found[:4], found[4:8], found[8], found[9], smooth_method="exp")
    return score.score


def _same_number(answers: Sequence[str], references: Sequence[str]) -> None:
    if len(answers) != len(references):
        raise ValueError(f"{len(answers)} answers, but {len(references)} references: give one for each")
    if not references:
        raise ValueError("there are no answers to measure: give at least one")
