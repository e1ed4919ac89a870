"""What a translation, or a distribution, is worth.  BLEU and chrF are sacreBLEU's, from 0 to 100."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qkvae.metrics.bootstrap import Comparison, paired_bootstrap


class Bleu(NamedTuple):
    """BLEU with what is needed to compare it with other people's."""

    score: float
    """From 0 to 100."""

    signature: str
    """How sacreBLEU computed it."""

    length_ratio: float
    """Words of all answers / words of all references."""


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
    100.0

    Raises:
        ValueError: the numbers of answers and references differ, or there are none.
    """
    from sacrebleu.metrics.bleu import BLEU

    _same_number(answers, references)
    metric = BLEU()
    found: Any = metric.corpus_score(answers, [references])
    # Its mean of logarithms makes a perfect answer a trifle better than perfect.
    return Bleu(min(found.score, 100.0), str(metric.get_signature()), found.sys_len / max(1, found.ref_len))


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


def compare_bleu(
    first: Sequence[str],
    second: Sequence[str],
    references: Sequence[str],
    samples: int = 1000,
    seed: int = 12345,
) -> Comparison:
    """Is one system's BLEU better than another's, or may chance have made the difference?

    A `bootstrap.paired_bootstrap` over the sums of the segments' n-gram counts (Koehn 2004).

    >>> good, bad = ["a b c d e", "f g h i j"] * 20, ["a b c d z", "f g h i z"] * 20
    >>> compare_bleu(good, bad, good)["verdict"], compare_bleu(bad, bad, good)["verdict"]
    ('the first is better', 'cannot tell')

    Raises:
        ValueError: the numbers of segments differ, or there are none.
    """
    _same_number(first, references)
    _same_number(second, references)
    counts = [_bleu_counts(each, references) for each in (first, second)]
    return paired_bootstrap("bleu", counts[0], counts[1], _bleu_of, samples, seed)


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
