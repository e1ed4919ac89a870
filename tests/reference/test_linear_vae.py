"""Inference is right: a linear VAE against probabilistic PCA and factor analysis, whose truth is known.

With a linear decoder and normal noise the expectation in the ELBO is that of a quadratic function of ε.  The
2·latent points ±√latent·eᵢ have mean 0 and covariance 1, so the mean over them is that expectation exactly:
nothing here is random but the data.  Lucas et al. 2019, arXiv:1911.02469: at the best the bound is tight.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA, FactorAnalysis
from torch import Tensor
from torch.testing import assert_close

from qkvae.config import VAE as Settings
from qkvae.losses.bounds import importance_weighted, log_likelihood, log_weights, negative_elbo, terms
from qkvae.models.vae import VAE

LATENT, NUMBERS, COUNT = 2, 6, 400


def points(latent: int, count: int) -> Tensor:
    """±√latent·eᵢ for every datum."""
    sides = latent**0.5 * torch.eye(latent)
    return torch.cat([sides, -sides])[:, None].expand(-1, count, -1)


@functools.cache
def data() -> Tensor:
    """Correlated numbers of different spreads around a mean that is not zero."""
    draw = np.random.default_rng(0)
    mixing = draw.normal(size=(LATENT, NUMBERS)) * np.array([[2.0], [1.0]])
    noise = draw.normal(size=(COUNT, NUMBERS)) * np.linspace(0.3, 0.8, NUMBERS)
    x = draw.normal(size=(COUNT, LATENT)) @ mixing + noise + draw.normal(size=NUMBERS)
    return torch.from_numpy(x).float()


def linear(noise: str) -> VAE:
    torch.manual_seed(0)
    settings = Settings(
        shape=(NUMBERS,),
        latents=(LATENT,),
        widths=(),
        likelihood="gaussian",
        noise=noise,  # pyright: ignore
    )
    return VAE(settings)


def loss(model: VAE) -> Tensor:
    x = data()
    return negative_elbo(terms(model, x, points(LATENT, len(x)))) / len(x)


def improve(model: VAE, weights: Iterable[torch.nn.Parameter], steps: int) -> float:
    """Move these weights alone, as far as they get."""
    optimizer = torch.optim.LBFGS(
        list(weights), max_iter=steps, history_size=20, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        model.zero_grad()
        value = loss(model)
        value.backward()
        return value

    optimizer.step(closure)
    return -float(loss(model).detach())


@functools.cache
def jointly(noise: str) -> tuple[VAE, float]:
    model = linear(noise)
    return model, improve(model, model.parameters(), 150)


@functools.cache
def in_turn(noise: str) -> tuple[VAE, float]:
    """E-step: φ, with θ as it is.  M-step: θ, with φ as it is."""
    model, bounds = linear(noise), [-float("inf")]
    for _ in range(16):
        bounds += [improve(model, weights, 10) for weights in (model.phi(), model.theta())]
    # θ has moved since the last E-step: one more, to its end.
    bounds.append(improve(model, model.phi(), 100))
    assert all(later >= earlier - 1e-4 for earlier, later in itertools.pairwise(bounds))
    return model, bounds[-1]


def truth(noise: str) -> float:
    """The highest mean ln p(x) that any such model reaches, by scikit-learn."""
    kind = PCA(LATENT) if noise == "shared" else FactorAnalysis(LATENT, tol=1e-8, max_iter=5000)
    return float(kind.fit(data().numpy()).score(data().numpy()))


@pytest.mark.parametrize("noise", ["shared", "each"])
def test_joint_training_and_variational_em_reach_the_truth(noise: str) -> None:
    (_, joint), (_, turns) = jointly(noise), in_turn(noise)
    best = truth(noise)
    assert abs(joint - best) < 0.02
    assert abs(turns - joint) < 0.05


@pytest.mark.parametrize("algorithm", [jointly, in_turn])
def test_posteriors_are_the_exact_ones(algorithm: functools._lru_cache_wrapper) -> None:  # pyright: ignore
    """p(z | x) = N(M⁻¹Wᵀ(x − b), σ²M⁻¹) with M = WᵀW + σ²I: Tipping and Bishop 1999, equation 6."""
    model, _ = algorithm("shared")
    x = data()
    with torch.no_grad():
        w, b, noise = model.decoder.output.weight, model.decoder.output.bias, model.likelihood.logvar.exp()
        m = w.T @ w + noise * torch.eye(LATENT)
        mu, logvar = model.posterior(model.features(x), torch.zeros(len(x), LATENT))
        assert_close(mu, (x - b) @ w @ torch.linalg.inv(m), rtol=0, atol=1e-2)
        assert_close(logvar.exp(), (noise * torch.linalg.inv(m).diag()).expand_as(mu), rtol=0, atol=1e-2)


def test_what_is_told_back_lies_in_the_plane_of_pca() -> None:
    model, _ = jointly("shared")
    x = data()
    pca = PCA(LATENT).fit(x.numpy())
    with torch.no_grad():
        told = model(x) - torch.from_numpy(pca.mean_).float()
        plane = torch.from_numpy(pca.components_).float()
        outside = told - told @ plane.T @ plane
    assert float(outside.abs().max()) < 1e-2
    assert float(model.likelihood.logvar.exp().detach()) == pytest.approx(pca.noise_variance_, rel=0.02)


def test_importance_sampling_and_the_bound_tell_the_likelihood_that_is_known() -> None:
    """Where the posterior is exact all weights are equal: one sample is enough, and more change nothing."""
    model, bound = jointly("shared")
    x = data()
    for samples in (1, 50):
        found = log_likelihood(model, x, samples, torch.Generator().manual_seed(0)).mean()
        assert float(found) == pytest.approx(truth("shared"), abs=0.05)
    assert bound <= truth("shared") + 1e-3


def test_a_wrong_posterior_makes_the_bound_loose_and_importance_weights_tighten_it() -> None:
    model, bound = jointly("shared")
    x, level = data(), model.posterior.levels[0]
    level.logvar.listener = lambda logvar: logvar + 2.0
    try:
        with torch.no_grad():
            log_w = log_weights(model, x, torch.randn(1024, len(x), LATENT))
        found = [float(importance_weighted(log_w[:draws]).mean()) for draws in (1, 8, 64, 1024)]
    finally:
        level.logvar.listener = None
    assert found == sorted(found)
    assert found[0] < bound - 1.0
    assert found[-1] == pytest.approx(truth("shared"), abs=0.1)
