"""Answers made token by token, each by itself: greedy and sampling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from jaxtyping import Int
from torch import Tensor

from qkvae.generate.hypothesis import Hypothesis
from qkvae.generate.model import Decodable, State, marks_of, predictions
from qkvae.generate.sampling import Choose

_UNUSED = -1


def chains(
    model: Decodable[State],
    source: Int[Tensor, "b n"],
    source_lengths: Int[Tensor, " b"],
    first: Int[Tensor, " b"],
    limits: Sequence[int],
    answers: int,
    choose: Choose,
) -> list[list[Hypothesis]]:
    """``answers`` answers for each sentence, each ending with its first EOS or at its limit (EOS counted)."""
    device, end = source.device, marks_of(model).eos
    limit = torch.tensor(limits, device=device).repeat_interleave(answers)
    rows = torch.arange(len(limit), device=device)
    written = torch.full((max(limits), len(rows)), _UNUSED, device=device)
    gained = torch.zeros(written.shape, device=device)  # ln p of each token
    done = torch.zeros(len(rows), dtype=torch.bool, device=device)
    cache = model.start(source, source_lengths, answers, min(max(limits), source.shape[1] + 16))
    tokens = first.repeat_interleave(answers)
    for step in range(max(limits)):
        features = model.read(tokens, cache)
        chosen = [choose(logits, rows[part], step) for part, logits in predictions(model, features, 1)]
        tokens, gains = chosen[0] if len(chosen) == 1 else map(torch.cat, zip(*chosen, strict=True))
        written[step].index_copy_(0, rows, tokens.masked_fill(done, _UNUSED))
        gained[step].index_copy_(0, rows, gains)
        ending = (tokens == end) | (limit[rows] == step + 1)
        if not ending.any():
            continue
        done |= ending
        over = done.view(-1, answers).all(1)
        if over.any():  # all answers of a sentence are there
            kept = (~over).nonzero()[:, 0]
            if not len(kept):
                break
            cache.keep(kept)
            going = (~over).repeat_interleave(answers)
            rows, done, tokens = rows[going], done[going], tokens[going]
    log_p = gained.masked_fill(written == _UNUSED, 0.0).cpu().double().sum(0)
    ids, sums = cast("list[list[int]]", written.t().tolist()), cast("list[float]", log_p.tolist())
    found = [_hypothesis(*each, end) for each in zip(ids, sums, strict=True)]
    return [found[start : start + answers] for start in range(0, len(found), answers)]


def _hypothesis(written: list[int], log_p: float, end: int) -> Hypothesis:
    length = written.index(_UNUSED) if _UNUSED in written else len(written)
    ids = written[: length - 1] if written[length - 1] == end else written[:length]
    return Hypothesis(tuple(ids), log_p, length, log_p)
