"""What may be sampled: small functions from logits to logits, −∞ where a token is out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from qkvae.config import Filtering

Filter = Callable[[Tensor], Tensor]


def temperature(logits: Float[Tensor, "rows v"], value: float) -> Float[Tensor, "rows v"]:
    """logits / value: below 1 the probable becomes more probable."""
    return logits / value


def top_k(logits: Float[Tensor, "rows v"], k: int) -> Float[Tensor, "rows v"]:
    """The k most probable tokens; all that are as probable as the last of them.

    >>> top_k(torch.tensor([[1.0, 3.0, 2.0]]), 2)
    tensor([[-inf, 3., 2.]])
    """
    least = logits.topk(min(k, logits.shape[-1])).values[:, -1:]
    return logits.masked_fill(logits < least, -math.inf)


def top_p(logits: Float[Tensor, "rows v"], p: float) -> Float[Tensor, "rows v"]:
    """The fewest most probable tokens that hold the probability p together; at least one.

    Holtzman et al. 2020, arXiv:1904.09751, section 3.1.

    >>> top_p(torch.tensor([[0.1, 0.6, 0.3]]).log(), 0.8).exp()
    tensor([[0.0000, 0.6000, 0.3000]])
    """
    probabilities, order = logits.softmax(-1).sort(descending=True, stable=True)
    before = probabilities.cumsum(-1) - probabilities
    out = (before >= p).index_fill(-1, torch.tensor([0], device=logits.device), False)
    return logits.masked_fill(out.scatter(-1, order, out), -math.inf)


def min_p(logits: Float[Tensor, "rows v"], p: float) -> Float[Tensor, "rows v"]:
    """Tokens at least p times as probable as the most probable one.

    Nguyen et al. 2024, arXiv:2407.01082.

    >>> min_p(torch.tensor([[0.1, 0.6, 0.3]]).log(), 0.4).exp()
    tensor([[0.0000, 0.6000, 0.3000]])
    """
    least = logits.amax(-1, keepdim=True) + (math.log(p) if p else -math.inf)
    return logits.masked_fill(logits < least, -math.inf)


def only(logits: Float[Tensor, " v"], tokens: Sequence[int]) -> Float[Tensor, " v"]:
    """These tokens and no other.

    >>> only(torch.tensor([1.0, 3.0, 2.0]), [0, 2])
    tensor([1., -inf, 2.])
    """
    kept = torch.tensor(tokens, dtype=torch.long, device=logits.device)
    return torch.full_like(logits, -math.inf).index_copy(0, kept, logits[kept])


def without_repetition(
    logits: Float[Tensor, " v"], written: Sequence[int], repetition: float
) -> Float[Tensor, " v"]:
    """The odds of every token that was written before, divided by ``repetition``.

    >>> without_repetition(torch.zeros(3), [2, 2], repetition=2.0).exp()
    tensor([1.0000, 1.0000, 0.5000])
    """
    if repetition == 1 or not written:
        return logits
    before = torch.tensor(sorted(set(written)), device=logits.device)
    return logits.index_add(0, before, logits.new_full((len(before),), -math.log(repetition)))


def filtered(logits: Float[Tensor, "rows v"], settings: Filtering) -> Float[Tensor, "rows v"]:
    """All that the settings name, in this order: temperature, top_k, top_p, min_p."""
    logits = temperature(logits, settings.temperature)
    if settings.top_k is not None:
        logits = top_k(logits, settings.top_k)
    if settings.top_p is not None:
        logits = top_p(logits, settings.top_p)
    if settings.min_p is not None:
        logits = min_p(logits, settings.min_p)
    return logits
