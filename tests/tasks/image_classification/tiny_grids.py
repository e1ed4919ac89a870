"""Pictures that a tiny model tells apart in seconds: bright above or below, left or right."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from qkvae.config import Augmentation, Block, LinearClasses, Optimizer, Patches, Training, Vision

CLASSES = ("above", "below")
TINY = [
    *("--model.dim", "16", "--model.heads", "2", "--model.hidden", "32", "--model.depth", "1"),
    *("--model.patch", "4", "--batch-tokens", "64", "--validations", "2", "--valid-fraction", "0.2"),
    *("--device", "cpu", "--precision", "fp32"),
]


def pictures(count: int, seed: int = 0) -> tuple[NDArray[np.uint8], list[str]]:
    """Grey noise of 8 × 8, brighter above or below."""
    draw = np.random.default_rng(seed)
    values = draw.integers(0, 90, (count, 8, 8), dtype=np.uint8)
    which = draw.integers(0, 2, count)
    for row, half in zip(values, which, strict=True):
        row[4 * half : 4 * half + 4] += 120
    return values, [CLASSES[half] for half in which]


def write_folder(folder: Path, count: int = 80, seed: int = 0) -> Path:
    """The same as one folder per class."""
    for number, (values, label) in enumerate(zip(*pictures(count, seed), strict=True)):
        (folder / label).mkdir(parents=True, exist_ok=True)
        Image.fromarray(values).save(folder / label / f"{number:03}.png")
    return folder


def tiny(steps: int) -> dict[str, object]:
    """Settings with which a training takes a second."""
    block = Block(dim=16, heads=2, hidden=32, activation="gelu", positions="learned", dropout=0.1)
    return {
        "augmentation": Augmentation(crop=1),
        "model": Vision(
            block=block,
            depth=2,
            patches=Patches(patch=(), embedding="deep-stem"),
            head=LinearClasses(pooling="mean"),
            stochastic_depth=0.2,
            conv_size=3,
        ),
        "optimizer": Optimizer(lr=1e-2),
        "training": Training(steps=steps, batch_tokens=256, validations=2, device="cpu", precision="fp32"),
    }
