"""Invariances of a model that writes: step by step, with a cache, by search."""

from __future__ import annotations

import torch

from qkvae.config import Generation
from qkvae.generate import generate
from qkvae.prove.case import WritingCase
from qkvae.prove.decoder import RememberingCase
from qkvae.prove.rows import difference

_STEPS = 25


def _searches(case: WritingCase) -> tuple[Generation, Generation]:
    """Greedy and beam search, long enough for answers to end at different steps."""
    length = min(12, case.model.settings.max_length // 2)
    greedy = Generation(beam=1, max_length=length, precision="fp32")
    return greedy, Generation(beam=3, nbest=2, batch=4, max_length=length, precision="fp32")


@torch.no_grad()
def cached_is_uncached(case: WritingCase) -> float:
    """Logits of every step against those of the whole sequence read at once.

    Two hypotheses a text; half-way they change places, and later half of the texts are dropped, as in a
    search.
    """
    model, inputs, beam = case.model, case.inputs(), 2
    steps = min(_STEPS, model.settings.max_length - max(len(ids) for ids in inputs))
    texts = torch.arange(len(inputs), device=case.device).repeat_interleave(beam)
    tokens = torch.randint(model.settings.vocab, (len(texts), steps), generator=case.generator())
    tokens = tokens.to(case.device)
    cache = case.begin(beam)
    worst = 0.0
    for step in range(steps):
        expected = case.continued(texts, tokens[:, : step + 1])
        worst = max(worst, difference(model.step(tokens[:, step], cache), expected))
        if step == steps // 2:
            swapped = torch.arange(len(tokens), device=case.device).view(-1, beam).flip(1).flatten()
            cache.reorder(swapped)
            tokens = torch.cat([tokens[swapped, : step + 1], tokens[:, step + 1 :]], 1)
        if step == 3 * steps // 4:
            kept = torch.arange(0, len(inputs), 2, device=case.device)
            cache.keep(kept)
            rows = (kept[:, None] * beam + torch.arange(beam, device=case.device)).flatten()
            tokens, texts = tokens[rows], texts[rows]
    return worst


@torch.no_grad()
def carried_is_at_once(case: RememberingCase) -> float:
    """Texts read segment by segment, with the keys and values carried so far, against each read at once."""
    alone = (case.alone(text)[0] for text in case.texts)
    return max(difference(*pair) for pair in zip(case.in_segments(), alone, strict=True))


def written_in_a_batch_is_alone(case: WritingCase) -> float:
    """ln p of the best answer to each input, searched together and alone."""
    inputs, worst = case.inputs(), 0.0
    for settings in _searches(case):
        together = generate(case.model, inputs, settings)
        alone = [generate(case.model, [ids], settings)[0] for ids in inputs]
        for one, other in zip(together, alone, strict=True):
            scores = ([hypothesis.log_probability for hypothesis in each] for each in (one, other))
            worst = max(worst, difference(*(torch.tensor(each) for each in scores)))
    return worst


@torch.no_grad()
def written_is_read(case: WritingCase) -> float:
    """ln p that a search tells of its answers against that of the same tokens read at once."""
    inputs, worst = case.inputs(), 0.0
    for settings in _searches(case):
        for ids, found in zip(inputs, generate(case.model, inputs, settings), strict=True):
            for hypothesis in found:
                end = case.model.settings.marks.eos
                answer = [*hypothesis.ids] if hypothesis.cut else [*hypothesis.ids, end]
                told = torch.tensor([hypothesis.log_probability])
                worst = max(worst, difference(told, case.log_p(ids, answer).cpu()[None]))
    return worst
