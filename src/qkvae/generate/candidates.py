"""The best continuations of several hypotheses, without sorting whole vocabularies."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.data.tokenizer import BOS, PAD

BLOCK = 32
"""Tokens whose maximum is looked at first; √(vocab / candidates) would be best, and little depends on it."""

NEVER = (PAD, BOS)
"""Tokens that no answer holds."""


class Candidates(NamedTuple):
    """Continuations of a sentence's hypotheses, best first."""

    scores: Float[Tensor, "b count"]
    """ln p of the continued hypothesis."""

    parents: Int[Tensor, "b count"]
    """Which hypothesis is continued."""

    tokens: Int[Tensor, "b count"]
    """By which token."""


def forbid(logits: Float[Tensor, "*batch v"]) -> None:
    """Write −∞ where no answer goes, in place; the others keep the probabilities they had."""
    for token in NEVER:
        logits[..., token] = -torch.inf


def best(logits: Float[Tensor, "b k v"], scores: Float[Tensor, "b k"], count: int) -> Candidates:
    """The ``count`` best of all k·v continuations: score + ln softmax(logits).

    The best lie in those blocks of 32 tokens that have the best maxima, so only these are sorted.  The logits
    are overwritten.

    >>> found = best(torch.tensor([[[9.0, 9.0, 1.0, 2.0]]]), torch.zeros(1, 1), 2)
    >>> found.tokens.tolist(), found.parents.tolist()
    ([[3, 2]], [[0, 0]])
    """
    k, vocab = logits.shape[1:]
    constant = scores - logits.logsumexp(-1)
    forbid(logits)
    blocks = vocab // BLOCK
    if blocks * k <= count:
        found = (logits + constant[..., None]).flatten(1).topk(min(count, k * vocab))
        return Candidates(found.values, found.indices // vocab, found.indices % vocab)
    whole = blocks * BLOCK
    peaks = logits[..., :whole].view(len(logits), k, blocks, BLOCK).amax(-1) + constant[..., None]
    chosen = peaks.flatten(1).topk(count, sorted=False).indices
    starts = chosen // blocks * vocab + chosen % blocks * BLOCK
    places = (starts[..., None] + torch.arange(BLOCK, device=logits.device)).flatten(1)
    if whole < vocab:  # the few tokens after the last whole block are all looked at
        tail = torch.arange(k, device=logits.device)[:, None] * vocab + torch.arange(
            whole, vocab, device=logits.device
        )
        places = torch.cat([places, tail.flatten().expand(len(places), -1)], 1)
    values = logits.flatten(1).gather(1, places) + constant.gather(1, places // vocab)
    found = values.topk(count)
    places = places.gather(1, found.indices)
    return Candidates(found.values, places // vocab, places % vocab)
