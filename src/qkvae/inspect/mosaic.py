"""Many pictures as one: side by side, or where they lie in a plane; as a PNG, or inside a page."""

from __future__ import annotations

import base64
import io
import math
from typing import cast

import numpy as np
import torch
from jaxtyping import Float
from markupsafe import Markup, escape
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

_SMALLEST = 56  # pixels along a side that a picture has at least
_ON_MAP = 28
_GAP = 2  # pixels between pictures

Canvas = NDArray[np.uint8]
"""Red, green and blue of every pixel: [height, width, 3]."""


def grid(pictures: Float[Tensor, "count channels height width"], columns: int | None = None) -> Canvas:
    """Pictures in rows of so many, a square if not given; small ones are enlarged.

    One channel is shown as grey, three as red, green and blue; of two the first, of more the first three.

    >>> grid(torch.zeros(4, 1, 28, 28)).shape
    (114, 114, 3)
    """
    tiles = _tiles(pictures, _SMALLEST)
    columns = columns or math.ceil(math.sqrt(len(tiles)))
    rows, (height, width) = math.ceil(len(tiles) / columns), tiles.shape[1:3]
    canvas = np.full((rows * (height + _GAP) - _GAP, columns * (width + _GAP) - _GAP, 3), 255, np.uint8)
    for place, tile in enumerate(tiles):
        y, x = (place // columns) * (height + _GAP), (place % columns) * (width + _GAP)
        canvas[y : y + height, x : x + width] = tile
    return canvas


def scattered(
    pictures: Float[Tensor, "count channels height width"], places: Float[Tensor, "count 2"], side: int = 840
) -> Canvas:
    """Pictures where they lie in a plane, the later ones on top.

    >>> scattered(torch.zeros(3, 1, 8, 8), torch.rand(3, 2), side=100).shape
    (100, 100, 3)
    """
    tiles = _tiles(pictures, _ON_MAP)
    height, width = tiles.shape[1:3]
    low, high = places.amin(0), places.amax(0)
    at = (places - low) / (high - low).clamp_min(1e-9)
    canvas = np.full((side, side, 3), 255, np.uint8)
    for tile, (across, up) in zip(tiles, cast("list[list[float]]", at.tolist()), strict=True):
        x, y = round(across * (side - width)), round((1 - up) * (side - height))
        canvas[y : y + height, x : x + width] = tile
    return canvas


def png(canvas: Canvas) -> bytes:
    r"""The bytes of a PNG file.

    >>> png(np.zeros((2, 2, 3), np.uint8))[:4]
    b'\x89PNG'
    """
    stream = io.BytesIO()
    Image.fromarray(canvas).save(stream, "PNG", optimize=True)
    return stream.getvalue()


def as_image(canvas: Canvas, title: str) -> Markup:
    """An image element with its content inside, and its title for those who cannot see it."""
    content, (height, width) = base64.b64encode(png(canvas)).decode(), canvas.shape[:2]
    return Markup(
        f'<img class="mosaic" alt="{escape(title)}" width="{width}" height="{height}" '
        f'src="data:image/png;base64,{content}">'
    )


def _tiles(pictures: Tensor, smallest: int) -> NDArray[np.uint8]:
    """[count, height, width, 3], the longer side at least so long."""
    pictures = pictures[:, :3] if pictures.shape[1] >= 3 else pictures[:, :1]
    shown = (pictures.detach().float().cpu().clamp(0, 1) * 255).round().to(torch.uint8)
    shown = shown.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
    factor = max(1, math.ceil(smallest / max(shown.shape[1:3])))
    return shown.repeat_interleave(factor, 1).repeat_interleave(factor, 2).numpy()
