"""The best continuations of several hypotheses, without sorting whole vocabularies."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.config import Marks

BLOCK = 32
"""Tokens whose maximum is looked at first; √(vocab / candidates) would be best, and little depends on it."""


OURS = Marks()
"""The special tokens of our own tokenizers."""


class Candidates(NamedTuple):
    """Continuations of a sentence's hypotheses, best first."""

    scores: Float[Tensor, "b count"]
    """ln p of the continued hypothesis."""

    parents: Int[Tensor, "b count"]
    """Which hypothesis is continued."""

    tokens: Int[Tensor, "b count"]
    """By which token."""


def forbid(logits: Float[Tensor, "*batch v"], marks: Marks) -> None:
    """Write −∞ where no answer goes, in place; the others keep the probabilities they had."""
    for token in {marks.pad, marks.bos} - {marks.eos}:
        logits.select(-1, token).fill_(-torch.inf)


def best(
    logits: Float[Tensor, "b k v"], scores: Float[Tensor, "b k"], count: int, marks: Marks = OURS
) -> Candidates:
    """The ``count`` best of all k·v continuations: score + ln softmax(logits).

    The best lie in those blocks of 32 tokens that have the best maxima, so only these are sorted.  The logits
    are overwritten.

    >>> found = best(torch.tensor([[[9.0, 9.0, 1.0, 2.0]]]), torch.zeros(1, 1), 2)
    >>> found.tokens.tolist(), found.parents.tolist()
    ([[3, 2]], [[0, 0]])
    """
    k, vocab = logits.shape[1:]
    # In place, where that is known to be sound: new memory for all logits costs as much as the arithmetic.
    logits = torch.log_softmax(logits, -1, out=logits if logits.device.type == "cpu" else None)
    forbid(logits, marks)
    blocks, rest = vocab // BLOCK, vocab % BLOCK
    if blocks * k <= count:
        found = (logits + scores[..., None]).flatten(1).topk(min(count, k * vocab))
        return Candidates(found.values, found.indices // vocab, found.indices % vocab)
    whole = logits[..., : vocab - rest].view(len(logits), k, blocks, BLOCK)
    peaks = whole.amax(-1).add_(scores[..., None])
    chosen = peaks.flatten(1).topk(count, sorted=False).indices
    parents = chosen // blocks
    starts = chosen * BLOCK + parents * rest if rest else chosen * BLOCK
    places = (starts[..., None] + torch.arange(BLOCK, device=logits.device)).flatten(1)
    values = logits.flatten(1).gather(1, places) + scores.gather(1, parents).repeat_interleave(BLOCK, 1)
    if rest:  # the few tokens after the last whole block are all looked at
        ends = torch.arange(1, k + 1, device=logits.device)[:, None] * vocab
        tail = (ends + torch.arange(-rest, 0, device=logits.device)).flatten().expand(len(places), -1)
        places = torch.cat([places, tail], 1)
        values = torch.cat([values, (logits[..., -rest:] + scores[..., None]).flatten(1)], 1)
    found = values.topk(count)
    places = places.gather(1, found.indices)
    parents = places // vocab
    return Candidates(found.values, parents, places - parents * vocab)
