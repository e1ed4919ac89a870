"""Batches of pictures: batch k is a pure function of (pictures, rows, augmentation, seed, k)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qkvae.config.pictures import Augmentation
from qkvae.data.augment import Invented, augmented
from qkvae.data.numbered import EpochOrder, in_order
from qkvae.data.picture_format import PictureFormat, channel_moments
from qkvae.data.pictures import Pictures


@dataclass(frozen=True, eq=False)
class PictureBatch:
    """Pictures side by side, and which they are."""

    shares: Tensor
    """float32[b, channels, *size]: parts of white; a model reads them as `PictureFormat.normalised`."""

    rows: Tensor
    """int64[b]: where each picture stands in the data."""

    partners: Tensor
    """int64[b]: which other picture was mixed in; itself where none was."""

    share: Tensor
    """float32[b]: how much of its own label counts; the rest is its partner's."""

    def __len__(self) -> int:
        return len(self.rows)

    def to(self, device: torch.device) -> PictureBatch:
        """The same on a device."""
        return PictureBatch(*(each.to(device, non_blocking=True) for each in self._all()))

    def split(self, count: int) -> list[PictureBatch]:
        """Cut by rows into at most so many parts."""
        pieces = zip(*(each.tensor_split(min(count, len(self))) for each in self._all()), strict=True)
        return [PictureBatch(*each) for each in pieces]

    def _all(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return self.shares, self.rows, self.partners, self.share


class PictureBatches:
    """An endless, shuffled course of batches; every picture is seen once an epoch.

    Each epoch's order is cut into batches of equally many pictures, but for one.

    >>> some = Pictures(np.arange(10, dtype=np.uint8).reshape(10, 1, 1, 1))
    >>> batches = PictureBatches(some, PictureFormat.of(some), rows=5, seed=1)
    >>> batches.batches_per_epoch, sorted([*batches[0].rows.tolist(), *batches[1].rows.tolist()])
    (2, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    """

    def __init__(
        self,
        pictures: Pictures,
        form: PictureFormat,
        rows: int,
        seed: int,
        augmentation: Augmentation | None = None,
    ) -> None:
        """
        Args:
            pictures: what to learn from.
            form: their size and scale.
            rows: pictures in a batch, about.
            seed: decides the order and every variation.
            augmentation: how pictures are varied; not at all if not given.

        Raises:
            ValueError: there are no pictures, rows is below 1, or the augmentation cannot be done to them.
        """
        if not len(pictures):
            raise ValueError("there are no pictures to make batches of")
        if rows < 1:
            raise ValueError(f"rows is {rows}, but a batch must hold at least 1 picture")
        self.form, self._seed = form, seed
        self._augmentation = Augmentation() if augmentation is None else augmentation
        self._augmentation.fits(form.size, form.channels)
        self._low, self._breadth = _range(self._augmentation, pictures)
        self._invented = _invented(self._augmentation, pictures, self._low, self._breadth)
        self._order = EpochOrder(len(pictures), seed)
        self._per_epoch = max(1, round(len(pictures) / rows))
        self._values = _Shared(pictures.values)

    @property
    def batches_per_epoch(self) -> int:
        """Batches in every epoch."""
        return self._per_epoch

    def __getitem__(self, number: int) -> PictureBatch:
        """Batch ``number``, counted from 0 through all epochs."""
        chosen = self._order.batch(number, self._per_epoch)
        plain = plain_batch(self._values.rows(chosen), chosen, self.form)
        random = np.random.default_rng([self._seed, number, 1])
        within = (plain.shares - self._low) / self._breadth
        varied, partner, share = augmented(within, self._augmentation, random, self._invented)
        shares = self._low + self._breadth * varied
        return replace(plain, shares=shares, partners=plain.rows[partner], share=share)

    def stream(self, start: int = 0, workers: int = 0) -> Iterator[PictureBatch]:
        """Batch ``start`` and all after it, without end, prepared by so many processes beside this one."""
        return in_order(self, start, workers)


def _range(augmentation: Augmentation, pictures: Pictures) -> tuple[float, float]:
    """What is 0 to colours and operations, which cut to [0, 1], and how far away 1 is: 0 and 1 as parts of
    white, or from the smallest number of an array that holds others to the largest."""
    if pictures.values.dtype == np.uint8 or not (augmentation.colour or augmentation.operations):
        return 0.0, 1.0
    low, high = (float(each) / pictures.white for each in (pictures.values.min(), pictures.values.max()))
    return (0.0, 1.0) if 0 <= low <= high <= 1 else (low, (high - low) or 1.0)


def _invented(augmentation: Augmentation, pictures: Pictures, low: float, breadth: float) -> Invented:
    """What stands where no data do, within the range that `_range` found: black, and noise up to white.

    Bytes have both.  Black is the smallest number of each channel of other pictures, white its largest.  A
    signal has neither: its mean fills, and noise has its mean and its deviation, no further than it reaches.
    """
    values = pictures.values
    if values.dtype == np.uint8 or not (augmentation.crop or augmentation.erase):
        return Invented()
    axes = (0, *range(2, values.ndim))
    least, most = values.min(axes).astype(np.float64), values.max(axes).astype(np.float64)
    fill = least
    if len(pictures.size) == 1:
        fill, deviation = channel_moments(values)
        reach = 3**0.5 * deviation  # of a uniform law
        least, most = np.maximum(least, fill - reach), np.minimum(most, fill + reach)
    ranged = ((each / pictures.white - low) / breadth for each in (fill, least, most))
    return Invented(*(tuple(each.tolist()) for each in ranged))


def plain_batch(values: Tensor, places: NDArray[np.int64], form: PictureFormat) -> PictureBatch:
    """Pictures as they are, unmixed."""
    rows = torch.from_numpy(places)
    return PictureBatch(form.shares(values), rows, rows, torch.ones(len(rows)))


def in_turn(pictures: Pictures, form: PictureFormat, rows: int) -> Iterator[PictureBatch]:
    """All pictures once, in their order, as they are: what is judged or asked."""
    for start in range(0, len(pictures), rows):
        places = np.arange(start, min(start + rows, len(pictures)))
        values = np.array(pictures.values[start : start + rows])  # of a file that is only read, too
        yield plain_batch(torch.from_numpy(values), places, form)


class _Shared:
    """Values that go to worker processes without a copy each: in shared memory, or mapped there again."""

    def __init__(self, values: NDArray[Any]) -> None:
        self._mapped = values if isinstance(values, np.memmap) and values.filename is not None else None
        self._held = (
            None
            if self._mapped is not None
            else torch.from_numpy(np.require(values, requirements=["C", "W"]))
        )

    def rows(self, places: NDArray[np.int64]) -> Tensor:
        """Those at these places."""
        if self._held is not None:
            return self._held[torch.from_numpy(places)]
        assert self._mapped is not None
        order = np.argsort(places)  # a disk is read forwards
        found = np.empty((len(places), *self._mapped.shape[1:]), self._mapped.dtype)
        found[order] = self._mapped[places[order]]
        return torch.from_numpy(found)

    def __getstate__(self) -> dict[str, Any]:
        if self._mapped is None:
            return {"held": self._held}
        mapped = self._mapped
        assert mapped.filename is not None
        where = (str(Path(mapped.filename)), mapped.dtype.str, mapped.offset, mapped.shape)
        return {"held": None, "where": where}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._held, self._mapped = state["held"], None
        if self._held is None:
            name, kind, offset, shape = state["where"]
            self._mapped = np.memmap(name, kind, "r", offset, shape)
