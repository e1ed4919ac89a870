"""With a draft: the same distribution, to the last outcome; the same text where nothing is drawn."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest
import torch
from small_decoders import CONTEXT, VOCAB, distribution, model, written
from torch import Tensor

from qkvae.config import Writing
from qkvae.generate import speculative
from qkvae.generate.filters import filtered, only, without_repetition
from qkvae.generate.speculative import Draft, Drawn, Following, SpeculativePen, judged
from qkvae.generate.writing import Pen


class Branches:
    """Chance that takes every way there is, one after the other, with the probability of each."""

    def __init__(self) -> None:
        self.taken: list[int] = []
        self.ways: list[int] = []
        self.at, self.probability = 0, 1.0

    def _way(self, probabilities: Sequence[float]) -> int:
        """The way of this run at this fork."""
        if self.at == len(self.taken):
            self.taken.append(0)
            self.ways.append(len(probabilities))
        way = self.taken[self.at]
        self.at += 1
        self.probability *= probabilities[way]
        return way

    def draw(self, distribution: Tensor) -> int:
        tokens = distribution.nonzero()[:, 0].tolist()
        return tokens[self._way([float(distribution[token]) for token in tokens])]

    def happens(self, probability: float) -> bool:
        if probability in (0.0, 1.0):
            return bool(probability)
        return self._way([probability, 1 - probability]) == 0

    def explore(self, run: Callable[[], tuple[int, ...]]) -> dict[tuple[int, ...], float]:
        """The probability of each outcome."""
        outcomes: dict[tuple[int, ...], float] = defaultdict(float)
        while True:
            self.at, self.probability = 0, 1.0
            outcomes[run()] += self.probability
            while self.taken and self.taken[-1] + 1 == self.ways[-1]:
                self.taken.pop()
                self.ways.pop()
            if not self.taken:
                return outcomes
            self.taken[-1] += 1


@pytest.mark.parametrize("seed", range(5))
def test_one_token_has_the_models_distribution(seed: int) -> None:
    """Every proposal, kept or not, and every token in its place: the sum over all ways is p."""
    torch.manual_seed(seed)
    p, q = torch.randn(2, 6, dtype=torch.float64).mul(2).softmax(-1)
    p[seed], q[5 - seed] = 0, 0  # what only one of them would ever say
    p, q = p / p.sum(), q / q.sum()
    chance = Branches()
    model = torch.stack([p, p])

    def run() -> tuple[int, ...]:
        return (judged([chance.draw(q)], q[None], model, chance)[0],)

    found = chance.explore(run)
    for token in range(6):
        assert found[token,] == pytest.approx(float(p[token]), abs=1e-12)


def test_a_text_has_the_models_distribution(monkeypatch: pytest.MonkeyPatch) -> None:
    """All texts of three tokens, over everything that chance can do in proposing and judging them."""
    tables: dict[tuple[str, tuple[int, ...]], Tensor] = {}

    def said(who: str, text: Sequence[int]) -> Tensor:
        return tables.setdefault((who, tuple(text)), 1.5 * torch.randn(VOCAB))

    class Told:
        """Logits without a model: another distribution after every text."""

        def __init__(self, who: object, context: int) -> None:
            self.who, self.context = "draft" if who is small else "model", context

        def logits(self, text: Sequence[int], count: int) -> Tensor:
            ends = range(len(text) - count + 1, len(text) + 1)
            return torch.stack([said(self.who, text[:end]).clone() for end in ends])

    large, small, chance = model(), model(), Branches()
    monkeypatch.setattr(speculative, "Following", Told)
    monkeypatch.setattr(speculative, "Drawn", lambda seed, prompt: chance)
    settings = Writing(tokens=3, temperature=1.3, min_p=0.05, repetition=1.7)
    forbidden, first = list(range(3, VOCAB)), [0, 2]

    def run() -> tuple[int, ...]:
        draft = Draft(small, CONTEXT, ahead=2)
        pen = SpeculativePen(large, draft, [[1]], settings, CONTEXT, forbidden, first={0: first})
        return tuple(written(pen)[0][1:])

    found = chance.explore(run)
    assert sum(found.values()) == pytest.approx(1, abs=1e-9)
    for text, probability in found.items():
        expected = 1.0
        for place, token in enumerate(text):
            logits = said("model", (1, *text[:place])).clone()
            logits[forbidden] = -torch.inf
            logits = logits if place else only(logits, first)
            logits = without_repetition(logits, text[:place], 1.7)
            expected *= float(filtered(logits[None], settings).double().softmax(-1)[0, token])
        assert probability == pytest.approx(expected, abs=1e-9), text
    assert len(found) > 8


@pytest.mark.parametrize(("positions", "ahead"), [("rotary", 1), ("learned", 4), ("alibi", 9)])
def test_greedy_texts_are_the_same_token_for_token(positions: str, ahead: int) -> None:
    large, settings = model(positions), Writing(tokens=16, temperature=0)
    prompts = [[1, 5, 6], list(range(11))]
    expected = written(Pen(large, prompts, settings, CONTEXT))
    for small in (model("rotary"), large):  # one that is mostly wrong, and one that is always right
        pen = SpeculativePen(large, Draft(small, CONTEXT, ahead), prompts, settings, CONTEXT)
        assert written(pen) == expected
        assert (pen.kept == pen.proposed) == (small is large)


def test_a_draft_may_look_back_less_far() -> None:
    large, small, settings = model(), model(), Writing(tokens=25, temperature=0)
    pen = SpeculativePen(large, Draft(small, 3, 4), [[1, 5, 6]], settings, CONTEXT)
    assert written(pen) == written(Pen(large, [[1, 5, 6]], settings, CONTEXT))


def test_what_is_read_along_is_what_reading_at_once_gives() -> None:
    found, following = model(), Following(model(), CONTEXT)
    following.model = found
    for text, count in (([1, 5], 1), ([1, 5, 7, 8], 3), ([1, 5, 6], 1), ([1, 4], 2), ([9] * 12, 2)):
        with torch.inference_mode():
            logits = following.logits(text, count)
        for place in range(count):
            expected = distribution(found, text[: len(text) - count + 1 + place], CONTEXT)
            torch.testing.assert_close(logits[place], expected, rtol=0, atol=1e-5)


def test_a_text_is_drawn_as_it_would_be_alone_and_ends_alone() -> None:
    large, small, settings = model(), model(), Writing(tokens=12, temperature=1.3)
    prompts = [[1, 5, 6], [4], [7] * 15]

    def pen(rows: list[list[int]]) -> SpeculativePen:
        return SpeculativePen(large, Draft(small, CONTEXT, 3), rows, settings, CONTEXT, seed=3)

    together = written(pen(prompts))
    assert together == [written(pen([prompt]))[0] for prompt in prompts]
    stopped = pen(prompts)
    for _ in range(4):
        stopped.step()
    stopped.end(1)
    assert written(stopped) == [together[0], together[1][:5], together[2]]


def test_what_cannot_be_drafted_is_refused() -> None:
    with pytest.raises(ValueError, match="the draft knows 13 tokens, but the model 12"):
        SpeculativePen(model(), Draft(model(vocab=13), CONTEXT, 4), [[1]], Writing(), CONTEXT)
    with pytest.raises(ValueError, match="begin it with <s>"):
        SpeculativePen(model(), Draft(model(), CONTEXT, 4), [[]], Writing(), CONTEXT)
    with pytest.raises(ValueError, match="ahead 3 has no effect without a draft"):
        Writing(ahead=3)


def test_chance_is_a_function_of_seed_and_prompt() -> None:
    even = torch.full((8,), 1 / 8)
    first, again, other = (
        [Drawn(*each).draw(even) for _ in range(1)] for each in ((1, [4]), (1, [4]), (2, [4]))
    )
    assert first == again
    draws = [Drawn(seed, []).draw(torch.tensor([0.0, 0.3, 0.7])) for seed in range(400)]
    assert 0 not in draws
    assert 0.6 < draws.count(2) / 400 < 0.8
    assert other is not None
