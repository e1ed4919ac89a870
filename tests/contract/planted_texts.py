"""Faults of text VAEs, each planted by replacing one part."""

from __future__ import annotations

from typing import Any

from planted import Fault, plant
from torch import Tensor

from qkvae import config
from qkvae.models.text_vae import TextVAE
from qkvae.nn.masks import Mask


def unmasked(original: Any, self: Any, x: Tensor, z: Tensor) -> Tensor:
    self.mask, causal = Mask(), self.mask
    try:
        return original(self, x, z)
    finally:
        self.mask = causal


def padding_is_text(original: Any, self: Any, x: Tensor, *others: Any) -> Tensor:
    return original(self, x.clamp_min(self.settings.marks.pad), *others)


def hidden_in_use(original: Any, self: Any, shown: Tensor) -> Tensor:
    self.training = True
    try:
        return original(self, shown)
    finally:
        self.training = False


def fault(name: str, planted: Any, caught_by: str) -> Fault:
    return Fault(name, planted, caught_by, family=config.TextVAE)


TEXT_LATENT_FAULTS = [
    fault(
        "a text VAE's decoder sees what it is to write",
        plant(TextVAE, "written", unmasked),
        "no look-ahead but through z",
    ),
    fault(
        "padding counted in the mean of a text",
        plant(TextVAE, "features", padding_is_text),
        "texts' padding changes nothing",
    ),
    fault(
        "padding told as if it were text",
        plant(TextVAE, "log_likelihood", padding_is_text),
        "texts' padding changes nothing",
    ),
    fault("words hidden in use", plant(TextVAE, "_hidden", hidden_in_use), "nothing is random in use"),
]
