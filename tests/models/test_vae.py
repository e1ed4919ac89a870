"""The variational autoencoder in every make: shapes, batch and single, labels, taps, hierarchy, VampPrior."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, distributions
from torch.testing import assert_close

from qkvae.config import VAE as Settings
from qkvae.inspect.taps import record
from qkvae.losses.bounds import log_weights, terms
from qkvae.models.vae import VAE
from torch_twins import shake

MAKES: list[dict[str, Any]] = [
    {},
    {"widths": ()},
    {"widths": (16, 8), "activation": "tanh"},
    {"shape": (11,), "likelihood": "gaussian", "noise": "each"},
    {"latents": (3, 2), "activation": "gelu"},
    {"latents": (2, 3, 2), "net": "convolutional", "widths": (4, 6)},
    {"prior": "vamp", "components": 7},
    {"prior": "vamp", "components": 7, "latents": (4, 3), "net": "convolutional", "widths": (4, 4, 4)},
    {"net": "convolutional", "widths": (4, 6), "shape": (3, 5, 8), "classes": 4},
    {"likelihood": "logistic", "noise": "each", "levels": 4, "activation": "silu"},
    {"likelihood": "categorical", "levels": 4, "net": "convolutional", "widths": (4,)},
    {"classes": 4, "latents": (2, 2)},
    {"net": "transformer", "widths": (8, 8), "shape": (3, 4, 8), "classes": 4},
    {"net": "transformer", "widths": (8,), "likelihood": "categorical", "levels": 4, "shape": (1, 4, 4)},
    {"net": "transformer", "widths": (8,), "prior": "vamp", "components": 3, "shape": (2, 8)},
    {"shape": (7,), "likelihood": "mixed", "categories": (3, 2)},
]


def made(**parts: Any) -> VAE:
    torch.manual_seed(1)
    model = VAE(Settings(**{"shape": (1, 7, 6), "latents": (5,), "widths": (12,), **parts}))
    shake(model)
    with torch.no_grad():
        for p in model.parameters():
            if not bool(p.any()):  # what begins at zero
                p.normal_(std=0.1)
    return model.eval()


def data(model: VAE, count: int = 5) -> tuple[Tensor, Tensor | None]:
    x = torch.randint(4, (count, *model.settings.shape)) / 3
    return x, torch.randint(4, (count,)) if model.settings.classes else None


def name(make: dict[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in make.items()) or "default"


@pytest.mark.parametrize("make", MAKES, ids=name)
def test_a_batch_is_each_alone_and_draws_stand_in_front(make: dict[str, Any]) -> None:
    model = made(**make)
    x, labels = data(model)
    eps = torch.randn(3, 5, model.settings.latent)
    told, found, weights = (f(model, x, eps, labels) for f in (VAE.forward, terms, log_weights))
    outputs = (model.likelihood.outputs,) if model.likelihood.outputs > 1 else ()
    assert told.shape == (3, 5, *model.settings.shape, *outputs)
    assert weights.shape == (3, 5)
    for row in range(5):
        here = (x[row : row + 1], eps[:, row : row + 1], None if labels is None else labels[row : row + 1])
        assert_close(model(*here)[:, 0], told[:, row], rtol=1e-5, atol=1e-5)
        assert_close(log_weights(model, *here)[:, 0], weights[:, row], rtol=1e-5, atol=1e-4)
        assert_close(terms(model, *here).kl[0], found.kl[row], rtol=1e-5, atol=1e-4)
    one_by_one = torch.stack([model(x, each, labels) for each in eps])
    assert_close(one_by_one, told, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("make", MAKES, ids=name)
def test_every_weight_learns(make: dict[str, Any]) -> None:
    model = made(**make)
    x, labels = data(model)
    model.likelihood.check(x)
    (-terms(model, x, torch.randn(2, 5, model.settings.latent), labels).elbo.sum()).backward()
    idle = [n for n, p in model.named_parameters() if p.numel() and (p.grad is None or not p.grad.any())]
    assert idle == []


@pytest.mark.parametrize("make", MAKES, ids=name)
def test_samples_are_a_function_of_the_generator(make: dict[str, Any]) -> None:
    model = made(**make)
    _, labels = data(model)
    one, again, other = (model.sample(5, torch.Generator().manual_seed(seed), labels) for seed in (3, 3, 4))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)
    assert one.shape == (5, *model.settings.shape)


def test_without_noise_the_mean_is_told() -> None:
    model = made()
    x, _ = data(model)
    mu = model.posterior(model.features(x), torch.zeros(5, 5)).mu
    assert_close(model(x), model.decode(mu))
    assert_close(model(x, torch.zeros(5, 5)), model.decode(mu))


def test_mu_logvar_and_z_can_be_heard_and_changed() -> None:
    model = made(latents=(3, 2))
    x, eps = data(model)[0], torch.randn(5, 5)
    with record(model, ["posterior.*", "told"]) as heard:
        told = model(x, eps)
    levels = [f"posterior.levels.{level}.{what}" for level in (0, 1) for what in ("mu", "logvar")]
    assert set(heard) == {*levels, "posterior.z", "told"}
    z = [
        heard[f"{level}mu"] + (heard[f"{level}logvar"] / 2).exp() * part
        for level, part in (("posterior.levels.0.", eps[:, :3]), ("posterior.levels.1.", eps[:, 3:]))
    ]
    assert_close(heard["posterior.z"], torch.cat(z, -1))
    assert_close(heard["told"], told)
    model.posterior.levels[0].mu.listener = torch.zeros_like
    assert not torch.allclose(model(x, eps), told)


def test_a_hierarchy_is_drawn_from_the_densities_it_tells() -> None:
    """The posterior along z and the prior of z, against torch.distributions level by level."""
    model = made(latents=(3, 2))
    x = data(model)[0]
    z, q = model.posterior.draw(model.features(x), torch.randn(4, 5, 5))
    again = model.posterior(model.features(x), z)
    assert_close(again, q)
    below = model.prior.levels[0](z[..., :3])
    normal = distributions.Normal
    expected = normal(0.0, 1.0).log_prob(z[..., :3]).sum(-1)
    expected = expected + normal(below.mu, (below.logvar / 2).exp()).log_prob(z[..., 3:]).sum(-1)
    assert_close(model.prior.log_prob(z, model.read), expected, rtol=1e-5, atol=1e-5)
    drawn = model.prior.draw(torch.randn(50_000, 5), model.read)
    assert_close(drawn[:, :3].var(0), torch.ones(3), rtol=0, atol=0.05)
    off = (drawn[:, 3:] - model.prior.levels[0](drawn[:, :3]).mu).mean(0)
    assert_close(off, torch.zeros(2), rtol=0, atol=0.05)


def test_the_vamp_prior_is_torchs_mixture() -> None:
    model = made(prior="vamp", components=7)
    with torch.no_grad():
        model.posterior.levels[0].output.bias[5:] -= 9  # σ of 0.01: large numbers are subtracted
    mu, logvar = model.read(model.prior.top.inputs)
    parts = distributions.Independent(distributions.Normal(mu.double(), (logvar.double() / 2).exp()), 1)
    mixture = distributions.MixtureSameFamily(distributions.Categorical(torch.ones(7)), parts)
    z = model.prior.draw(torch.randn(40, 5), model.read, torch.Generator().manual_seed(0))
    assert_close(
        model.prior.log_prob(z, model.read).double(), mixture.log_prob(z.double()), rtol=1e-5, atol=1e-4
    )


def test_a_vamp_prior_of_one_datum_is_its_posterior() -> None:
    model = made(prior="vamp", components=1)
    x = data(model, 1)[0]
    model.prior.top.begin(x)
    found = terms(model, x, torch.randn(6, 1, 5))
    assert_close(found.kl, torch.zeros(1, 1), rtol=0, atol=1e-4)


def test_a_label_matters_and_must_be_told() -> None:
    model = made(classes=4)
    x, _ = data(model)
    one, other = (model(x, None, torch.full((5,), label)) for label in (0, 3))
    assert not torch.allclose(one, other)
    with pytest.raises(ValueError, match="no labels are told, but this model was made with classes 4"):
        model(x)
    with pytest.raises(ValueError, match="labels are told, but this model was made with classes 0"):
        made()(x, None, torch.zeros(5, dtype=torch.long))


def test_in_bf16_the_latents_stay_exact() -> None:
    model = made().to(torch.bfloat16)
    x, _ = data(model)
    z, q = model.posterior.draw(model.features(x), torch.zeros(1, 5, 5))
    assert {z.dtype, q.mu.dtype, q.logvar.dtype} == {torch.float32}
    assert terms(model, x, torch.zeros(1, 5, 5)).elbo.dtype == torch.float32


def test_settings_without_effect_or_sense_are_refused() -> None:
    for wrong, why in (
        ({"noise": "each"}, "noise is each, but no likelihood is given"),
        ({"noise": "each", "likelihood": "bernoulli"}, "no effect with likelihood bernoulli"),
        ({"levels": 4, "likelihood": "bernoulli"}, "no effect with likelihood bernoulli"),
        ({"likelihood": "mixed", "prior": "vamp"}, "rows of a table are read by a dense net"),
        ({"components": 4}, "no effect with prior standard"),
        ({"latents": ()}, "latents is empty"),
        ({"latents": (4, 0)}, "latents holds 0"),
        ({"net": "convolutional", "shape": (7,)}, "but the data have 1 axes"),
        ({"net": "convolutional", "widths": ()}, "halves at least once"),
        ({"net": "transformer", "widths": ()}, "a Transformer has one width"),
        ({"net": "transformer", "widths": (8, 16)}, "widths is .8, 16., but a Transformer has one width"),
        ({"net": "transformer", "shape": (7,)}, "the data have 1 axis: choose dense"),
        ({"net": "transformer", "shape": (1, 29, 28)}, "29 × 28, but no multiple"),
        ({"net": "transformer", "activation": "tanh"}, "tanh"),
        ({"prior": "vamp", "classes": 2}, "pseudo-inputs are of no class"),
    ):
        with pytest.raises(ValueError, match=why):
            Settings(**wrong)
    with pytest.raises(ValueError, match="shape is empty"):
        VAE(Settings())


def test_every_fresh_model_tells_about_ln_2_a_pixel() -> None:
    model = VAE(Settings(shape=(1, 28, 28)))
    x = torch.rand(8, 1, 28, 28).round()
    found = terms(model, x, torch.randn(1, 8, 20))
    assert float(found.log_likelihood.mean().detach()) == pytest.approx(-784 * math.log(2), rel=0.1)
