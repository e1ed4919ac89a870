"""Our figures are sacreBLEU's, and what chance can do is not taken for a difference."""

from __future__ import annotations

import math
import random

import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.significance import PairedTest

from qkvae import metrics

WORDS = ["the", "a", "cat", "dog", "sees", "runs", "over", "under", "house", "tree", "with", "and", ","]


def texts(seed: int, number: int = 200) -> list[str]:
    generator = random.Random(seed)
    return [" ".join(generator.choices(WORDS, k=generator.randint(3, 15))) for _ in range(number)]


def worsened(lines: list[str], part: float, seed: int) -> list[str]:
    """With this part of the words replaced."""
    generator = random.Random(seed)
    return [
        " ".join("X" if generator.random() < part else word for word in line.split(" ")) for line in lines
    ]


REFERENCES = texts(0)
GOOD, BAD = worsened(REFERENCES, 0.2, 1), worsened(REFERENCES, 0.3, 2)


def test_bleu_and_chrf_are_sacrebleus() -> None:
    expected = BLEU().corpus_score(GOOD, [REFERENCES])
    found = metrics.bleu(GOOD, REFERENCES)
    assert found.score == expected.score
    assert found.length_ratio == expected.ratio
    assert found.signature.startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert metrics.chrf(GOOD, REFERENCES) == CHRF().corpus_score(GOOD, [REFERENCES]).score
    assert metrics.length_ratio(["a b"] * 3, ["a b c d"] * 3) == 0.5


def test_the_bootstrap_starts_from_corpus_bleu() -> None:
    found = metrics.compare_bleu(GOOD, BAD, REFERENCES)
    assert found["first"] == pytest.approx(metrics.bleu(GOOD, REFERENCES).score, abs=1e-9)
    assert found["second"] == pytest.approx(metrics.bleu(BAD, REFERENCES).score, abs=1e-9)
    assert found["difference"] == found["first"] - found["second"]


def test_the_bootstrap_agrees_with_sacrebleus() -> None:
    close = worsened(REFERENCES, 0.21, 3)
    systems = [("first", GOOD), ("second", close)]
    test = PairedTest(systems, {"BLEU": BLEU()}, [REFERENCES], test_type="bs", n_samples=2000)
    expected = test()[1]["BLEU"][1].p_value
    found = metrics.compare_bleu(GOOD, close, REFERENCES, samples=2000)
    assert expected is not None
    assert found["p"] == pytest.approx(expected, abs=0.04)


def test_a_clear_difference_is_seen_from_both_sides() -> None:
    one, other = (metrics.compare_bleu(*pair, REFERENCES, samples=300) for pair in ((GOOD, BAD), (BAD, GOOD)))
    assert (one["verdict"], other["verdict"]) == ("the first is better", "the second is better")
    assert one["interval"][0] > 0 > other["interval"][1]
    assert one["interval"] == pytest.approx((-other["interval"][1], -other["interval"][0]))
    assert one["p"] < 0.05


def test_equally_bad_systems_cannot_be_told_apart_most_of_the_time() -> None:
    verdicts = [
        metrics.compare_bleu(
            worsened(REFERENCES, 0.2, seed), worsened(REFERENCES, 0.2, 100 + seed), REFERENCES, 200
        )["verdict"]
        for seed in range(20)
    ]
    assert verdicts.count("cannot tell") >= 17


def test_the_bootstrap_is_the_same_for_the_same_seed() -> None:
    assert metrics.compare_bleu(GOOD, BAD, REFERENCES, 50, seed=3) == metrics.compare_bleu(
        GOOD, BAD, REFERENCES, 50, seed=3
    )


def test_perplexity_and_bits() -> None:
    assert metrics.perplexity(math.log(8)) == pytest.approx(8)
    assert metrics.perplexity(1e6) == math.inf
    # A uniform choice among 256 bytes costs 8 bits each.
    assert metrics.bits_per_byte(10 * math.log(256), 10) == pytest.approx(8)
    with pytest.raises(ValueError, match="without bytes"):
        metrics.bits_per_byte(1.0, 0)


@pytest.mark.parametrize("measure", [metrics.bleu, metrics.chrf])
def test_answers_and_references_must_match(measure) -> None:
    with pytest.raises(ValueError, match="2 answers, but 1 references"):
        measure(["a", "b"], ["a"])
    with pytest.raises(ValueError, match="no answers"):
        measure([], [])
