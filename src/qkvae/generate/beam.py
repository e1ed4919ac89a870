"""Beam search: the most probable continuations of several hypotheses at once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Int
from torch import Tensor

from qkvae.generate.candidates import Candidates, best
from qkvae.generate.hypothesis import Hypothesis
from qkvae.generate.model import Decodable, State, marks_of, predictions


def beam_search(
    model: Decodable[State],
    source: Int[Tensor, "b n"],
    source_lengths: Int[Tensor, " b"],
    first: Int[Tensor, " b"],
    limits: Sequence[int],
    beam: int,
) -> list[list[Hypothesis]]:
    """All hypotheses that one search finishes for each sentence, in the order in which it finishes them.

    Each step continues the ``beam`` live hypotheses of a sentence by every token and keeps the best by ln p.
    One that ends in EOS and is among the ``beam`` best is finished; the others live on, as many as ``beam``.
    A sentence ends when ``beam`` of its hypotheses are finished, or at its limit of tokens (EOS counted),
    where the ``beam`` best are taken as they are.  (This is what Hugging Face calls ``early_stopping=True``.)
    No step depends on the length penalty: to rank by another one needs no other search.
    """
    marks = marks_of(model)
    rows = _Frontier(first, limits, beam, marks.eos)
    cache = model.start(source, source_lengths, beam, min(rows.longest, source.shape[1] + 16))
    for length in itertools.count(1):
        features = model.read(rows.newest.flatten(), cache)
        scores = rows.scores.flatten()
        # Twice the beam: even if each hypothesis's best continuation is EOS, ``beam`` others are left.
        parts = [
            best(logits.view(-1, beam, logits.shape[1]), scores[part].view(-1, beam), 2 * beam, marks)
            for part, logits in predictions(model, features, beam)
        ]
        candidates = parts[0] if len(parts) == 1 else Candidates(*map(torch.cat, zip(*parts, strict=True)))
        kept = rows.advance(candidates, length)
        if kept is not None:
            if not len(kept):
                break
            cache.keep(kept)
        cache.reorder(rows.parents)
    return rows.finished


class _Frontier:
    """The live hypotheses of the sentences that are not done, and what was finished of all."""

    def __init__(self, first: Int[Tensor, " b"], limits: Sequence[int], beam: int, end: int) -> None:
        sentences, device = len(first), first.device
        self.beam, self.end = beam, end
        self.finished: list[list[Hypothesis]] = [[] for _ in range(sentences)]
        self.longest = max(limits)
        self._limits = list(limits)
        self._live = list(range(sentences))
        self.newest = first[:, None].repeat(1, beam)
        self.scores = torch.full((sentences, beam), -torch.inf, device=device)
        self.scores[:, 0] = 0.0  # at the start all hypotheses are the same one
        self._history = torch.empty(sentences, beam, 0, dtype=torch.long, device=device)
        self.parents = torch.empty(0, dtype=torch.long, device=device)  # the row that each row continues

    def advance(self, candidates: Candidates, length: int) -> Int[Tensor, " kept"] | None:
        """Go on with the best; tells which sentences are searched on, or None if all are."""
        ended = candidates.tokens == self.end
        at_limit = [place for place, number in enumerate(self._live) if self._limits[number] == length]
        if at_limit:
            ended[at_limit] = True
        if not ended.any():
            self._go_on(*(each[:, : self.beam] for each in candidates))  # they are sorted
            return None
        ends = ended[:, : self.beam] & (candidates.scores[:, : self.beam] > -torch.inf)
        kept = None
        if ends.any():
            self._finish(candidates, ends, length)
            done = {
                place for place, number in enumerate(self._live) if len(self.finished[number]) >= self.beam
            }
            done |= set(at_limit)
            if done:
                places = [place for place in range(len(self._live)) if place not in done]
                kept = torch.tensor(places, dtype=torch.long, device=ended.device)
                candidates = Candidates(*(each[kept] for each in candidates))
                ended, self._history = ended[kept], self._history[kept]
                self._live = [self._live[place] for place in places]
        scores, order = candidates.scores.masked_fill(ended, -torch.inf).topk(self.beam)
        self._go_on(scores, candidates.parents.gather(1, order), candidates.tokens.gather(1, order))
        return kept

    def _go_on(self, scores: Tensor, parents: Tensor, tokens: Tensor) -> None:
        """These live on."""
        first = torch.arange(0, parents.numel(), self.beam, device=parents.device)
        self.parents = (parents + first[:, None]).flatten()
        past = self._history.flatten(0, 1).index_select(0, self.parents)
        past = past.view(*tokens.shape, self._history.shape[2])
        self._history = torch.cat([past, tokens[..., None]], 2)
        self.scores, self.newest = scores, tokens

    def _finish(self, candidates: Candidates, ends: Tensor, length: int) -> None:
        for place, rank in cast("list[list[int]]", ends.nonzero().tolist()):
            parent, token = int(candidates.parents[place, rank]), int(candidates.tokens[place, rank])
            past = cast("list[int]", self._history[place, parent].tolist())
            ids = past if token == self.end else [*past, token]
            log_p = float(candidates.scores[place, rank])
            self.finished[self._live[place]].append(Hypothesis(tuple(ids), log_p, length, log_p))
