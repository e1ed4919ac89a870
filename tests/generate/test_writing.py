"""Texts continued token by token: with a cache as without, beyond the context, together as alone."""

from __future__ import annotations

import math
from collections import Counter

import pytest
import torch
from small_decoders import CONTEXT, VOCAB, distribution, model, written

from qkvae.config import Writing
from qkvae.generate.filters import filtered
from qkvae.generate.writing import Pen, window_start


@pytest.mark.parametrize("positions", ["rotary", "alibi", "relative", "learned", "sinusoidal", "none"])
def test_every_step_is_what_reading_at_once_gives_however_long_the_text(positions: str) -> None:
    found = model(positions)
    pen = Pen(found, [[1, 5, 6], [4], list(range(11))], Writing(tokens=14, temperature=0), CONTEXT)
    while pen.live:
        before = [list(text) for text in pen.texts]
        for row, token in pen.step().items():
            assert token == int(distribution(found, before[row], CONTEXT).argmax())
    assert [len(text) for text in pen.texts] == [17, 15, 25]


def test_the_logits_of_every_step_are_those_without_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    found, seen = model(), []
    kept = Pen._choose
    monkeypatch.setattr(
        Pen, "_choose", lambda self, logits: (seen.append(logits.clone()), kept(self, logits))[1]
    )
    prompts = [[1, 5, 6, 7, 8], [4, 9]]
    texts = written(Pen(found, prompts, Writing(tokens=25, temperature=0), CONTEXT))
    for step, logits in enumerate(seen):
        for row, prompt in enumerate(prompts):
            expected = distribution(found, texts[row][: len(prompt) + step], CONTEXT)
            torch.testing.assert_close(logits[row], expected, rtol=0, atol=1e-5)


def test_what_is_looked_at_is_never_more_than_the_context_and_half_of_it_at_least() -> None:
    for context in (1, 2, 3, 8, 9):
        for length in range(1, 5 * context):
            shown = length - window_start(length, context)
            assert shown <= context
            assert shown >= min(length, context // 2)
    starts = [window_start(length, 8) for length in range(1, 60)]
    assert starts == sorted(starts), "what was forgotten is not remembered"


@pytest.mark.parametrize("temperature", [0.0, 1.3])
def test_a_text_goes_on_as_it_would_alone(temperature: float) -> None:
    found, settings = model(), Writing(tokens=12, temperature=temperature)
    prompts = [[1, 5, 6], [4], [7] * 15, [1, 5, 6]]
    together = written(Pen(found, prompts, settings, CONTEXT, seed=3))
    alone = [written(Pen(found, [prompt], settings, CONTEXT, seed=3))[0] for prompt in prompts]
    assert together == alone
    assert together[0] == together[3]


def test_a_text_that_ends_leaves_the_others_as_they_are() -> None:
    found, settings = model(), Writing(tokens=20, temperature=0)
    expected = written(Pen(found, [[1, 5], [4], [9, 9, 9]], settings, CONTEXT))
    pen = Pen(found, [[1, 5], [4], [9, 9, 9]], settings, CONTEXT)
    for step in range(20):
        pen.step()
        if step == 2:
            pen.end(1)
        if step == 11:
            pen.end(0)
    assert not pen.live
    assert pen.texts == [expected[0][: 2 + 12], expected[1][: 1 + 3], expected[2]]


def test_tokens_are_drawn_from_the_distribution() -> None:
    """Chi-square of 4,000 first tokens, under temperature and top_p, against the filtered softmax."""
    found, settings, count = model(), Writing(tokens=1, temperature=1.5, top_p=0.95), 4000
    logits = distribution(found, [1, 5], CONTEXT)[None]
    expected = filtered(logits, settings).softmax(-1)[0]
    pen = Pen(found, [[1, 5]] * count, settings, CONTEXT)
    pen._drawn = torch.rand(count, 1, dtype=torch.float64)  # equal prompts would be drawn alike
    drawn = Counter(pen.step().values())
    possible = [token for token in range(VOCAB) if expected[token] > 0]
    assert set(drawn) <= set(possible)
    chi = sum((drawn[t] - count * float(expected[t])) ** 2 / (count * float(expected[t])) for t in possible)
    freedom = len(possible) - 1
    assert chi < freedom + 4 * math.sqrt(2 * freedom), (
        f"chi-square {chi:.1f} with {freedom} degrees of freedom"
    )


def test_forbidden_tokens_are_not_written() -> None:
    settings = Writing(tokens=50, temperature=5.0)
    texts = written(Pen(model(), [[1]], settings, CONTEXT, forbidden=[0, 2, 3], seed=1))
    assert not {0, 2, 3} & set(texts[0][1:])
    assert len(set(texts[0])) > 4


def test_repetition_divides_the_odds_of_what_was_written(monkeypatch: pytest.MonkeyPatch) -> None:
    found = model()
    pen = Pen(found, [[1, 5]], Writing(tokens=3, temperature=0, repetition=3.0), CONTEXT)
    (first,) = pen.step().values()
    logits = distribution(found, [1, 5, first], CONTEXT)
    logits[first] -= math.log(3)
    assert pen.step() == {0: int(logits.argmax())}


def test_an_empty_prompt_is_refused() -> None:
    with pytest.raises(ValueError, match="begin it with <s>"):
        Pen(model(), [[1], []], Writing(), CONTEXT)


def test_the_first_token_may_be_one_of_some_only() -> None:
    found, settings = model(), Writing(tokens=4, temperature=0)
    texts = written(Pen(found, [[1, 5], [1, 5]], settings, CONTEXT, first={1: [3, 7]}))
    logits = distribution(found, [1, 5], CONTEXT)
    assert texts[0] == written(Pen(found, [[1, 5]], settings, CONTEXT))[0]
    assert texts[1][2] == (3 if logits[3] > logits[7] else 7)
