"""Small models of grids, with nothing in them that is zero or one by chance."""

from __future__ import annotations

from typing import Any

from small_families import shaken, small_block

from qkvae import config
from qkvae.models import MaskedImage, Vision, build

PATCHES = {
    1: config.Patches(size=(12,), channels=2, patch=(2,)),
    2: config.Patches(size=(6, 8), channels=3, patch=(2,)),
    3: config.Patches(size=(4, 4, 6), channels=1, patch=(2, 2, 3)),
}
"""A signal of 6 patches, a picture of 3 × 4, a video of 2 × 2 × 2."""


def small_vision(
    axes: int = 2,
    head: Any = None,
    leading: int = 1,
    depth: int = 2,
    embedding: Any = "linear",
    conv_size: int = 0,
    **parts: Any,
) -> Vision:
    given = PATCHES[axes]
    settings = config.Vision(
        block=small_block(**{"positions": "learned", **parts}),
        depth=depth,
        patches=config.Patches(
            size=given.size, channels=given.channels, patch=given.patch, embedding=embedding
        ),
        head=head or config.LinearClasses(count=3),
        leading=leading,
        stochastic_depth=0.1,
        conv_size=conv_size,
    )
    return shaken(build(settings))


def small_masked(axes: int = 2, leading: int = 1, target: Any = "normalised", **parts: Any) -> MaskedImage:
    block = small_block(**{"positions": "learned", **parts})
    decoder = small_block(**{"positions": "sinusoidal", **parts, "dim": 12, "heads": 2, "key_heads": None})
    settings = config.MaskedImage(
        block=block,
        decoder_block=decoder,
        depth=2,
        decoder_depth=1,
        patches=PATCHES[axes],
        leading=leading,
        target=target,
    )
    return shaken(build(settings))
