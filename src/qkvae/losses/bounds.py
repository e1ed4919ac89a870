"""Bounds of ln p(x) that a variational autoencoder is trained by, in nats per datum.

    ln p(x) ≥ E_q[ln p(x | z)] − KL(q(z | x) ‖ p(z)),

the evidence lower bound (ELBO) of Kingma and Welling 2014, arXiv:1312.6114, equation 3, and what tightens it
by several draws.  Draws of ε stand in front: [draws, b, latent].
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from qkvae.nn.gaussian import Gaussian
from qkvae.nn.latents import Posterior, Prior


@runtime_checkable
class Autoencoder(Protocol):
    """What the bounds ask of a model."""

    posterior: Posterior
    prior: Prior

    def features(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """What the posterior reads."""
        ...

    def log_likelihood(self, x: Tensor, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """ln p(x | z) of each draw and datum."""
        ...

    def read(self, x: Tensor) -> Gaussian:
        """The top level's posterior."""
        ...


class Terms(NamedTuple):
    """Both terms of the ELBO of each datum, the mean over its draws."""

    log_likelihood: Tensor
    """E_q[ln p(x | z)], [b]: its negative is the distortion."""

    kl: Tensor
    """KL(q ‖ p) of each latent, [b, latents]; the sum over a row is the rate."""

    @property
    def elbo(self) -> Tensor:
        """The bound of each datum, [b]."""
        return self.log_likelihood - self.kl.sum(-1)


def terms(
    model: Autoencoder,
    x: Shaped[Tensor, "b *shape"],
    eps: Float[Tensor, "draws b latent"],
    labels: Int[Tensor, " b"] | None = None,
) -> Terms:
    """Both terms, the KL in closed form where it has one.

    >>> from qkvae.config import VAE as Settings
    >>> from qkvae.models import VAE
    >>> x, model = torch.zeros(2, 12), VAE(Settings(shape=(12,), latents=(3,), widths=(8,)))
    >>> found = terms(model, x, torch.randn(5, 2, 3))
    >>> found.log_likelihood.shape, found.kl.shape, found.elbo.shape
    (torch.Size([2]), torch.Size([2, 3]), torch.Size([2]))
    """
    z, q = model.posterior.draw(model.features(x, labels), eps)
    log_likelihood = model.log_likelihood(x, z, labels)
    kl = model.prior.kl(q, z, model.read)
    return Terms(log_likelihood.mean(0), kl.mean(0) if kl.ndim == 3 else kl)


def negative_elbo(found: Terms, beta: float = 1.0, free: float = 0.0) -> Float[Tensor, ""]:
    """−Σ E_q[ln p(x | z)] + β Σ KL over the batch: what training minimises.

    Args:
        beta: the weight of the KL: Higgins et al. 2017, https://openreview.net/forum?id=Sy2fzU9gl.
        free: nats that each latent may take for nothing, λ in Σⱼ max(λ, mean of KLⱼ over the batch): Kingma
            et al. 2016, arXiv:1606.04934, appendix C.8.

    >>> found = Terms(torch.tensor([-80.0, -90.0]), torch.tensor([[3.0, 0.1], [2.0, 0.0]]))
    >>> negative_elbo(found), negative_elbo(found, beta=2.0), negative_elbo(found, free=0.5)
    (tensor(175.1000), tensor(180.2000), tensor(176.))
    """
    kl = found.kl.mean(0)
    kl = kl.clamp_min(free) if free else kl
    return beta * len(found.kl) * kl.sum() - found.log_likelihood.sum()


def log_weights(
    model: Autoencoder,
    x: Shaped[Tensor, "b *shape"],
    eps: Float[Tensor, "draws b latent"],
    labels: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, "draws b"]:
    """ln w = ln p(x | z) + ln p(z) − ln q(z | x) of each draw; the mean of w is p(x)."""
    z, q = model.posterior.draw(model.features(x, labels), eps)
    return _log_joint(model, x, z, labels) - q.log_prob(z).sum(-1)


def importance_weighted(log_w: Float[Tensor, "draws b"]) -> Float[Tensor, " b"]:
    """ln 1/K Σ w: a bound that never falls as K grows, and is the ELBO at K = 1.

    Burda et al. 2016, arXiv:1509.00519, equation 8.

    >>> importance_weighted(torch.tensor([[0.0], [2.0]]).log())
    tensor([0.])
    """
    return log_w.logsumexp(0) - math.log(len(log_w))


def doubly_reparameterized(
    model: Autoencoder,
    x: Shaped[Tensor, "b *shape"],
    eps: Float[Tensor, "draws b latent"],
    labels: Int[Tensor, " b"] | None = None,
) -> Float[Tensor, " b"]:
    """`importance_weighted`, with a gradient by the encoder that grows better with more draws, not worse.

    With w̃ = w/Σw and the encoder's parameters φ held within ln q, the gradient by φ is
    Σ w̃² ∂ln w/∂z ∂z/∂φ, and by all others Σ w̃ ∂ln w/∂θ: DReG, Tucker et al. 2019, arXiv:1810.04152, eq. 8.
    At K = 1 it is the gradient of Roeder et al. 2017, arXiv:1703.09194.
    """
    features = model.features(x, labels)
    z, _ = model.posterior.draw(features, eps)
    held = {name: p.detach() for name, p in model.posterior.named_parameters()}
    q: Gaussian = torch.func.functional_call(model.posterior, held, (features.detach(), z))
    log_w = _log_joint(model, x, z, labels) - q.log_prob(z).sum(-1)
    bound, share = importance_weighted(log_w.detach()), torch.softmax(log_w.detach(), 0)

    def weighted(gradient: Tensor) -> Tensor:
        return gradient * share[..., None]

    if z.requires_grad:
        z.register_hook(weighted)
    through = (share * log_w).sum(0)
    return through - through.detach() + bound


@torch.no_grad()
def log_likelihood(
    model: Autoencoder,
    x: Shaped[Tensor, "b *shape"],
    samples: int,
    generator: torch.Generator | None = None,
    labels: Int[Tensor, " b"] | None = None,
    rows: int = 4096,
) -> Float[Tensor, " b"]:
    """ln p(x) of each datum, by ``samples`` draws from q(z | x): ln 1/S Σ w, `importance_weighted`.

    The logarithm of the mean is added up some draws at a time, about ``rows`` of all data together, and the
    encoder reads each datum once.

    Raises:
        ValueError: no sample is asked for.
    """
    if samples < 1:
        raise ValueError(f"samples is {samples}, but at least 1 is needed")
    features, latent = model.features(x, labels), sum(model.posterior.latents)
    total = torch.full((len(x),), -math.inf, device=x.device)
    each = max(1, rows // len(x))
    for begin in range(0, samples, each):
        draws = min(each, samples - begin)
        eps = torch.randn(draws, len(x), latent, generator=generator, device=x.device)
        z, q = model.posterior.draw(features, eps)
        log_w = _log_joint(model, x, z, labels) - q.log_prob(z).sum(-1)
        total = torch.logaddexp(total, log_w.logsumexp(0))
    return total - math.log(samples)


def _log_joint(model: Autoencoder, x: Tensor, z: Tensor, labels: Tensor | None) -> Tensor:
    """ln p(x | z) + ln p(z)."""
    return model.log_likelihood(x, z, labels) + model.prior.log_prob(z, model.read)
