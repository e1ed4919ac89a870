"""Pictures, signals and clips as small images that stand inside a page, and maps laid over them."""

from __future__ import annotations

import base64
import io
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

Canvas = NDArray[np.uint8]
"""Red, green and blue of every pixel: [height, width, 3]."""

_MOST = 320  # pixels along a side: a thumbnail needs no more
_HEIGHT = 96  # of a signal's drawing
_GAP = 2  # pixels between the frames of a clip
_PAPER = 255  # of gaps
_HEAT = np.array([[13, 8, 135], [126, 3, 168], [204, 71, 120], [248, 149, 64], [240, 249, 33]], np.float64)
"""Colours from little to much, seen in the right order by the colour-blind too (plasma; Smith and van der
Walt, 2015)."""


def canvas(shares: Tensor) -> Canvas:
    """A picture as it is, a signal as lines, the frames of a clip side by side.

    Args:
        shares: parts of white, float32[channels, *size]; of a signal any numbers.

    >>> import torch
    >>> canvas(torch.zeros(1, 8, 6)).shape, canvas(torch.zeros(3, 4, 8, 6)).shape
    ((8, 6, 3), (8, 30, 3))
    """
    values = shares.detach().float().cpu().numpy()
    match values.ndim:
        case 2:
            return _lines(values)
        case 3:
            return _coloured(values)
        case _:
            return side_by_side([_coloured(frame) for frame in values.swapaxes(0, 1)])


def side_by_side(drawings: list[Canvas]) -> Canvas:
    """Drawings of one height, with gaps between them."""
    gap = np.full((len(drawings[0]), _GAP, 3), _PAPER, np.uint8)
    return np.concatenate([part for each in drawings for part in (gap, each)][1:], 1)


def heated(drawing: Canvas, found: Tensor, size: Sequence[int], strength: float = 0.6) -> Canvas:
    """A drawing of `canvas` with a map laid over it, a number for each patch: blue is little, yellow much.

    The smallest number of the map is where the colours begin, and the largest where they end.

    Args:
        size: of what was drawn: length; height and width; or frames, height and width.

    >>> import torch
    >>> heated(canvas(torch.zeros(1, 8, 6)), torch.eye(2), (8, 6)).shape
    (8, 6, 3)
    """
    numbers = found.detach().double().cpu().numpy()
    low, high = float(numbers.min()), float(numbers.max())
    numbers = (numbers - low) / (high - low) if high > low else np.zeros_like(numbers)
    if len(size) < 3:
        return _laid(drawing, np.atleast_2d(numbers), strength)
    # one map for the frames of each patch; a clip's drawing has its frames side by side
    frames, _, wide = size
    made = drawing.copy()
    for frame in range(frames):
        left = frame * (wide + _GAP)
        part = numbers[frame * len(numbers) // frames]
        made[:, left : left + wide] = _laid(drawing[:, left : left + wide], part, strength)
    return made


def enlarged(drawing: Canvas, side: int) -> Canvas:
    """Every pixel as a square of so many that the shorter side has ``side`` pixels, about; never smaller.

    >>> enlarged(np.zeros((8, 8, 3), np.uint8), 224).shape
    (224, 224, 3)
    """
    times = max(1, round(side / min(drawing.shape[:2])))
    return drawing.repeat(times, 0).repeat(times, 1)


def inline(drawing: Canvas, title: str) -> Markup:
    """An image element with its content inside."""
    small = Image.fromarray(drawing)
    fine = max(small.size) <= _MOST
    if not fine:
        small.thumbnail((_MOST, _MOST) if small.width < 3 * small.height else (4 * _MOST, _MOST))
    held, label = base64.b64encode(png(np.asarray(small))).decode(), escape(title)
    kind = "grid fine" if fine and min(small.size) < 128 else "grid"
    return Markup(f'<img class="{kind}" src="data:image/png;base64,{held}" alt="{label}" title="{label}">')


def png(drawing: Canvas) -> bytes:
    """The bytes of a PNG file."""
    held = io.BytesIO()
    Image.fromarray(drawing).save(held, "PNG", optimize=True)
    return held.getvalue()


def _coloured(values: NDArray[Any]) -> Canvas:
    """Of one or three channels as they are; of any other number the first as grey."""
    shown = values if len(values) == 3 else values[:1].repeat(3, 0)
    return np.ascontiguousarray((shown.clip(0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0))


def _lines(values: NDArray[Any]) -> Canvas:
    """Each channel of a signal as a line, on a scale of their own."""
    length = values.shape[1]
    width = max(2 * length, 160) if length <= 2 * _MOST else 4 * _MOST
    low, high = float(values.min()), float(values.max())
    image = Image.new("RGB", (width, _HEIGHT), "white")
    draw = ImageDraw.Draw(image)
    colours = ("#0067a8", "#c44e00", "#2e7d32", "#7b1fa2")
    for values_of, colour in zip(values, itertools.cycle(colours), strict=False):
        ups = _HEIGHT - 7 - (values_of - low) / ((high - low) or 1) * (_HEIGHT - 14)
        across = (np.arange(length, dtype=np.float64) + 0.5) * width / length
        draw.line(list(zip(across.tolist(), ups.tolist(), strict=True)), fill=colour, width=2)
    return np.asarray(image)


def _laid(drawing: Canvas, numbers: NDArray[np.float64], strength: float) -> Canvas:
    """Colours of the numbers, each over its patch, blended with the drawing's own light."""
    height, width = drawing.shape[:2]
    rows = np.arange(height, dtype=np.int64) * len(numbers) // height
    columns = np.arange(width, dtype=np.int64) * numbers.shape[1] // width
    place = numbers[rows][:, columns] * (len(_HEAT) - 1)
    below = np.minimum(place.astype(np.int64), len(_HEAT) - 2)
    part = (place - below)[..., None]
    heat = _HEAT[below] * (1 - part) + _HEAT[below + 1] * part
    grey = drawing.mean(-1, keepdims=True)
    return ((1 - strength) * grey + strength * heat).round().astype(np.uint8)
