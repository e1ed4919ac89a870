"""The data that a model with latent variables is proven on, and what must hold of what it draws."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.losses.bounds import importance_weighted, log_weights, terms
from qkvae.models import VAE
from qkvae.prove.case import Case
from qkvae.prove.rows import difference

_DATA = 5
_DRAWS = 2
_MANY = 2000  # draws where a mean is measured
_ERRORS = 6.0  # standard errors that a mean may be off

Example = tuple[Tensor, Tensor, Tensor | None]
"""A datum, its ε of each draw, and its label."""


@dataclass(frozen=True)
class VAECase(Case):
    """A variational autoencoder; it tells a datum's numbers, its posterior and ln w of each draw."""

    model: VAE

    @property
    def x(self) -> Float[Tensor, "b *shape"]:
        """Random data that the likelihood may have made: levels between 0 and 1."""
        settings = self.model.settings
        levels = settings.levels_or_default if settings.likelihood in ("logistic", "categorical") else 2
        shape = (_DATA, *settings.shape)
        return (torch.randint(levels, shape, generator=self.generator()) / (levels - 1)).to(self.device)

    @property
    def labels(self) -> Int[Tensor, " b"] | None:
        """Random labels, where the model is told some."""
        classes = self.model.settings.classes
        made = torch.randint(max(1, classes), (_DATA,), generator=self.generator())
        return made.to(self.device) if classes else None

    def eps(self, draws: int) -> Float[Tensor, "draws b latent"]:
        """Random ε."""
        shape = (draws, _DATA, self.model.settings.latent)
        return torch.randn(shape, generator=self.generator()).to(self.device)

    @property
    def examples(self) -> list[Example]:
        x, eps, labels = self.x, self.eps(_DRAWS), self.labels
        rows = [slice(row, row + 1) for row in range(_DATA)]
        return [(x[row], eps[:, row], None if labels is None else labels[row]) for row in rows]

    def alone(self, example: Example) -> list[Float[Tensor, "places numbers"]]:
        return self._read(*example)

    def together(self, padding: int = 0) -> list[Float[Tensor, "places numbers"]]:
        return self._read(self.x, self.eps(_DRAWS), self.labels)

    def _read(self, x: Tensor, eps: Tensor, labels: Tensor | None) -> list[Tensor]:
        z, q = self.model.posterior.draw(self.model.features(x, labels), eps)
        told, log_w = self.model.decode(z, labels), log_weights(self.model, x, eps, labels)
        return [
            each[..., row, :] if each.ndim == 2 else each[:, row].flatten(1)
            for row in range(len(x))
            for each in (told, z, *(part.expand(z.shape) for part in q), log_w[..., None])
        ]


@torch.no_grad()
def drawn_is_told(case: VAECase) -> float:
    """The distributions that latents are drawn from, against those told of the same latents afterwards."""
    features = case.model.features(case.x, case.labels)
    z, drawn = case.model.posterior.draw(features, case.eps(_DRAWS))
    told = case.model.posterior(features, z)
    return max(difference(one, other) for one, other in zip(told, drawn, strict=True))


def _apart(sampled: Tensor, expected: Tensor) -> float:
    """How many times the error allowed the means over draws are off, at most."""
    error = _ERRORS * sampled.std(0) / math.sqrt(len(sampled)) + 1e-3
    return float(((sampled.mean(0) - expected).abs() / error).max())


@torch.no_grad()
def closed_kl_is_sampled(case: VAECase) -> float:
    """KL(q ‖ p) as training has it, against the mean of ln q(z) − ln p(z), in errors that are allowed."""
    model, eps = case.model, case.eps(_MANY)
    z, q = model.posterior.draw(model.features(case.x, case.labels), eps)
    sampled = q.log_prob(z).sum(-1) - model.prior.log_prob(z, model.read)
    return _apart(sampled, terms(model, case.x, eps, case.labels).kl.sum(-1))


@torch.no_grad()
def bound_that_falls(case: VAECase) -> float:
    """The ELBO against the mean of ln w, in errors that are allowed; infinity where more draws lower it."""
    eps = case.eps(_MANY)
    log_w = log_weights(case.model, case.x, eps, case.labels)
    bounds = [importance_weighted(log_w.view(draws, -1, _DATA).flatten(1)) for draws in (1, 10, 100)]
    means = torch.stack([bound.view(-1, _DATA).mean(0) for bound in bounds])
    if bool((means.diff(dim=0) < -1e-3).any()):
        return math.inf
    return _apart(log_w, terms(case.model, case.x, eps, case.labels).elbo)
