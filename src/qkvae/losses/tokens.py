"""What is minimised where a model tells tokens: cross-entropy that never holds all logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.nn.heads import MaskedWords
from qkvae.nn.precise import precise

_CHUNK = 512  # rows of logits held at a time: 16 MB in fp32 at a vocabulary of 8,000


def cross_entropy(
    logits: Float[Tensor, "rows v"], targets: Int[Tensor, " rows"], smoothing: float = 0.0
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Label-smoothed cross-entropy and plain negative log-likelihood, summed over the rows, in nats.

    −Σ_v q(v) ln p(v) with q = (1 − ε)·[v = target] + ε/V, Szegedy et al. 2016, arXiv:1512.00567; the smoothed
    loss of a uniform prediction is ln V whatever ε.

    >>> loss, nll = cross_entropy(torch.zeros(2, 4), torch.tensor([0, 3]), smoothing=0.1)
    >>> round(loss.item() / 2, 4), round(nll.item() / 2, 4)
    (1.3863, 1.3863)
    """
    log_p = F.log_softmax(logits.float(), dim=-1)
    nll = -log_p.gather(1, targets[:, None]).sum()
    smooth = -log_p.mean(-1).sum()
    return (1 - smoothing) * nll + smoothing * smooth, nll


def projected_cross_entropy(
    features: Float[Tensor, "rows d"],
    weight: Float[Tensor, "v d"],
    targets: Int[Tensor, " rows"],
    smoothing: float = 0.0,
    bias: Float[Tensor, " v"] | None = None,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """`cross_entropy` of ``features @ weight.T + bias`` that never holds all logits.

    Some rows are computed at a time, and their gradient in the same pass, while they are at hand.  The second
    result, the plain negative log-likelihood, has no gradient.

    >>> h, w = torch.randn(3, 8, requires_grad=True), torch.randn(5, 8)
    >>> loss, nll = projected_cross_entropy(h, w, torch.tensor([0, 1, 4]), 0.1)
    >>> torch.allclose(loss, cross_entropy(h @ w.T, torch.tensor([0, 1, 4]), 0.1)[0])
    True
    """
    apply = cast("Callable[..., tuple[Tensor, Tensor]]", _ProjectedCrossEntropy.apply)
    return apply(features, weight, bias, targets, smoothing)


class _ProjectedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, smoothing: float
    ) -> tuple[Tensor, Tensor]:
        wants_gradient = any(ctx.needs_input_grad[:3])
        d_features = torch.empty_like(features) if wants_gradient else None
        d_weight = torch.zeros_like(weight, dtype=torch.float32) if wants_gradient else None
        d_bias = None if bias is None else torch.zeros_like(bias, dtype=torch.float32)
        nll = features.new_zeros((), dtype=precise(features))
        for start in range(0, len(features), _CHUNK):
            rows = slice(start, start + _CHUNK)
            target = targets[rows, None]
            logits = F.linear(features[rows], weight, bias).float()
            p = torch.softmax(logits, dim=-1)
            nll += _negative_log(p, logits, target).sum(dtype=nll.dtype)
            if d_features is not None and d_weight is not None:
                # d loss / d logits = p − (1 − ε)·[target] − ε/V; the constant ε/V is subtracted at the end.
                p.scatter_add_(1, target, p.new_full((1, 1), smoothing - 1).expand_as(target))
                if d_bias is not None:
                    d_bias += p.sum(0)
                p = p.to(features.dtype)
                torch.mm(p, weight, out=d_features[rows])
                if p.dtype == torch.float32:
                    d_weight.addmm_(p.T, features[rows])
                else:
                    d_weight += p.T @ features[rows]
        loss = nll.clone()
        if smoothing:
            # Σ_v ln p(v) needs no pass over the logits: their mean is features · (mean row of the weight).
            centre, total = weight.float().mean(0), features.float().sum(0)
            log_sum = nll + _at_targets(features, weight, bias, targets)
            smooth = log_sum - (total @ centre).to(nll.dtype)
            if bias is not None:
                smooth = smooth - len(targets) * bias.mean(dtype=nll.dtype)
            loss = (1 - smoothing) * nll + smoothing * smooth
            if d_features is not None and d_weight is not None:
                d_features -= (smoothing * centre).to(d_features.dtype)
                d_weight -= smoothing / len(weight) * total
                if d_bias is not None:
                    d_bias -= smoothing / len(weight) * len(targets)
        if wants_gradient:
            ctx.save_for_backward(d_features, d_weight, d_bias)
            ctx.weight_dtype = weight.dtype
        loss, nll = loss.float(), nll.float()
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_loss: Tensor, _: Tensor
    ) -> tuple[Tensor, Tensor, Tensor | None, None, None]:
        d_features, d_weight, d_bias = ctx.saved_tensors
        if d_bias is not None:
            d_bias = (d_bias * d_loss).to(ctx.weight_dtype)
        return d_features * d_loss, (d_weight * d_loss).to(ctx.weight_dtype), d_bias, None, None


