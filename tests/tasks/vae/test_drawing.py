"""Which latents are shown."""

from __future__ import annotations

import torch

from qkvae.config import VAE as Settings
from qkvae.models import VAE
from qkvae.tasks.vae.drawing import telling
from qkvae.tasks.vae.measure import posterior_means


def test_under_a_vamp_prior_one_datum_has_telling_latents_too() -> None:
    torch.manual_seed(0)
    model = VAE(Settings(shape=(12,), latents=(6,), widths=(8,), prior="vamp", components=3))
    x = torch.rand(5, 12)
    means = posterior_means(model, x, None)
    assert telling(model, x, None, 3) == means.var(0).argsort(descending=True)[:3].tolist()
    assert telling(model, x[:1], None, 3) == means[0].abs().argsort(descending=True)[:3].tolist()
