"""What a run's coder reads."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
import torch

from qkvae.config import VAE as Settings
from qkvae.config import Inference, Telling, Vae
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures
from qkvae.models import VAE
from qkvae.tasks.vae.coder import Coder
from qkvae.tasks.vae.evaluate import compare, figures
from qkvae.tasks.vae.forms import PictureForm


def coder(some: Pictures, binarize: Literal["dynamic", "none"] = "dynamic", **parts: Any) -> Coder:
    form = PictureForm(PictureFormat.of(some))
    settings = Settings(shape=form.shape, latents=(2,), widths=(4,), **parts)
    config = Vae(model=settings, learning=Inference(binarize=binarize), generation=Telling(samples=2))
    return Coder(VAE(settings), form, None, config)


def some_pictures(count: int = 6) -> Pictures:
    return Pictures(np.random.default_rng(0).integers(0, 256, (count, 1, 4, 4), np.uint8))


def test_nats_of_different_things_are_not_compared() -> None:
    some = some_pictures()
    drawn, told = coder(some), coder(some, "none")
    normal, levels = coder(some, likelihood="gaussian"), coder(some, likelihood="logistic", levels=256)
    for first, second, words in (
        (drawn, told, "tells 0 or 1, drawn, the other chances"),
        (normal, levels, "tells densities of numbers, the other 256 levels"),
    ):
        with pytest.raises(ValueError, match=words):
            compare(first, second, some)
    assert compare(normal, coder(some, likelihood="gaussian"), some, 10)["verdict"]


def test_a_single_datum_is_measured_without_an_error_of_its_mean() -> None:
    one = some_pictures(1)
    found = figures(coder(one), one, 2)
    assert "nll_error" not in found
    assert found["active_units"] == 0
    assert "NaN" not in json.dumps(found)


def test_bits_are_told_of_chances_and_levels_not_of_densities() -> None:
    some = some_pictures()
    assert "bits_per_dim" in figures(coder(some), some, 2)
    assert "bits_per_dim" not in figures(coder(some, likelihood="gaussian"), some, 2)


def test_runs_of_any_seed_are_judged_on_the_same_draws() -> None:
    some = Pictures(np.random.default_rng(0).integers(0, 256, (6, 1, 4, 4), np.uint8))
    form = PictureForm(PictureFormat.of(some))
    settings = Settings(shape=form.shape, latents=(2,), widths=(4,))
    config = Vae(model=settings)
    other = replace(config, training=replace(config.training, seed=7))
    one, two = (Coder(VAE(settings), form, None, each).numbers(some) for each in (config, other))
    assert set(one.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(one, two)