def masked_words(
    features: Float[Tensor, "b n d"],
    head: MaskedWords,
    places: Int[Tensor, " hidden"],
    targets: Int[Tensor, " hidden"],
) -> Float[Tensor, ""]:
    """−ln p of the tokens that were hidden, summed; no logits are made of any other place.

    ``places`` are those of the flattened rows.  Devlin et al. 2019, arXiv:1810.04805, section 3.1.

    >>> from qkvae.config import Block
    >>> head, features = MaskedWords(Block(dim=8, heads=2), torch.nn.Embedding(10, 8)), torch.randn(2, 5, 8)
    >>> loss = masked_words(features, head, torch.tensor([1, 7]), torch.tensor([3, 4]))
    >>> torch.allclose(loss, cross_entropy(head(features)[[0, 1], [1, 2]], torch.tensor([3, 4]))[0])
    True
    """
    hidden = head.hidden(features.flatten(0, 1)[places])
    return projected_cross_entropy(hidden, head.weight, targets, bias=head.bias)[0]


def consistent_cross_entropy(
    features: Float[Tensor, "2 rows d"],
    weight: Float[Tensor, "v d"],
    targets: Int[Tensor, " rows"],
    smoothing: float,
    consistency: float,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """`projected_cross_entropy` of two passes with different dropout, which are drawn towards each other.

    ½ (CE₁ + CE₂) + α/4 · (KL(p₁‖p₂) + KL(p₂‖p₁)), α = ``consistency``: half of equation 3 of R-Drop
    (Liang et al. 2021, arXiv:2106.14448), so that it weighs as much as the loss of one pass.  The second
    result is the mean negative log-likelihood of the two, without gradient.

    >>> h, w, y = torch.randn(3, 8), torch.randn(5, 8), torch.tensor([0, 1, 4])
    >>> same = consistent_cross_entropy(torch.stack([h, h]), w, y, 0.1, 5.0)[0]
    >>> torch.allclose(same, projected_cross_entropy(h, w, y, 0.1)[0])
    True
    """
    apply = cast("Callable[..., tuple[Tensor, Tensor]]", _ConsistentCrossEntropy.apply)
    return apply(features, weight, targets, smoothing, consistency)


class _ConsistentCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, features: Tensor, weight: Tensor, targets: Tensor, smoothing: float, consistency: float
    ) -> tuple[Tensor, Tensor]:
        d_features = torch.empty_like(features)
        d_weight = torch.zeros_like(weight, dtype=torch.float32)
        loss, nll = (features.new_zeros((), dtype=precise(features)) for _ in range(2))
        for start in range(0, len(targets), _CHUNK):
            rows = slice(start, start + _CHUNK)
            part, target = features[:, rows], targets[rows].expand(2, -1)[..., None]
            log_p = F.log_softmax((part @ weight.T).float(), dim=-1)
            p = log_p.exp()
            at_target = log_p.gather(2, target)
            nll -= at_target.sum(dtype=nll.dtype) / 2
            loss -= ((1 - smoothing) * at_target + smoothing * log_p.mean(-1, keepdim=True)).sum() / 2
            # KL₁₂ + KL₂₁ = Σ (p₁ − p₂)(ln p₁ − ln p₂); its derivative by the logits of pass i is
            # pᵢ (Δᵢ − Σ pᵢ Δᵢ) + pᵢ − pⱼ with Δᵢ = ln pᵢ − ln pⱼ.
            ratio, excess = log_p - log_p.flip(0), p - p.flip(0)
            loss += consistency / 4 * (excess[0] * ratio[0]).sum()
            d_logits = ratio.sub_((p * ratio).sum(-1, keepdim=True)).mul_(p).add_(excess)
            d_logits.mul_(consistency / 4).add_(p, alpha=0.5).sub_(smoothing / 2 / len(weight))
            d_logits.scatter_add_(2, target, p.new_full((1, 1, 1), (smoothing - 1) / 2).expand_as(target))
            d_logits = d_logits.to(features.dtype)
            d_features[:, rows] = d_logits @ weight
            d_weight += d_logits.flatten(0, 1).T @ part.flatten(0, 1)
        ctx.save_for_backward(d_features, d_weight)
        ctx.weight_dtype = weight.dtype
        loss, nll = loss.float(), nll.float()
        ctx.mark_non_differentiable(nll)
        return loss, nll

    @staticmethod
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, d_loss: Tensor, _: Tensor
    ) -> tuple[Tensor, Tensor, None, None, None]:
        d_features, d_weight = ctx.saved_tensors
        return d_features * d_loss, (d_weight * d_loss).to(ctx.weight_dtype), None, None, None


def _negative_log(p: Tensor, logits: Tensor, target: Tensor) -> Tensor:
    """−ln p at each target; by way of the largest probability where p itself has no digits left."""
    at_target = p.gather(1, target)
    if bool((at_target > 1e-30).all()):
        return -at_target.log()
    peak, place = logits.max(-1, keepdim=True)
    return peak - p.gather(1, place).log() - logits.gather(1, target)


def _at_targets(features: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> Tensor:
    """The logits of the targets, summed."""
    total = (features.float() * weight[targets].float()).sum(dtype=precise(features))
    return total if bias is None else total + bias[targets].sum(dtype=total.dtype)
