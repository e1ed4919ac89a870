"""Bounds of ln p(x): against torch.distributions, against each other, and against a truth that is known."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from torch import Tensor, distributions
from torch.testing import assert_close

from qkvae.config import VAE as Settings
from qkvae.losses.bounds import (
    Terms,
    doubly_reparameterized,
    importance_weighted,
    log_likelihood,
    log_weights,
    negative_elbo,
    terms,
)
from qkvae.models.vae import VAE
from torch_twins import shake


def made(**parts: Any) -> VAE:
    torch.manual_seed(1)
    model = VAE(Settings(**{"shape": (12,), "latents": (3,), "widths": (16,), **parts}))
    shake(model)
    return model


def binary(count: int = 4) -> Tensor:
    return torch.rand(count, 12).round()


def test_the_elbo_is_its_equation_in_torchs_words() -> None:
    model, x = made(), binary()
    eps = torch.randn(5, 4, 3)
    found = terms(model, x, eps)
    mu, logvar = model.posterior(model.features(x), torch.zeros(4, 3))
    q = distributions.Normal(mu, (logvar / 2).exp())
    told = model.decoder(q.mean + q.stddev * eps)
    log_p = distributions.Bernoulli(logits=told).log_prob(x.expand(5, 4, 12)).sum(-1).mean(0)
    kl = distributions.kl_divergence(q, distributions.Normal(0.0, 1.0))
    assert_close(found.log_likelihood, log_p, rtol=1e-5, atol=1e-5)
    assert_close(found.kl, kl, rtol=1e-5, atol=1e-5)
    assert_close(negative_elbo(found), (kl.sum() - log_p.sum()), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("parts", [{}, {"latents": (2, 2)}, {"prior": "vamp", "components": 5}])
def test_the_sampled_bound_has_the_closed_ones_mean(parts: dict[str, Any]) -> None:
    model, x = made(**parts), binary()
    eps = torch.randn(20_000, 4, model.settings.latent)
    with torch.no_grad():
        closed, sampled = terms(model, x, eps).elbo, log_weights(model, x, eps)
    error = 5 * sampled.std(0) / math.sqrt(len(eps)) + 1e-3
    assert bool(((sampled.mean(0) - closed).abs() < error).all())


def test_beta_and_free_nats() -> None:
    found = Terms(torch.tensor([-3.0, -5.0]), torch.tensor([[0.1, 2.0], [0.3, 4.0]]))
    assert float(negative_elbo(found)) == pytest.approx(14.4)
    assert float(negative_elbo(found, beta=4.0)) == pytest.approx(8 + 4 * 6.4)
    assert float(negative_elbo(found, free=0.5)) == pytest.approx(8 + 2 * (0.5 + 3.0))


def test_a_latent_within_its_free_nats_has_no_gradient() -> None:
    kl = torch.tensor([[0.1, 2.0], [0.3, 4.0]], requires_grad=True)
    negative_elbo(Terms(torch.zeros(2), kl), free=0.5).backward()
    assert_close(kl.grad, torch.tensor([[0.0, 1.0], [0.0, 1.0]]))


def test_one_draw_is_the_elbo_and_more_draws_come_nearer_to_the_truth() -> None:
    model, x = made(), binary()
    log_w = log_weights(model, x, torch.randn(40_000, 4, 3)).detach()
    bounds = [
        importance_weighted(log_w.view(draws, -1, 4).flatten(1)).view(-1, 4).mean(0)
        for draws in (1, 5, 50, 500)
    ]
    assert_close(bounds[0], log_w.mean(0), rtol=1e-5, atol=1e-4)
    for looser, tighter in itertools.pairwise(bounds):
        assert bool((tighter > looser).all())
    truth = exact(model, x)
    assert bool((bounds[-1] <= truth + 0.02).all())
    assert float((truth - bounds[-1]).max()) < 0.25 * float((truth - bounds[0]).max())


def exact(model: VAE, x: Tensor) -> Tensor:
    """ln p(x) by the sum over a grid of all z: no posterior takes part."""
    side = torch.linspace(-6, 6, 61)
    z = torch.cartesian_prod(side, side, side)[:, None]
    with torch.no_grad():
        log_p = distributions.Bernoulli(logits=model.decoder(z)).log_prob(x).sum(-1)
    log_p = log_p + distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    return log_p.logsumexp(0) + 3 * math.log(0.2)


def test_importance_sampling_finds_the_truth() -> None:
    model, x = made(), binary()
    found = log_likelihood(model, x, 20_000, torch.Generator().manual_seed(0))
    assert_close(found, exact(model, x), rtol=0, atol=0.03)


@pytest.mark.parametrize("samples", [1, 7, 64])
def test_exactly_so_many_samples_are_drawn_however_they_are_cut(samples: int) -> None:
    model, x = made(), binary()
    drawn: list[int] = []
    model.posterior.z.listener = lambda z: (drawn.append(len(z)), z)[1]
    found = log_likelihood(model, x, samples, torch.Generator().manual_seed(3), rows=12)
    assert sum(drawn) == samples
    assert max(drawn) == min(samples, 3)
    generator = torch.Generator().manual_seed(3)
    eps = torch.cat([torch.randn(n, 4, 3, generator=generator) for n in drawn])
    expected = importance_weighted(log_weights(model, x, eps)).detach()
    assert_close(found, expected, rtol=1e-5, atol=1e-5)


def test_no_sample_is_refused() -> None:
    with pytest.raises(ValueError, match="samples is 0"):
        log_likelihood(made(), binary(), 0)


def gradient(kind: Any, model: VAE, x: Tensor, eps: Tensor) -> Tensor:
    """The gradient of the bound by the encoder, and then by the decoder, in one row."""
    bound = kind(model, x, eps).sum()
    parts = [*model.posterior.parameters(), *model.encoder.parameters()]
    parts += [*model.decoder.parameters(), *(p for p in model.prior.parameters())]
    return torch.cat([g.flatten() for g in torch.autograd.grad(bound, parts)])


def plain(model: VAE, x: Tensor, eps: Tensor) -> Tensor:
    return importance_weighted(log_weights(model, x, eps))


@pytest.mark.parametrize("parts", [{}, {"latents": (2, 2)}, {"prior": "vamp", "components": 3}])
def test_both_gradients_of_the_importance_weighted_bound_have_one_mean(parts: dict[str, Any]) -> None:
    """And one value; the doubly reparameterised one varies less, the more so the more draws there are."""
    model, x = made(widths=(4,), **parts), binary(2)
    eps = torch.randn(6, 2, model.settings.latent)
    assert_close(doubly_reparameterized(model, x, eps), plain(model, x, eps), rtol=1e-5, atol=1e-5)
    ratios = []
    for draws, tries in ((2, 800), (32, 300)):
        found = torch.stack(
            [
                torch.stack([gradient(kind, model, x, eps) for kind in (plain, doubly_reparameterized)])
                for eps in torch.randn(tries, draws, 2, model.settings.latent)
            ]
        )
        off = (found[:, 0] - found[:, 1]).mean(0).abs()
        error = (found[:, 0] - found[:, 1]).std(0) / math.sqrt(tries)
        assert bool((off < 5 * error + 1e-5).all())
        encoder = sum(p.numel() for p in (*model.posterior.parameters(), *model.encoder.parameters()))
        spread = found.var(0)[:, :encoder].sum(1)
        ratios.append(float(spread[0] / spread[1]))
    assert ratios[1] > 1.2
    assert ratios[1] > ratios[0] or "prior" in parts


def test_the_gradient_by_the_decoder_is_the_same_in_both() -> None:
    model, x = made(), binary()
    eps = torch.randn(7, 4, 3)
    decoder = list(model.decoder.parameters())
    one = torch.autograd.grad(plain(model, x, eps).sum(), decoder)
    other = torch.autograd.grad(doubly_reparameterized(model, x, eps).sum(), decoder)
    assert_close(one, other, rtol=1e-4, atol=1e-5)
