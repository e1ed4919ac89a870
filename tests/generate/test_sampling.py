"""What is drawn has the distribution that was asked for."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import Dice, sentences, tiny

from qkvae.config import Generation
from qkvae.generate import generate
from qkvae.generate.filters import filtered, min_p, top_k, top_p
from qkvae.generate.sampling import inverse_cdf

PROBABILITIES = [0.05, 0.05, 0.2, 0.02, 0.08, 0.3, 0.2, 0.1]  # the first two, PAD and BOS, are never drawn
DRAWS = 4000


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"temperature": 0.5},
        {"top_k": 3},
        {"top_p": 0.7},
        {"min_p": 0.3},
        {"temperature": 2.0, "top_p": 0.8},
    ],
    ids=str,
)
def test_frequencies_are_the_filtered_probabilities(asked: dict[str, float]) -> None:
    settings = Generation(beam=1, sample=True, max_length=1, batch=500, nbest=4, **asked)  # pyright: ignore
    found = generate(Dice(PROBABILITIES), [[5, number] for number in range(DRAWS // 4)], settings)
    drawn = Counter(2 if not each.ids else each.ids[0] for answers in found for each in answers)
    logits = torch.tensor([PROBABILITIES]).log()
    logits[:, :2] = -math.inf
    expected = (filtered(logits, settings).softmax(-1)[0] * DRAWS).tolist()
    possible = [token for token, count in enumerate(expected) if count > 0]
    assert set(drawn) <= set(possible)
    square = sum((drawn[token] - expected[token]) ** 2 / expected[token] for token in possible)
    # Chi-square with 7 degrees of freedom at most exceeds 24.3 once in a thousand times.
    assert square < 24.3


def test_an_answer_depends_on_its_input_and_the_seed_alone() -> None:
    model, inputs = tiny(), sentences(6)
    asked = Generation(beam=1, sample=True, seed=3)
    first = [each[0].ids for each in generate(model, inputs, asked)]
    for others in (inputs[::-1], [*inputs[1:], *inputs]):
        found = dict(zip(map(tuple, others), generate(model, others, asked), strict=True))
        assert [found[tuple(source)][0].ids for source in inputs] == first
    other = generate(model, inputs, Generation(beam=1, sample=True, seed=4))
    assert [each[0].ids for each in other] != first


def test_more_answers_begin_with_the_same_one() -> None:
    model = tiny()
    one = generate(model, [[5, 6]], Generation(beam=1, sample=True))[0]
    three = generate(model, [[5, 6]], Generation(beam=1, sample=True, nbest=3))[0]
    assert one[0].ids in {each.ids for each in three}
    assert len({each.ids for each in three}) == 3
    assert [each.score for each in three] == sorted((each.score for each in three), reverse=True)


@given(st.floats(0, 1, exclude_max=True))
@settings(max_examples=200, deadline=None)
def test_what_has_no_probability_is_never_drawn(uniform: float) -> None:
    logits = torch.tensor([[-math.inf, 0.3, -math.inf, 1.0, -math.inf]])
    for number in (uniform, 0.0, math.nextafter(1, 0)):
        assert int(inverse_cdf(logits, torch.tensor([number], dtype=torch.float64))) in (1, 3)


LOGITS = st.lists(st.floats(-8, 8), min_size=2, max_size=12).map(lambda x: torch.tensor([x]))


@given(LOGITS, st.integers(1, 15), st.floats(0.01, 1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_filters_keep_what_they_say(logits: torch.Tensor, k: int, p: float, least: float) -> None:
    probabilities = logits.softmax(-1)[0].double()

    def kept(result: torch.Tensor) -> list[int]:
        assert torch.equal(result[result > -math.inf], logits[result > -math.inf])
        return (result[0] > -math.inf).nonzero()[:, 0].tolist()

    most = kept(top_k(logits, k))
    assert len(most) >= min(k, logits.shape[1])
    assert (
        sum(bool(probabilities[i] > probabilities[most].min() + 1e-9) for i in range(len(probabilities))) < k
    )
    nucleus = kept(top_p(logits, p))
    assert float(probabilities[nucleus].sum()) >= p - 1e-5
    smallest = float(probabilities[nucleus].min())
    assert float(probabilities[nucleus].sum()) - smallest < p + 1e-5  # one fewer would be too few
    enough = kept(min_p(logits, least))
    assert enough
    assert all(float(probabilities[i]) >= least * float(probabilities.max()) - 1e-6 for i in enough)
