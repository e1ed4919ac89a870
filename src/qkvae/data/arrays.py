"""Arrays of any kind as grids: [count, channels, *size], bytes where they are bytes, else float32."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae.config.names import many
from qkvae.data.pairs import Tally
from qkvae.data.pictures import NOUNS

_FEW = 4
_WHOLE = "biu"  # numpy's letters for truth values, whole numbers, and those without a sign
_EXACT = 2**24  # whole numbers up to here are float32 exactly


def as_grids(
    array: NDArray[Any], axes: int, name: str, tally: Tally, size: tuple[int, ...] | None = None
) -> tuple[NDArray[Any], float]:
    """An array as [count, channels, *size], and the value that is white.

    Args:
        array: [count, *size], [count, *size, channels], or, where `_is_first` says so, [count, channels,
            *size]; of pictures also [count, height · width].
        axes: of a grid: 1 for signals, 2 for pictures, 3 for videos.
        name: what messages call it.
        tally: how the axes and numbers were taken is noted here.
        size: height and width of flat pictures; a square if not given.

    Raises:
        ValueError: an array with another number of axes, without numbers, with infinite or missing ones, or
            with ones that float32 cannot hold.

    >>> values, white = as_grids(np.full((5, 28, 28, 3), 9, np.uint8), 2, "some.npz", Tally())
    >>> values.shape, white
    ((5, 3, 28, 28), 255.0)
    """
    if not array.size:
        raise ValueError(f"{name} holds no numbers: its shape is {_by(array.shape)}")
    grids = _channels_first(array, axes, name, size)
    shape, channels = _by(grids.shape[2:]), grids.shape[1]
    what = f"files were read as {NOUNS[axes]}s of {shape}, {many(channels, 'channel')}"
    tally.add(f"grids of {shape}", what, name)
    return _numbers(grids, name, tally)


def _channels_first(array: NDArray[Any], axes: int, name: str, size: tuple[int, ...] | None) -> NDArray[Any]:
    if axes == 2 and array.ndim == 2:
        return array.reshape(len(array), 1, *_unfolded(array.shape[1], name, size))
    if array.ndim == axes + 1:
        return array[:, None]
    if array.ndim == axes + 2:
        return array if _is_first(array.shape[1:]) else np.moveaxis(array, -1, 1)
    raise ValueError(
        f"{name} has the shape {_by(array.shape)}, {many(array.ndim, 'axis')}, but {NOUNS[axes]}s have "
        f"{axes + 1} (count and size) or {axes + 2} (and channels)"
    )


def _is_first(shape: tuple[int, ...]) -> bool:
    """Whether channels stand before a grid and not behind it: four at most do, more before a square or
    before a signal of at least four times their number.

    >>> [_is_first(shape) for shape in ((3, 28, 28), (6, 16, 16), (9, 9, 200), (12, 187), (50, 64))]
    [True, True, False, True, False]
    """
    first, last = shape[0], shape[-1]
    if first >= last:
        return False
    square = len(shape) > 2 and len(set(shape[1:])) == 1
    return first <= _FEW or square or (len(shape) == 2 and _FEW * first <= last)


def _unfolded(places: int, name: str, size: tuple[int, ...] | None) -> tuple[int, ...]:
    """Height and width of pictures that are given as rows."""
    side = math.isqrt(places)
    height_and_width = (side, side) if size is None else size
    if math.prod(height_and_width) != places:
        wanted = "no square" if size is None else f"not {_by(size)} = {math.prod(size):,}"
        raise ValueError(
            f"{name} holds rows of {places:,} numbers, {wanted}: say by size how high and wide they are"
        )
    return height_and_width


def _numbers(grids: NDArray[Any], name: str, tally: Tally) -> tuple[NDArray[Any], float]:
    """Bytes, or float32; and what is white."""
    if grids.dtype.kind not in _WHOLE + "f":
        raise ValueError(f"{name} holds {grids.dtype}, but must hold numbers")
    low, high = float(grids.min()), float(grids.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        place = np.argwhere(~np.isfinite(grids))[0].tolist()
        found = float(grids[tuple(place)])
        raise ValueError(f"{name} holds {found} at {place}: replace what is infinite or missing")
    whole = grids.dtype.kind in _WHOLE
    if low >= 0 and 1 < high <= 255 and not whole:
        whole = bool((grids == np.rint(grids)).all())
    if whole and low >= 0 and high <= 255:
        if high <= 1:
            tally.add("0 and 1", "files were taken for black and white, holding 0 and 1 only", name)
        return grids.astype(np.uint8, copy=False), 1.0 if high <= 1 else 255.0
    largest = max(abs(low), abs(high))
    if largest > (_EXACT if whole else 1e30):
        most = f"{_EXACT:,} where they are whole" if whole else "1e30"
        raise ValueError(f"{name} holds {largest:g}, but numbers may be {most} at most: scale them")
    if grids.dtype.itemsize > 4 and not whole:
        tally.add("rounded", "files of 64-bit numbers were rounded to 32 bits", name)
    what = "files were taken as they are, holding other numbers than bytes"
    tally.add("numbers", what, f"{name}: {low:g} to {high:g}")
    return grids.astype(np.float32, copy=False), 1.0


def _by(shape: tuple[int, ...]) -> str:
    return " × ".join(f"{side:,}" for side in shape)
