"""What all pictures of a run have in common; learned from the training part, kept in the run."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qkvae.data.pictures import Pictures

_ROWS = 4096  # pictures looked at at a time


@dataclass(frozen=True)
class PictureFormat:
    """Size, channels and scale of pictures: x = (value / white - mean) / std, channel by channel.

    >>> some = Pictures(np.array([0, 255, 255, 0], np.uint8).reshape(4, 1, 1, 1))
    >>> form = PictureFormat.of(some)
    >>> form.mean, form.std, form.normalised(form.shares(torch.tensor([[[255]]]))).flatten().tolist()
    ((0.5,), (0.5,), [1.0])
    """

    size: tuple[int, ...]
    channels: int
    white: float
    mean: tuple[float, ...]
    """Of each channel over all training pictures, where white is 1."""

    std: tuple[float, ...]
    """Likewise the standard deviation; 1 for a channel that never changes."""

    beyond: bool = False
    """Whether the training pictures hold numbers below 0 or beyond white, which are then no parts of it."""

    least: float = 0.0
    most: float = 1.0
    """The range of the training pictures' numbers, where white is 1, if it goes beyond that."""

    @classmethod
    def of(cls, train: Pictures) -> PictureFormat:
        """What the training part says."""
        means, deviations = channel_moments(train.values)
        least, most = float(train.values.min()) / train.white, float(train.values.max()) / train.white
        beyond = train.values.dtype != np.uint8 and (least < 0 or most > 1)
        return cls(
            train.size,
            train.channels,
            train.white,
            tuple(float(each) / train.white for each in means),
            tuple(float(each) / train.white or 1.0 for each in deviations),
            beyond,
            *((least, most) if beyond else (0.0, 1.0)),
        )

    def fits(self, pictures: Pictures) -> None:
        """Refuse pictures that a model of these cannot read.

        Raises:
            ValueError: their size, channels or white differ.
        """
        for what in ("size", "channels", "white"):
            own, theirs = getattr(self, what), getattr(pictures, what)
            if own != theirs:
                which = ", ".join(pictures.paths) or "these data"
                raise ValueError(
                    f"the {pictures.noun}s of {which} have {what} {_by(theirs)}, "
                    f"but those trained on have {_by(own)}: bring them to the same"
                )

    def shares(self, values: Tensor) -> Tensor:
        """Values as parts of white, in [0, 1] for pictures of whole numbers; float32."""
        return values.to(torch.float32) / self.white

    @property
    def ends(self) -> tuple[float, float]:
        """The values that are read as 0 and as 1 by `ranged`."""
        return self.least * self.white, self.most * self.white

    def ranged(self, values: Tensor) -> Tensor:
        """Values as parts of white, or of the range of the training pictures where that goes beyond."""
        shares = self.shares(values)
        return (shares - self.least) / (self.most - self.least) if self.beyond else shares

    def normalised(self, shares: Tensor) -> Tensor:
        """What a model reads, of parts of white: mean 0 and deviation 1 over the training pictures."""
        return (shares - self._channelled(self.mean, shares)) / self._channelled(self.std, shares)

    def back(self, read: Tensor) -> Tensor:
        """The way back from ``normalised`` to parts of white."""
        return read * self._channelled(self.std, read) + self._channelled(self.mean, read)

    def _channelled(self, numbers: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(numbers, device=like.device).view(-1, *[1] * len(self.size))

    def to_dict(self) -> dict[str, Any]:
        """Everything ``from_dict`` needs, fit for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> PictureFormat:
        """The format that ``to_dict`` wrote.

        Raises:
            ValueError: something is missing or unknown.

        >>> form = PictureFormat((8, 8), 1, 16.0, (0.3,), (0.4,))
        >>> PictureFormat.from_dict(form.to_dict()) == form
        True
        """
        known = set(cls.__dataclass_fields__)
        saved = {"beyond": False, "least": 0.0, "most": 1.0} | saved  # which older runs do not tell
        if set(saved) != known:
            raise ValueError(
                f"saved format of pictures: {', '.join(sorted(set(saved) ^ known))} too few or many"
            )
        return cls(
            tuple(saved["size"]),
            saved["channels"],
            saved["white"],
            tuple(saved["mean"]),
            tuple(saved["std"]),
            saved["beyond"],
            saved["least"],
            saved["most"],
        )


def channel_moments(values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of every channel, exact for bytes and read in pieces.

    >>> mean, std = channel_moments(np.array([[[1.0, 3.0]]], np.float32))
    >>> mean.tolist(), std.tolist()
    ([2.0], [1.0])
    """
    channels = values.shape[1]
    count = values.size / channels
    if values.dtype == np.uint8:
        histogram = np.zeros((channels, 256))
        for start in range(0, len(values), _ROWS):
            for channel in range(channels):
                part = np.ascontiguousarray(values[start : start + _ROWS, channel])
                histogram[channel] += np.bincount(part.ravel(), minlength=256)
        levels = np.arange(256)
        mean = histogram @ levels / count
        return mean, np.sqrt(np.maximum(histogram @ levels**2 / count - mean**2, 0))
    axes = (0, *range(2, values.ndim))
    pieces = [values[start : start + _ROWS] for start in range(0, len(values), _ROWS)]
    mean = sum((piece.sum(axes, dtype=np.float64) for piece in pieces), np.zeros(channels)) / count
    shape = (-1, *[1] * (values.ndim - 2))
    squares = (((piece - mean.reshape(shape)) ** 2).sum(axes) for piece in pieces)
    return mean, np.sqrt(sum(squares, np.zeros(channels)) / count)


def _by(value: Any) -> str:
    return " × ".join(map(str, cast("tuple[int, ...]", value))) if isinstance(value, tuple) else str(value)
