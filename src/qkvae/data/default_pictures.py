"""The embedded pictures: hand-written digits, alone and moving, and made-up signals."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from qkvae.data.labelled import Label
from qkvae.data.pictures import Hashes, Pictures, row_hashes

DIRECTIONS = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
"""Where a digit of a clip goes: rows and columns per frame."""

_SCALE = 2  # a clip's digit is drawn twice as large, 16 × 16

_CLASSES = ("sine", "square", "triangle", "sawtooth", "pulse", "noise")


def default_pictures() -> Pictures:
    """1,797 hand-written digits of 8 × 8 pixels and 17 levels of grey, and which they are.

    E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits (UCI, CC BY 4.0), as it ships inside
    scikit-learn.

    >>> digits = default_pictures()
    >>> len(digits), digits.size, digits.white, digits.labels[:3]
    (1797, (8, 8), 16.0, ['0', '1', '2'])
    """
    values, labels = _digits()
    return Pictures(values[:, None], [str(label) for label in labels], 16.0, paths=("default (digits)",))


def default_clips(
    count: int,
    seed: int,
    frames: int = 8,
    side: int = 24,
    told: Literal["direction", "digit", "both"] = "direction",
) -> Pictures:
    """Clips in which a hand-written digit goes up, down, left or right by 1 pixel a frame, never cut off.

    Clip i depends on (seed, i) alone; the digit is one of `default_pictures`.  No single frame tells the
    direction.  Hashes are of the digit's picture, so that none stands in both parts of a split.

    Raises:
        ValueError: a digit of 16 × 16 cannot move so far in so small a frame.

    >>> clips = default_clips(3, seed=0)
    >>> clips.values.shape, set(clips.labels) <= set(DIRECTIONS)
    ((3, 1, 8, 24, 24), True)
    """
    digits, names = _digits()
    large = 8 * _SCALE
    room = side - large
    if frames < 1 or room < frames - 1:
        raise ValueError(
            f"{frames} frames of {side} × {side} are too small for a digit of {large} that moves by 1 a "
            f"frame: the side must be at least {large + frames - 1}"
        )
    values = np.zeros((count, 1, frames, side, side), np.uint8)
    labels: list[Label] = []
    known = row_hashes(digits)
    hashes: Hashes = np.zeros(count, np.uint64)
    for clip in range(count):
        draw = np.random.default_rng([seed, clip])
        which = int(draw.integers(len(digits)))
        direction = list(DIRECTIONS)[int(draw.integers(4))]
        drawn = digits[which].repeat(_SCALE, 0).repeat(_SCALE, 1)
        begins = [_begin(step, room, frames, draw) for step in DIRECTIONS[direction]]
        for frame in range(frames):
            top, left = (at + frame * step for at, step in zip(begins, DIRECTIONS[direction], strict=True))
            values[clip, 0, frame, top : top + large, left : left + large] = drawn
        digit = str(names[which])
        labels.append({"direction": direction, "digit": digit, "both": (digit, direction)}[told])
        hashes[clip] = known[which]
    return Pictures(values, labels, 16.0, hashes, paths=(f"default (clips, seed {seed})",))


def _begin(step: int, room: int, frames: int, draw: np.random.Generator) -> int:
    """Where a digit stands at first, so that it stays inside along this axis."""
    far = frames - 1
    low, high = (far if step < 0 else 0), (room - far if step > 0 else room)
    return int(draw.integers(low, high + 1))


def default_signals(count: int, seed: int, length: int = 128) -> Pictures:
    """Signals of one channel, of six kinds of wave with any period, phase, height and noise; signal i depends
    on (seed, i) alone.

    >>> signals = default_signals(4, seed=1)
    >>> signals.values.shape, signals.values.dtype, signals.white
    ((4, 1, 128), dtype('float32'), 1.0)
    """
    values = np.zeros((count, 1, length), np.float32)
    labels: list[Label] = []
    places = np.arange(length)
    for signal in range(count):
        draw = np.random.default_rng([seed, signal])
        kind = _CLASSES[int(draw.integers(len(_CLASSES)))]
        turns = places / draw.uniform(12, 40) + draw.uniform(0, 1)
        wave = draw.uniform(0.5, 1.5) * _WAVES[kind](turns)
        values[signal, 0] = wave + draw.normal(0, 0.6 if kind == "noise" else 0.2, length)
        labels.append(kind)
    return Pictures(values, labels, 1.0, paths=(f"default (signals, seed {seed})",))


_WAVES: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "sine": lambda turns: np.sin(2 * np.pi * turns),
    "square": lambda turns: np.where(turns % 1 < 0.5, 1.0, -1.0),
    "triangle": lambda turns: 4 * np.abs(turns % 1 - 0.5) - 1,
    "sawtooth": lambda turns: 2 * (turns % 1) - 1,
    "pulse": lambda turns: np.where(turns % 1 < 0.1, 1.0, 0.0),
    "noise": lambda turns: np.zeros_like(turns),
}


@lru_cache(maxsize=1)
def _digits() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    # takes a second: only where it is asked for
    from sklearn.datasets import load_digits  # pyright: ignore[reportMissingTypeStubs]

    found = cast("Any", load_digits())
    return found.images.astype(np.uint8), found.target.astype(np.int64)
