"""What is minimised where a model tells something of a whole text: classes, numbers, a span, its partner."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from qkvae.nn.masks import real_places


def span(
    scores: Float[Tensor, "b n 2"],
    spans: Int[Tensor, "b 2"],
    lengths: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, ""]:
    """−½ (ln p(first) + ln p(last)) of the answers, summed; padding is no place of any.

    Devlin et al. 2019, section 4.2.

    >>> span(torch.zeros(1, 9, 2), torch.tensor([[1, 3]]), torch.tensor([4])).exp()
    tensor(4.)
    """
    if lengths is not None:
        there = real_places(lengths, scores.shape[1])
        scores = scores.masked_fill(~there[..., None], -torch.inf)
    log_p = F.log_softmax(scores.float(), dim=1)
    return -log_p.gather(1, spans[:, None]).sum() / 2


def classes(
    logits: Float[Tensor, "b classes"],
    labels: Int[Tensor, " b"],
    weights: Float[Tensor, " classes"] | None = None,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """−Σ_v w(v) q(v) ln p(v): cross-entropy in which a class counts as much as its weight.

    q is 1 for the label, or smoothed as in `cross_entropy`.

    >>> classes(torch.zeros(2, 4), torch.tensor([0, 3]), torch.tensor([3.0, 1.0, 1.0, 0.0])) / 3
    tensor(1.3863)
    """
    return F.cross_entropy(logits.float(), labels, weights, reduction="sum", label_smoothing=smoothing)


def mixed_classes(
    logits: Float[Tensor, "b classes"],
    labels: Int[Tensor, " b"],
    others: Int[Tensor, " b"],
    share: Float[Tensor, " b"],
    weights: Float[Tensor, " classes"] | None = None,
    smoothing: float = 0.0,
) -> Float[Tensor, ""]:
    """Σ λ ℓ(own label) + (1 − λ) ℓ(the other's): `classes` of examples that were blended, or stuck together.

    Zhang et al. 2018, arXiv:1710.09412, equation 2: the cross-entropy is linear in its target.

    >>> logits, own = torch.tensor([[0.0, 1.0]]), torch.tensor([0])
    >>> mixed_classes(logits, own, 1 - own, torch.tensor([0.25])), 0.25 * 1.3133 + 0.75 * 0.3133
    (tensor(0.5633), 0.5633)
    """
    parts = [
        F.cross_entropy(logits.float(), each, weights, reduction="none", label_smoothing=smoothing)
        for each in (labels, others)
    ]
    return torch.lerp(parts[1], parts[0], share).sum()


def many_labels(
    logits: Float[Tensor, "b classes"],
    labels: Float[Tensor, "b classes"],
    weights: Float[Tensor, " classes"] | None = None,
) -> Float[Tensor, ""]:
    """−Σ w y ln σ(x) + (1 − y) ln(1 − σ(x)): each class is there or not, whatever the others are.

    ``weights`` say how much a yes of each class counts against a no.

    >>> many_labels(torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])).exp()
    tensor(4.)
    """
    return F.binary_cross_entropy_with_logits(logits.float(), labels, pos_weight=weights, reduction="sum")


def numbers(told: Float[Tensor, " b"], known: Float[Tensor, " b"]) -> Float[Tensor, ""]:
    """½ Σ (y − x)²: −ln p of numbers under a normal distribution of variance 1, less its constant.

    >>> numbers(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    return (told.float() - known.float()).square().sum() / 2


def contrastive(
    first: Float[Tensor, "b d"],
    second: Float[Tensor, "b d"],
    temperature: float,
    alike: Bool[Tensor, "b b"] | None = None,
) -> Float[Tensor, ""]:
    """−½ Σ_i (ln p(secondᵢ | firstᵢ) + ln p(firstᵢ | secondᵢ)): each must find its partner among the others'.

    p(secondⱼ | firstᵢ) = exp(cos(firstᵢ, secondⱼ)/τ) / Σ_k exp(cos(firstᵢ, second_k)/τ): InfoNCE, van den
    Oord et al. 2018, arXiv:1807.03748, equation 4, with cosines as SimCSE has it (Gao et al. 2021,
    arXiv:2104.08821, equation 1), in both directions (Radford et al. 2021, arXiv:2103.00020).

    Args:
        temperature: τ.
        alike: which pairs are no others, since they share a text: they do not compete.

    >>> x = torch.eye(4)
    >>> contrastive(x, x, 1.0), 4 * (torch.tensor(1.0).exp() + 3).log() - 4
    (tensor(2.9747), tensor(2.9747))
    """
    scores = F.normalize(first.float(), dim=1) @ F.normalize(second.float(), dim=1).T / temperature
    own = torch.arange(len(scores), device=scores.device)
    if alike is not None:
        scores = scores.masked_fill(alike & (own[:, None] != own), -torch.inf)
    losses = [F.cross_entropy(each, own, reduction="sum") for each in (scores, scores.T)]
    return torch.stack(losses).sum() / 2
