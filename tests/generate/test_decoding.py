"""A step at a time is the same as all at once, together is the same as alone."""

from __future__ import annotations

import pytest
import torch
from small_models import Positions, sentences, tiny
from torch.testing import assert_close

from qkvae.config import Generation
from qkvae.data.tokenizer import EOS
from qkvae.generate import generate

KINDS: list[Positions] = ["sinusoidal", "learned", "rotary", "alibi", "relative", "none"]
SEARCHES = [
    Generation(beam=1, batch=4),
    Generation(beam=4, nbest=4, batch=4),
    Generation(beam=1, sample=True, temperature=0.8, top_p=0.9, batch=4, nbest=3),
]


@pytest.mark.parametrize("positions", KINDS)
@pytest.mark.parametrize(
    ("key_heads", "window", "order"), [(None, None, "pre"), (2, None, "post"), (1, 2, "pre")]
)
def test_cached_is_uncached_whatever_hypotheses_do(positions, key_heads, window, order) -> None:
    """Hypotheses swap places and die, and sentences leave, while the cache remembers."""
    model = tiny(positions=positions, key_heads=key_heads, window=window, order=order)
    beam, lengths = 3, torch.tensor([6, 2, 4])
    source = torch.randint(4, 40, (3, 6))
    tokens = torch.full((9, 1), 1)
    generator = torch.Generator().manual_seed(1)
    with torch.inference_mode():
        cache = model.start(source, lengths, beam, 1)
        for step in range(8):
            got = model.step(tokens[:, -1], cache)
            rows = torch.arange(len(source)).repeat_interleave(beam)
            whole = model(source[rows], tokens, lengths[rows])[:, -1]
            assert_close(got, whole, rtol=0, atol=1e-5)
            parents = torch.randint(beam, (len(source), beam), generator=generator)
            if step == 4:
                kept = torch.tensor([0, 2])
                cache.keep(kept)
                source, lengths, parents = source[kept], lengths[kept], parents[kept]
                tokens = tokens.view(3, beam, -1)[kept].flatten(0, 1)
            flat = (parents + torch.arange(len(source))[:, None] * beam).flatten()
            cache.reorder(flat)
            new = torch.randint(3, 40, (len(flat), 1), generator=generator)
            tokens = torch.cat([tokens[flat], new], 1)


@pytest.mark.parametrize("settings", SEARCHES, ids=["greedy", "beam", "sample"])
@pytest.mark.parametrize("eos", [0.0, 2.5])
def test_a_sentence_is_answered_the_same_alone_and_in_a_batch(settings: Generation, eos: float) -> None:
    model, inputs = tiny(eos=eos), sentences(11)
    together = generate(model, inputs, settings)
    for source, answers in zip(inputs, together, strict=True):
        alone = generate(model, [source], settings)[0]
        assert [each.ids for each in alone] == [each.ids for each in answers]
        for one, other in zip(alone, answers, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-5, rel=1e-6)


@pytest.mark.parametrize("settings", SEARCHES, ids=["greedy", "beam", "sample"])
def test_an_answer_ends_at_its_first_eos_and_its_probability_is_the_models(settings: Generation) -> None:
    model, inputs = tiny(eos=2.5), sentences(11)
    answers = generate(model, inputs, settings)
    ended = [each.cut for group in answers for each in group]
    assert any(ended)
    assert not all(ended)
    with torch.no_grad():
        for source, group in zip(inputs, answers, strict=True):
            for each in group:
                assert all(token > EOS for token in each.ids)
                target = [*each.ids] if each.cut else [*each.ids, EOS]
                assert each.length == len(target)
                assert each.length <= 2 * len(source) + 10
                assert each.cut == (each.length == len(each.ids))
                logits = model(torch.tensor([[*source, EOS]]), torch.tensor([[1, *target[:-1]]]))
                log_p = logits.log_softmax(-1)[0].gather(1, torch.tensor(target)[:, None]).sum()
                assert each.log_probability == pytest.approx(float(log_p), abs=1e-4)
                assert each.score == pytest.approx(each.log_probability / each.length)


def test_the_limit_counts_eos_and_the_models_own_limit_holds() -> None:
    model, inputs = tiny(), sentences(5)
    for answers in generate(model, inputs, Generation(beam=3, nbest=3, max_length=4)):
        assert max(each.length for each in answers) == 4
    for answers in generate(model, inputs, Generation(beam=1), longest=3):
        assert answers[0].length <= 3


def test_the_model_is_left_as_it_was() -> None:
    model = tiny().train()
    generate(model, [[5, 6]], Generation(beam=2, max_length=2))
    assert model.training
    model(
        torch.tensor([[5, 6]]), torch.tensor([[1, 5]])
    ).sum().backward()  # nothing of inference mode is left


def test_longer_than_the_tables_of_positions() -> None:
    """Tables grow while decoding, and training goes on with them."""
    for positions in ("sinusoidal", "rotary"):
        model = tiny(positions=positions)
        model = type(model)(
            type(model.settings)(
                block=model.settings.block, vocab=40, encoder_depth=1, decoder_depth=1, max_length=4
            )
        )
        generate(model, [[5] * 9], Generation(beam=2, max_length=9))
        model.train()
        model(torch.tensor([[5] * 9]), torch.tensor([[1] * 9])).sum().backward()


def test_no_inputs_no_answers() -> None:
    assert generate(tiny(), [], Generation()) == []
