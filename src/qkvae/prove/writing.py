"""Invariances of a model that writes: step by step, with a cache, by search."""

from __future__ import annotations

import torch
from torch import Tensor

from qkvae.config import Generation
from qkvae.data.tokenizer import BOS, EOS
from qkvae.generate import generate
from qkvae.prove.case import Case, Sentence
from qkvae.prove.rows import difference


def _searches(case: Case) -> tuple[Generation, Generation]:
    """Greedy and beam search, long enough for sentences to end at different steps."""
    length = min(12, case.model.settings.max_length)
    return Generation(beam=1, max_length=length), Generation(beam=3, nbest=2, batch=4, max_length=length)


@torch.no_grad()
def cached_is_uncached(case: Case) -> float:
    """Logits of every step against those of the whole sequence read at once.

    Two hypotheses a sentence; half-way they change places, and later half of the sentences are dropped, as
    in a search.
    """
    model, batch = case.model, case.batch
    steps, beam = batch.target_in.shape[1], 2
    vocab = model.settings.vocab
    tokens = torch.randint(vocab, (len(batch.source) * beam, steps), generator=case.generator())
    tokens = tokens.to(case.device)
    cache = model.start(batch.source, batch.source_lengths, beam, 1)
    source, lengths = (x.repeat_interleave(beam, 0) for x in (batch.source, batch.source_lengths))
    worst = 0.0
    for step in range(steps):
        expected = model(source, tokens[:, : step + 1], lengths)[:, -1]
        worst = max(worst, difference(model.step(tokens[:, step], cache), expected))
        if step == steps // 2:
            swapped = torch.arange(len(tokens), device=case.device).view(-1, beam).flip(1).flatten()
            cache.reorder(swapped)
            tokens = torch.cat([tokens[swapped, : step + 1], tokens[:, step + 1 :]], 1)
        if step == 3 * steps // 4:
            kept = torch.arange(0, len(batch.source), 2, device=case.device)
            cache.keep(kept)
            rows = (kept[:, None] * beam + torch.arange(beam, device=case.device)).flatten()
            tokens, source, lengths = tokens[rows], source[rows], lengths[rows]
    return worst


def translated_in_a_batch_is_alone(case: Case) -> float:
    """ln p of the best translation of each sentence, searched together and alone."""
    sources = [case.pairs.sources[row] for row in range(len(case.pairs))]
    worst = 0.0
    for settings in _searches(case):
        together = generate(case.model, sources, settings)
        alone = [generate(case.model, [source], settings)[0] for source in sources]
        for one, other in zip(together, alone, strict=True):
            scores = ([hypothesis.log_probability for hypothesis in each] for each in (one, other))
            worst = max(worst, difference(*(torch.tensor(each) for each in scores)))
    return worst


@torch.no_grad()
def written_is_read(case: Case) -> float:
    """ln p that a search tells of its translations against that of the same tokens read at once."""
    sources = [case.pairs.sources[row] for row in range(len(case.pairs))]
    worst = 0.0
    for settings in _searches(case):
        for source, found in zip(sources, generate(case.model, sources, settings), strict=True):
            for hypothesis in found:
                ids = [*hypothesis.ids] if hypothesis.cut else [*hypothesis.ids, EOS]
                told = torch.tensor([hypothesis.log_probability])
                worst = max(worst, difference(told, _log_p(case, source.tolist(), ids)))
    return worst


def _log_p(case: Case, source: list[int], target: list[int]) -> Tensor:
    """ln p(target | source), one sentence alone and all at once."""
    rows = ([*source, EOS], [BOS, *target[:-1]], target)
    sentence = Sentence(*(torch.tensor([ids], device=case.device) for ids in rows))
    return case.log_p(sentence).gather(1, sentence.target_out.T).sum().cpu()[None]
