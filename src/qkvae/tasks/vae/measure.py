"""What a variational autoencoder tells of data in memory: bounds, latents, ln p(x)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from qkvae.losses.bounds import importance_weighted, log_likelihood, log_weights, terms
from qkvae.metrics.latents import Rates, active_units, mutual_information
from qkvae.models import VAE, TextVAE
from qkvae.nn.gaussian import Gaussian
from qkvae.nn.precise import precise
from qkvae.tasks.reading import evenly

_ROWS = 500  # data judged side by side
_TOGETHER = 4096  # data times draws that are told at once
_COMPARED = 2_000  # data each of which is compared with all others


def pieces(
    model: nn.Module, x: Tensor, labels: Tensor | None, rows: int = _ROWS
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Some data at a time, where the model is."""
    device = next(model.parameters()).device
    for begin in range(0, len(x), rows):
        some = None if labels is None else labels[begin : begin + rows].to(device)
        yield x[begin : begin + rows].to(device), some


class Bound(NamedTuple):
    """What was measured of data."""

    rates: Rates
    """Both terms of the ELBO."""

    importance_weighted: float | None
    """The bound of several draws, in nats per datum; None of one."""

    active: int
    """Active latents."""

    def figures(self, beta: float = 1.0, free: float = 0.0) -> dict[str, float]:
        """What is minimised, both terms of the ELBO (in nats per datum) and active latents.

        Of several draws the first is the negative importance-weighted bound, of one the distortion and β Σ
        max(λ, KL of a latent), as in `negative_elbo`.
        """
        rates, bound = self.rates, self.importance_weighted
        weighed = rates.distortion + beta * float(rates.kl.clamp_min(free).sum())
        return {
            "valid_loss": weighed if bound is None else -bound,
            "elbo": rates.elbo,
            "distortion": rates.distortion,
            "kl": rates.rate,
            "active_units": float(self.active),
        }


@torch.no_grad()
def bound(
    model: VAE | TextVAE,
    x: Shaped[Tensor, "count *shape"],
    labels: Int[Tensor, " count"] | None,
    draws: int = 1,
) -> Bound:
    """The ELBO of data, and the importance-weighted bound of several draws; the ε are always the same."""
    generator = torch.Generator().manual_seed(0)
    rates, means, total = Rates(), list[Tensor](), 0.0
    for some, told in pieces(model, x, labels):
        eps = torch.randn(draws, len(some), model.settings.latent, generator=generator).to(some.device)
        found = terms(model, some, eps, told)
        rates.add(found.log_likelihood, found.kl)
        if draws > 1:
            total += float(importance_weighted(log_weights(model, some, eps, told)).sum(dtype=precise(some)))
        means.append(posterior_means(model, some, told).cpu())
    several = total / len(x) if draws > 1 else None
    return Bound(rates, several, int(active_units(torch.cat(means)).sum()))


@torch.no_grad()
def posterior_means(
    model: VAE | TextVAE, x: Shaped[Tensor, "b *shape"], labels: Int[Tensor, " b"] | None
) -> Float[Tensor, "b latent"]:
    """E_q[z] of each datum; of a hierarchy level by level, each through the means above."""
    features = model.features(x, labels)
    return model.posterior.draw(features, features.new_zeros(len(x), model.settings.latent).float())[0]


def kl_per_dimension(model: VAE | TextVAE, x: Tensor, labels: Tensor | None) -> Float[Tensor, " latents"]:
    """The mean KL of each latent, of one draw; of a VampPrior one number for the top level."""
    return bound(model, x, labels).rates.kl


@torch.no_grad()
def shared_information(model: VAE | TextVAE, x: Tensor, labels: Tensor | None) -> float:
    """`mutual_information` of latents and data, on some data evenly spread where they are many."""
    rows = torch.from_numpy(evenly(len(x), _COMPARED))
    labels = None if labels is None else labels[rows]
    generator, drawn, found = torch.Generator().manual_seed(0), list[Tensor](), list[Gaussian]()
    for some, told in pieces(model, x[rows], labels):
        eps = torch.randn(1, len(some), model.settings.latent, generator=generator).to(some.device)
        z, q = model.posterior.draw(model.features(some, told), eps)
        drawn.append(z)
        found.append(q)
    q = Gaussian(*(torch.cat(part) for part in zip(*found, strict=True)))
    return float(mutual_information(q, torch.cat(drawn, 1)))


@torch.no_grad()
def scores(
    model: VAE | TextVAE,
    x: Shaped[Tensor, "count *shape"],
    labels: Int[Tensor, " count"] | None,
    samples: int,
) -> Float[Tensor, " count"]:
    """−ln p(x) of each datum in nats, by the same draws of ε for all: alone it scores as in company."""
    generator = torch.Generator().manual_seed(0)
    eps = torch.randn(samples, 1, model.settings.latent, generator=generator)
    found: list[Tensor] = []
    for some, told in pieces(model, x, labels, max(1, _TOGETHER // samples)):
        log_w = log_weights(model, some, eps.to(some.device).expand(-1, len(some), -1), told)
        found.append(-importance_weighted(log_w).cpu())
    return torch.cat(found)


def log_p(
    model: VAE | TextVAE,
    x: Shaped[Tensor, "count *shape"],
    labels: Int[Tensor, " count"] | None,
    samples: int,
    rows: int = _ROWS,
) -> Float[Tensor, " count"]:
    """ln p(x) of each datum in nats, by so many draws, of so many data side by side; the same at every
    call."""
    generator = torch.Generator(device=next(model.parameters()).device).manual_seed(0)
    found = [
        log_likelihood(model, some, samples, generator, told).cpu()
        for some, told in pieces(model, x, labels, rows)
    ]
    return torch.cat(found)
