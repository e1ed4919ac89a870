"""Pictures whose codes are learned in a second, and settings of small models of codes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from qkvae.config import VQ, CodeLearning, PictureData, Saving, Training, VqVae

STEPS = 24


def bars(folder: Path, count: int = 140) -> str:
    """Bars of 8 × 8 in an .npz, at seven places, with the place as label."""
    values = np.zeros((count, 8, 8), np.uint8)
    for row in range(count):
        values[row, :, row % 7 : row % 7 + 2] = 255 - row // 7
    path = folder / "bars.npz"
    np.savez(path, images=values, labels=np.arange(count) % 7)
    return str(path)


def training(**parts: Any) -> dict[str, Any]:
    """The loop, by name."""
    told = {"steps": STEPS, "batch_tokens": 20, "validations": 4, "device": "cpu", "precision": "fp32"}
    return told | parts


def of_codes(path: str, codes: int = 16, binarize: Any = "dynamic", **parts: Any) -> VqVae:
    """A small VQ-VAE of these pictures."""
    return VqVae(
        data=PictureData(paths=(path,)),
        learning=CodeLearning(binarize=binarize),
        model=VQ(codes=codes, dim=8, widths=(8, 8), keep=0.9),
        training=Training(**training(average="none", **parts)),
        saving=Saving(save_every=1e-6),
    )


def of_prior(path: str, condition: str = "label", **parts: Any) -> dict[str, Any]:
    """The settings of a small prior of their codes."""
    return {
        "data": {"paths": [path], "condition": condition},
        "model": {"block": {"dim": 32, "heads": 2, "hidden": 64}, "depth": 1},
        "training": training(**parts),
        "saving": {"save_every": 1e-6},
    }
