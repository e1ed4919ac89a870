"""Faults of models with latent variables, each planted by replacing one part."""

from __future__ import annotations

from typing import Any

import torch
from planted import Fault, plant
from torch import Tensor

from qkvae.data import binarize
from qkvae.losses import bounds
from qkvae.nn import gaussian, latents, likelihoods


def shared(original: Any, self: Any, features: Tensor, eps: Tensor) -> Any:
    return original(self, features, eps[:, :1].expand_as(eps))


def averaged_bound(original: Any, log_w: Tensor) -> Tensor:
    return log_w.mean(0)


def rounded_up(original: Any, model: Any, x: Tensor, samples: int, *others: Any, **named: Any) -> Tensor:
    """As many whole chunks as hold the samples."""
    each = max(1, named.get("rows", 4096) // len(x))
    return original(model, x, -(-samples // each) * each, *others, **named)


def weighted_once(original: Any, model: Any, x: Tensor, eps: Tensor, labels: Any = None) -> Tensor:
    """The weights are not squared, though the parameters are held."""
    features = model.features(x, labels)
    z, _ = model.posterior.draw(features, eps)
    held = {name: p.detach() for name, p in model.posterior.named_parameters()}
    q = torch.func.functional_call(model.posterior, held, (features.detach(), z))
    log_joint = model.likelihood.log_prob(x, model.decode(z)) + model.prior.log_prob(z, model.read)
    return bounds.importance_weighted(log_joint - q.log_prob(z).sum(-1))


def without_tails(original: Any, self: Any, x: Tensor, told: Tensor) -> Tensor:
    half, rate = 0.5 / (self.levels - 1), torch.exp(-self.noise)
    p = torch.sigmoid((x + half - told) * rate) - torch.sigmoid((x - half - told) * rate)
    return p.log().sum(-1)


def blind(original: Any, features: Tensor, above: Any) -> Tensor:
    return original(features, [torch.zeros_like(each) for each in above])


LATENT_FAULTS = [
    Fault(
        "KL with the wrong sign",
        plant(gaussian.Gaussian, "kl", lambda original, self, other=None: -original(self, other)),
        "KL of two normal laws = its draws' mean",
    ),
    Fault(
        "KL the other way round",
        plant(
            gaussian.Gaussian,
            "kl",
            lambda original, self, other=None: original(self) if other is None else original(other, self),
        ),
        "KL of two normal laws = its draws' mean",
    ),
    Fault(
        "log-variance taken for the standard deviation's logarithm",
        plant(gaussian, "reparameterize", lambda original, mu, logvar, eps: original(mu, 2 * logvar, eps)),
        "draws have the moments told",
    ),
    Fault(
        "log-variance used as the variance",
        plant(gaussian, "reparameterize", lambda _, mu, logvar, eps: mu + logvar.abs().sqrt() * eps),
        "draws have the moments told",
    ),
    Fault(
        "mean instead of sum over the pixels",
        plant(
            likelihoods.Bernoulli,
            "log_prob",
            lambda original, self, x, told: original(self, x, told) / x[0].numel(),
        ),
        "ELBO = torch.distributions'",
    ),
    Fault(
        "KL averaged over the batch",
        plant(
            bounds,
            "negative_elbo",
            lambda original, found, *others: original(found._replace(kl=found.kl / len(found.kl)), *others),
        ),
        "ELBO = torch.distributions'",
    ),
    Fault(
        "ε shared over the batch",
        plant(latents.Posterior, "draw", shared),
        "equal data have draws of their own",
    ),
    Fault(
        "mean of logarithms instead of logarithm of the mean",
        plant(bounds, "importance_weighted", averaged_bound),
        "importance sampling = the sum over all z",
    ),
    Fault(
        "prior left out of the importance weights",
        plant(latents.Prior, "log_prob", lambda _, self, z, read: torch.zeros(z.shape[:-1])),
        "importance sampling = the sum over all z",
    ),
    Fault(
        "sample count rounded up to whole chunks",
        plant(bounds, "log_likelihood", rounded_up),
        "as many samples as asked for",
    ),
    Fault(
        "importance weights not squared in the gradient by the encoder",
        plant(bounds, "doubly_reparameterized", weighted_once),
        "both gradients of the importance-weighted bound have one mean",
    ),
    Fault(
        "tails of the discretised logistic law forgotten",
        plant(likelihoods.Logistic, "log_prob", without_tails),
        "probabilities of all levels sum to 1",
    ),
    Fault(
        "lower level blind to the one above",
        plant(latents, "_beside", blind),
        "a level is drawn given those above",
    ),
    Fault(
        "mixture not divided by its components",
        plant(
            latents.Vamp,
            "log_prob",
            lambda original, self, z, read: original(self, z, read) + float(len(self.inputs)),
        ),
        "VampPrior = torch's mixture",
    ),
    Fault(
        "binarisation without the step",
        plant(binarize, "binarized", lambda original, chances, seed: original(chances, seed[:-1])),
        "binarised anew at each step, and the same again",
    ),
]
