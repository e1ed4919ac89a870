"""Checks of models with latent variables, quick enough to be made under every planted fault."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, distributions
from torch.testing import assert_close

from qkvae.config import VAE as Settings
from qkvae.data.binarize import binarized
from qkvae.losses import bounds
from qkvae.models.vae import VAE
from qkvae.nn.gaussian import Gaussian
from qkvae.nn.likelihoods import Logistic

CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def _made(latents: tuple[int, ...] = (2,), prior: str = "standard") -> VAE:
    torch.manual_seed(0)
    components = 3 if prior == "vamp" else None
    settings = Settings(
        shape=(8,),
        latents=latents,
        widths=(6,),
        activation="tanh",
        prior=prior,
        components=components,  # pyright: ignore
    )
    model = VAE(settings)
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1 * torch.randn_like(p))
    return model


def _exact(model: VAE, x: Tensor) -> Tensor:
    """ln p(x) by the sum over a grid of two latents."""
    side = torch.linspace(-6, 6, 121)
    z = torch.cartesian_prod(side, side)[:, None]
    log_p = distributions.Bernoulli(logits=model.decoder(z)).log_prob(x).sum(-1)
    log_p = log_p + distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    return log_p.logsumexp(0) + 2 * math.log(0.1)


def kl_closed_is_sampled() -> None:
    q = Gaussian(torch.tensor([0.7, -1.0]), torch.tensor([-1.0, 0.4]))
    p = Gaussian(torch.tensor([-0.2, 0.1]), torch.tensor([0.3, -0.5]))
    z = q.draw(torch.randn(200_000, 2))
    standard = distributions.Normal(0.0, 1.0).log_prob(z)
    assert_close(q.kl(), (q.log_prob(z) - standard).mean(0), rtol=0, atol=0.02)
    assert_close(q.kl(p), (q.log_prob(z) - p.log_prob(z)).mean(0), rtol=0, atol=0.03)


def moments_of_draws() -> None:
    q = Gaussian(torch.tensor([0.7, -1.0]), torch.tensor([-1.0, 1.4]))
    z = q.draw(torch.randn(100_000, 2))
    assert_close(z.mean(0), q.mu, rtol=0, atol=0.03)
    assert_close(z.var(0).log(), q.logvar, rtol=0, atol=0.03)


def bound_is_torchs() -> None:
    model, x, eps = _made(), torch.rand(4, 8).round(), torch.randn(3, 4, 2)
    mu, logvar = model.posterior(model.features(x), eps)
    q = distributions.Normal(mu, (logvar / 2).exp())
    told = distributions.Bernoulli(logits=model.decoder(q.mean + q.stddev * eps))
    expected = distributions.kl_divergence(q, distributions.Normal(0.0, 1.0)).sum()
    expected = expected - told.log_prob(x.expand(3, 4, 8)).sum(-1).mean(0).sum()
    assert_close(bounds.negative_elbo(bounds.terms(model, x, eps)), expected, **CLOSE)


def own_draws() -> None:
    """Two data that are the same are drawn, and measured, each by itself."""
    model, x = _made(), torch.ones(2, 8)
    one, other = bounds.log_weights(model, x, torch.randn(1, 2, 2))[0]
    assert float((one - other).detach().abs()) > 1e-3
    one, other = bounds.log_likelihood(model, x, 1)
    assert float((one - other).abs()) > 1e-3


def importance_sampling() -> None:
    model, x = _made(), torch.rand(3, 8).round()
    model.posterior.levels[0].logvar.listener = lambda logvar: 0 * logvar + 0.5  # wide: no weight is large
    found = bounds.log_likelihood(model, x, 10_000, torch.Generator().manual_seed(0))
    assert_close(found, _exact(model, x).detach(), rtol=0, atol=0.03)
    log_w = bounds.log_weights(model, x, torch.randn(10_000, 3, 2))
    assert_close(bounds.importance_weighted(log_w), _exact(model, x), rtol=0, atol=0.03)


def samples_asked_for() -> None:
    model, drawn = _made(), list[int]()
    model.posterior.z.listener = lambda z: (drawn.append(len(z)), z)[1]
    bounds.log_likelihood(model, torch.ones(3, 8), 10, rows=9)
    assert sum(drawn) == 10


def both_gradients() -> None:
    """E[∇] by the encoder of both gradients, the expectation over two draws on a grid."""
    model, points = _made((1,)), torch.linspace(-6, 6, 61)
    eps = torch.cartesian_prod(points, points).T[..., None]
    share = distributions.Normal(0.0, 1.0).log_prob(eps).sum((0, 2)).softmax(0)
    x = torch.tensor([[1.0, 0, 0, 1, 1, 0, 1, 0]]).expand(eps.shape[1], 8)
    held = [
        bounds.importance_weighted(bounds.log_weights(model, x, eps)),
        bounds.doubly_reparameterized(model, x, eps),
    ]
    one, other = (torch.autograd.grad((share * bound).sum(), model.phi()) for bound in held)
    assert_close(one, other, rtol=1e-3, atol=1e-4)


def levels_sum_to_one() -> None:
    values = torch.linspace(0, 1, 8)[:, None]
    total = Logistic((), 8).log_prob(values, torch.full((8, 1), 0.8)).exp().sum()
    assert_close(total, torch.ones(()), **CLOSE)


def hierarchy_along_z() -> None:
    model, x = _made((2, 3)), torch.rand(4, 8)
    z, q = model.posterior.draw(model.features(x), torch.randn(5, 4, 5))
    assert_close(model.posterior(model.features(x), z), q, **CLOSE)
    other = torch.cat([z[..., :2] + 1.0, z[..., 2:]], -1)
    assert not torch.allclose(model.posterior(model.features(x), other).mu[..., 2:], q.mu[..., 2:])


def vamp_is_a_mixture() -> None:
    model, z = _made(prior="vamp"), torch.randn(20, 2)
    mu, logvar = model.read(model.prior.top.inputs)  # pyright: ignore
    parts = distributions.Independent(distributions.Normal(mu, (logvar / 2).exp()), 1)
    mixture = distributions.MixtureSameFamily(distributions.Categorical(torch.ones(len(mu))), parts)
    assert_close(model.prior.log_prob(z, model.read), mixture.log_prob(z), **CLOSE)


def binarised_anew() -> None:
    chances = torch.full((300, 300), 100 / 255)
    one, other = binarized(chances, (0, 1)), binarized(chances, (0, 2))
    assert torch.equal(one, binarized(chances, (0, 1)))
    assert not torch.equal(one, other)
    assert abs(one.mean() - 100 / 255) < 0.01


LATENT_REFERENCES: dict[str, Callable[[], None]] = {
    "KL of two normal laws = its draws' mean": kl_closed_is_sampled,
    "draws have the moments told": moments_of_draws,
    "ELBO = torch.distributions'": bound_is_torchs,
    "equal data have draws of their own": own_draws,
    "importance sampling = the sum over all z": importance_sampling,
    "as many samples as asked for": samples_asked_for,
    "both gradients of the importance-weighted bound have one mean": both_gradients,
    "probabilities of all levels sum to 1": levels_sum_to_one,
    "a level is drawn given those above": hierarchy_along_z,
    "VampPrior = torch's mixture": vamp_is_a_mixture,
    "binarised anew at each step, and the same again": binarised_anew,
}
"""Each by what it says."""
