"""What is watched is what the model computes: against step-by-step decoding and the equation."""

from __future__ import annotations

import math

import pytest
import torch

from qkvae import config
from qkvae.data.tokenizer import BOS, EOS, Tokenizer
from qkvae.generate import generate
from qkvae.inspect.alignment import align
from qkvae.inspect.look import LONGEST, collect_look, look, look_at
from qkvae.inspect.taps import taps
from qkvae.inspect.watch import watch
from qkvae.models import Seq2Seq

SOURCE, WRITTEN = [5, 9, 6, 7], [8, 4, 11, EOS]


def model(vocab: int = 12, **choices: object) -> Seq2Seq:
    block = config.Block(**{"dim": 16, "heads": 4, "hidden": 16, "dropout": 0.5} | choices)
    return Seq2Seq(config.Seq2Seq(block=block, encoder_depth=2, decoder_depth=3, vocab=vocab))


@pytest.fixture
def tokenizer() -> Tokenizer:
    return Tokenizer.train(
        ["zwei hunde spielen", "two dogs play"] * 2, kind="word", vocab_size=12, exact=False
    )


@pytest.mark.parametrize("choices", [{}, {"key_heads": 2}, {"positions": "alibi"}, {"positions": "rotary"}])
def test_every_part_keeps_the_equation(choices: dict[str, object]) -> None:
    seen = watch(model(**choices), SOURCE, WRITTEN)
    assert [len(parts) for parts in (seen.encoder, seen.decoder, seen.cross)] == [2, 3, 3]
    for part in (*seen.encoder, *seen.decoder, *seen.cross):
        keys, values = (x.repeat_interleave(4 // len(x), 0) for x in (part.keys, part.values))
        if choices.get("positions") != "alibi":
            plain = part.queries @ keys.transpose(-1, -2) / math.sqrt(4)
            allowed = part.scores > -math.inf
            torch.testing.assert_close(part.scores[allowed], plain[allowed])
        torch.testing.assert_close(part.weights, part.scores.softmax(-1))
        torch.testing.assert_close(part.mixed, part.weights @ values)


def test_the_decoder_sees_no_future_and_the_rest_sees_everything() -> None:
    seen = watch(model(), SOURCE, WRITTEN)
    for part in seen.decoder:
        assert torch.equal(part.weights > 0, torch.ones_like(part.weights).tril() > 0)
    for part in (*seen.encoder, *seen.cross):
        assert bool((part.weights > 0).all())


def test_watching_gives_what_step_by_step_decoding_gives() -> None:
    watched_model = model().eval()
    probabilities = watch(watched_model, SOURCE, WRITTEN).probabilities
    cache = watched_model.start(torch.tensor([[*SOURCE, EOS]]))
    for row, token in zip(probabilities, [BOS, *WRITTEN[:-1]], strict=True):
        logits = watched_model.step(torch.tensor([token]), cache)
        torch.testing.assert_close(row, logits[0].softmax(-1))


@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_left_as_it_was(training: bool) -> None:
    watched_model = model().train(training)
    first, second = (watch(watched_model, SOURCE, WRITTEN).probabilities for _ in range(2))
    assert torch.equal(first, second)  # no dropout while watching
    assert watched_model.training == training
    assert not any(tap.listening for tap in taps(watched_model).values())


def test_an_alignment_is_a_distribution_over_the_source(tokenizer: Tokenizer) -> None:
    found = align(model(len(tokenizer)), tokenizer, "two dogs play", [*tokenizer.encode("zwei hunde"), EOS])
    assert (found.source, found.target) == (["two", "dogs", "play", "</s>"], ["zwei", "hunde", "</s>"])
    assert [sum(row) for row in found.weights] == pytest.approx([1, 1, 1])


def test_the_page_of_a_real_model(tokenizer: Tokenizer) -> None:
    written = [*tokenizer.encode("zwei hunde"), EOS]
    facts = look_at(model(len(tokenizer)), tokenizer, "two dogs", written, note="by hand", run="tiny")
    assert facts.translation == "zwei hunde"
    assert facts.source == ("two", "dogs", "</s>")
    assert facts.target == ("<s>", "zwei", "hunde")
    assert [step.written.token for step in facts.steps] == ["zwei", "hunde", "</s>"]
    for step in facts.steps:
        assert [share for _, share in step.candidates] == sorted(dict(step.candidates).values(), reverse=True)
        assert 0 < step.written.probability <= step.candidates[0].probability
    assert "by hand" in look(facts)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (config.Generation(beam=3), "Beam search with 3 hypotheses"),
        (config.Generation(beam=1), "Greedy search"),
        (config.Generation(beam=1, max_length=2), "cut at 2 tokens; log-probability −"),
        (config.Generation(beam=1, sample=True, seed=5), "Sampled at temperature 1, seed 5"),
    ],
)
def test_what_generation_finds_is_what_is_shown(
    tokenizer: Tokenizer, settings: config.Generation, said: str
) -> None:
    tiny = model(len(tokenizer)).eval()
    best = generate(tiny, [tokenizer.encode("two dogs")], settings)[0][0]
    facts = collect_look(tiny, tokenizer, "two dogs", settings, run="tiny")
    assert said in facts.note
    assert [step.written.token for step in facts.steps] == tokenizer.tokens(
        [*best.ids, *([] if best.cut else [EOS])]
    )
    product = math.prod(step.written.probability for step in facts.steps)
    assert math.log(product) == pytest.approx(best.log_probability, rel=1e-4)


def test_too_long_and_empty_sentences_are_refused_with_both_numbers(tokenizer: Tokenizer) -> None:
    tiny = model(len(tokenizer))
    both = f"the sentence has {LONGEST + 1} tokens, but look shows 1 to {LONGEST}"
    with pytest.raises(ValueError, match=both):
        look_at(tiny, tokenizer, "two " * (LONGEST + 1), [EOS], note="")
    with pytest.raises(ValueError, match="the sentence has 0 tokens"):
        look_at(tiny, tokenizer, " ", [EOS], note="")
