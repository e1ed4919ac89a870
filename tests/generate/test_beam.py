"""Beam search against the search of everything."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import every_answer, sentences, tiny

from qkvae.config import Generation
from qkvae.generate import finished_hypotheses, generate, rerank
from qkvae.generate.candidates import BLOCK, best


@pytest.mark.parametrize("seed", range(3))
def test_a_beam_wide_enough_finds_every_answer(seed: int) -> None:
    model, limit = tiny(vocab=7, seed=seed), 3
    expected = every_answer(model, [5, 4, 6], limit)
    found = finished_hypotheses(model, [[5, 4, 6]], Generation(beam=128, max_length=limit))[0]
    assert {each.ids for each in found} == expected.keys()
    for each in found:
        assert each.log_probability == pytest.approx(expected[each.ids], abs=1e-4)


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0, 2.0])
def test_the_best_answers_are_the_best_of_all(penalty: float) -> None:
    model, limit = tiny(vocab=7, eos=0.5), 3
    everything = every_answer(model, [5, 4], limit)
    ranked = sorted(everything, key=lambda ids: -everything[ids] / min(len(ids) + 1, limit) ** penalty)
    asked = Generation(beam=128, nbest=5, max_length=limit, length_penalty=penalty)
    assert [each.ids for each in generate(model, [[5, 4]], asked)[0]] == ranked[:5]


def test_a_beam_of_one_is_greedy() -> None:
    """The search itself with one hypothesis, not the quicker loop that `generate` takes for it."""
    from qkvae.data.tokenizer import BOS, EOS
    from qkvae.generate.beam import beam_search

    model = tiny(eos=2.5)
    for source in sentences(8):
        greedy = generate(model, [source], Generation(beam=1))[0][0]
        length = torch.tensor([len(source) + 1])
        with torch.inference_mode():
            source_ids, first, limit = (
                torch.tensor([[*source, EOS]]),
                torch.tensor([BOS]),
                2 * len(source) + 10,
            )
            searched = beam_search(model, source_ids, length, first, [limit], 1)[0]
        assert [each.ids for each in searched] == [greedy.ids]
        assert searched[0].log_probability == pytest.approx(greedy.log_probability, abs=1e-4)


def test_answers_are_sorted_and_distinct() -> None:
    for answers in generate(tiny(eos=2.5), sentences(9), Generation(beam=5, nbest=5)):
        assert len({each.ids for each in answers}) == 5
        scores = [each.score for each in answers]
        assert scores == sorted(scores, reverse=True)


def test_ranking_again_is_searching_again() -> None:
    model, inputs = tiny(eos=2.5), sentences(9)
    once = finished_hypotheses(model, inputs, Generation(beam=4, length_penalty=1.0))
    firsts = set()
    for penalty in (0.0, 0.6, 2.0):
        again = generate(model, inputs, Generation(beam=4, nbest=4, length_penalty=penalty))
        reranked = [rerank(each, penalty)[:4] for each in once]
        assert reranked == again
        firsts.add(tuple(each[0].ids for each in reranked))
    assert len(firsts) > 1  # the penalty decides something here


@settings(max_examples=60, deadline=None)
@given(
    vocab=st.sampled_from([5, BLOCK, BLOCK + 1, 3 * BLOCK, 10 * BLOCK + 7, 400]),
    beam=st.integers(1, 6),
    seed=st.integers(0, 1000),
)
def test_candidates_are_those_of_sorting_everything(vocab: int, beam: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, beam, vocab, generator=generator)
    scores = torch.randn(2, beam, generator=generator)
    scores[1, beam // 2 :] = -torch.inf  # hypotheses that are none
    everything = scores[..., None] + logits.log_softmax(-1)
    everything[..., :2] = -torch.inf
    count = min(2 * beam, beam * vocab)
    expected = everything.flatten(1).topk(count)
    found = best(logits.clone(), scores, 2 * beam)
    torch.testing.assert_close(found.scores, expected.values)
    real = expected.values > -torch.inf
    assert torch.equal((found.parents * vocab + found.tokens)[real], expected.indices[real])
