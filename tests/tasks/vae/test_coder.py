"""What a run's coder reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from qkvae.config import VAE as Settings
from qkvae.config import Vae
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures
from qkvae.models import VAE
from qkvae.tasks.vae.coder import Coder
from qkvae.tasks.vae.forms import PictureForm


def test_runs_of_any_seed_are_judged_on_the_same_draws() -> None:
    some = Pictures(np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4), np.uint8))
    form = PictureForm(PictureFormat.of(some))
    settings = Settings(shape=form.shape, latents=(2,), widths=(4,))
    config = Vae(model=settings)
    other = replace(config, training=replace(config.training, seed=7))
    one, two = (Coder(VAE(settings), form, None, each).numbers(some) for each in (config, other))
    assert set(one.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(one, two)
