"""Pictures and rows that a variational autoencoder learns from in a second."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from qkvae.config import VAE, Block, Inference, LatentData, Saving, TextVAE, Training, Vae

STEPS = 12


def pictures(folder: Path, count: int = 60) -> str:
    """Bars of 8 × 8 in an .npz, with a label each."""
    draw = np.random.default_rng(0)
    values = np.zeros((count, 8, 8), np.uint8)
    for place in range(count):
        values[place, :, place % 7 : place % 7 + 2] = draw.integers(200, 256, (8, 2))
    path = folder / "bars.npz"
    np.savez(path, images=values, labels=np.arange(count) % 7)
    return str(path)


def table(folder: Path, name: str = "readings.csv", rows: int = 120) -> str:
    """Numbers that go together, a town, a constant, a few gaps, and a label to be ignored."""
    draw = random.Random(0)
    lines = ["age,town,unit,height,class"]
    for row in range(rows):
        age, town = draw.gauss(40, 10), draw.choice(["Turin", "Pisa", ""])
        height = "" if row % 10 == 3 else f"{2 * age + draw.gauss(0, 1):.2f}"
        lines.append(f"{age:.2f},{town},m,{height},{row % 2}")
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def texts(folder: Path, name: str = "captions.txt", count: int = 90) -> str:
    """Short sentences, one a line, a few of them long."""
    draw = random.Random(0)
    lines: list[str] = []
    for number in range(count):
        who, does = draw.choice(["a man", "two dogs", "the girl"]), draw.choice(["runs", "sits", "plays"])
        lines.append(f"{who} {does} near {draw.choice(['water', 'a tree'])} at {number}.")
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


def save_png(folder: Path, name: str, side: int = 8) -> str:
    """One picture."""
    path = folder / name
    Image.fromarray((np.arange(side * side) % 2 * 255).astype(np.uint8).reshape(side, side)).save(path)
    return str(path)


def config(path: str, model: Any = None, learning: Any = None, data: Any = None, **training: Any) -> Vae:
    """A small model of these data; those called .txt are texts."""
    block = Block(dim=16, heads=2, hidden=24, dropout=0.1)
    told = {"steps": STEPS, "batch_tokens": 20, "validations": 2, "device": "cpu", "precision": "fp32"}
    return Vae(
        data=LatentData(paths=(path,), **(data or {})),
        model=TextVAE(
            **({"block": block, "encoder_depth": 1, "decoder_depth": 1, "max_length": 24} | (model or {}))
        )
        if path.endswith(".txt")
        else VAE(**({"latents": (3,), "widths": (16,)} | (model or {}))),
        learning=learning or Inference(),
        training=Training(**(told | training)),
        saving=Saving(save_every=1e-6),
    )
