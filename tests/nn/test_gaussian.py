"""Normal distributions against torch.distributions, and both gradients of an expectation."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from qkvae.nn.gaussian import Gaussian, log_standard, pathwise, reparameterize, score_function

CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def made(*shape: int, seed: int = 0) -> tuple[Gaussian, Normal]:
    generator = torch.Generator().manual_seed(seed)
    mu, logvar = (torch.randn(*shape, generator=generator) for _ in range(2))
    return Gaussian(mu, logvar), Normal(mu, logvar.exp().sqrt())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), batch=st.integers(1, 4), latent=st.integers(1, 5))
def test_densities_and_divergences_are_torchs(seed: int, batch: int, latent: int) -> None:
    q, other = made(batch, latent, seed=seed)
    p, of_p = made(batch, latent, seed=seed + 1)
    z = torch.randn(3, batch, latent)
    standard = Normal(torch.zeros(()), torch.ones(()))
    assert_close(q.log_prob(z), other.log_prob(z), **CLOSE)
    assert_close(log_standard(z), standard.log_prob(z), **CLOSE)
    assert_close(q.kl(), kl_divergence(other, standard), **CLOSE)
    assert_close(q.kl(p), kl_divergence(other, of_p), rtol=1e-4, atol=1e-5)
    assert_close(p.kl(p), torch.zeros(batch, latent), **CLOSE)


def test_a_draw_is_differentiable_in_both() -> None:
    q, _ = made(4, 3)
    mu, logvar = q.mu.requires_grad_(), q.logvar.requires_grad_()
    eps = torch.randn(4, 3)
    z = reparameterize(mu, logvar, eps)
    by_mu, by_logvar = torch.autograd.grad(z.sum(), (mu, logvar))
    assert_close(by_mu, torch.ones(4, 3))
    assert_close(by_logvar, 0.5 * (z - mu).detach(), **CLOSE)  # dσ/d ln σ² = ½ σ


def test_draws_have_the_moments_told() -> None:
    q, _ = made(3)
    z = q.draw(torch.randn(200_000, 3))
    assert_close(z.mean(0), q.mu, rtol=0, atol=0.02)
    assert_close(z.var(0).log(), q.logvar, rtol=0, atol=0.02)


def test_closed_and_sampled_divergence_agree() -> None:
    q, _ = made(2, 4)
    p, _ = made(2, 4, seed=7)
    z = q.draw(torch.randn(400_000, 2, 4))
    spread = (q.log_prob(z) - p.log_prob(z)).std(0) / math.sqrt(len(z))
    for closed, prior in ((q.kl(), log_standard(z)), (q.kl(p), p.log_prob(z))):
        off = ((q.log_prob(z) - prior).mean(0) - closed).abs()
        assert bool((off < 5 * spread + 1e-3).all())


def gradients(kind: str, draws: int) -> Tensor:
    """Draws of the gradient of E[Σ z²] by μ and ln σ², [2, draws, latent]."""
    mu = torch.tensor([0.5, -1.0, 2.0]).expand(draws, 3).clone().requires_grad_()
    logvar = torch.tensor([0.0, -1.0, 0.5]).expand(draws, 3).clone().requires_grad_()
    eps = torch.randn(draws, 3)

    def function(z: Tensor) -> Tensor:
        return z.square().sum(-1)

    q = Gaussian(mu, logvar)
    match kind:
        case "path-wise":
            value = pathwise(function, q, eps)
        case "score function":
            value = score_function(function, q, eps)
        case _:
            value = score_function(function, q, eps, baseline=float(kind))
    return torch.stack(torch.autograd.grad(value.sum(), (mu, logvar)))


def test_both_gradients_have_one_mean_and_the_score_functions_varies_far_more() -> None:
    """E[z²] = μ² + σ²: the gradient is 2 μ by the mean and σ² by ln σ²."""
    draws = 200_000
    mean = 0.25 + 1.0 + 4.0 + 1.0 + math.exp(-1.0) + math.exp(0.5)
    exact = torch.tensor([[1.0, -2.0, 4.0], [1.0, math.exp(-1.0), math.exp(0.5)]])
    variances = {}
    for kind in ("path-wise", "score function", str(mean)):
        found = gradients(kind, draws)
        error = found.std(1) / math.sqrt(draws)
        assert bool(((found.mean(1) - exact).abs() < 5 * error).all()), kind
        variances[kind] = found.var(1).sum().item()
    # By μ the path-wise gradient 2 z varies by 4 σ²; the sum over both is 4 Σσ² + Σ(2σ⁴ + μ²σ²).
    sigma, mu = torch.tensor([0.0, -1.0, 0.5]).exp(), torch.tensor([0.5, -1.0, 2.0])
    told = (4 * sigma + 2 * sigma**2 + mu**2 * sigma).sum().item()
    assert variances["path-wise"] == pytest.approx(told, rel=0.05)
    assert variances["score function"] > 10 * variances["path-wise"]
    assert variances[str(mean)] < 0.7 * variances["score function"]
