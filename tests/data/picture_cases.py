"""Pictures for tests: drawn, written in any way, and broken in any way."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def drawn(seed: int, height: int = 12, width: int = 16, mode: str = "RGB") -> Image.Image:
    """A picture of random colours, the same for the same seed."""
    rng = np.random.default_rng(seed)
    colours = Image.fromarray(rng.integers(0, 256, (height, width, 3), np.uint8))
    return colours if mode == "RGB" else colours.convert(mode)


def written(image: Image.Image, form: str = "PNG", **options: Any) -> bytes:
    """The bytes of its file."""
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def filed(folder: Path, files: dict[str, bytes]) -> Path:
    """A folder with these files."""
    for name, raw in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    return folder


def classes(folder: Path, count: int = 6, **options: Any) -> Path:
    """A folder per class with ``count`` pictures each."""
    pictures = {
        f"{label}/{n:02d}.png": written(drawn(n + 100 * (label == "dog"), **options))
        for label in ("cat", "dog")
        for n in range(count)
    }
    return filed(folder, pictures)
