"""Pictures varied anew at every step: batched, and a pure function of the random numbers handed in.

Every function takes float32[batch, channels, height, width], parts of white in [0, 1] unless `Invented` says
otherwise, and for each row the parameters that were drawn for it, so that what it does to a row depends on
nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from qkvae.config.pictures import Augmentation
from qkvae.data.augment_policy import KINDS, distorted, of_grey

Batch = Float[Tensor, "b c h w"]
PerRow = Float[Tensor, " b"]
Ints = Int[Tensor, " b"]
Windows = Float[Tensor, "b 4"]
Boxes = Int[Tensor, "b 4"]
"""Top, left, bottom and right of a rectangle of each row; bottom and right do not belong to it."""


@dataclass(frozen=True)
class Invented:
    """What stands where no data do, channel by channel, or one number for all: of parts of white, black and
    anything up to white."""

    fill: tuple[float, ...] = (0.0,)
    """What is left empty when a grid is moved."""

    least: tuple[float, ...] = (0.0,)
    """Where noise begins."""

    most: tuple[float, ...] = (1.0,)
    """Where noise ends."""


def augmented(
    shares: Tensor, settings: Augmentation, random: np.random.Generator, invented: Invented | None = None
) -> tuple[Tensor, Int[Tensor, " b"], Float[Tensor, " b"]]:
    """A batch varied as the settings say: zoom, crop, flip, colour, operations, erase, then mixup or cutmix.

    Signals are taken as pictures of height 1, the frames of a video as channels: all frames of one are varied
    alike.

    Args:
        shares: float32[b, channels, *size], parts of white.
        settings: what is done, and how strongly.
        random: all randomness; nothing else is drawn from.
        invented: what stands where no data do; black and white if not given.

    Returns:
        The batch; for each row, which row was mixed into it; how much of its own label counts.

    >>> shares = torch.rand(4, 1, 8, 8)
    >>> varied, partner, share = augmented(shares, Augmentation(crop=2), np.random.default_rng([1, 7]))
    >>> varied.shape == shares.shape, partner.tolist(), share.tolist()
    (True, [0, 1, 2, 3], [1.0, 1.0, 1.0, 1.0])
    """
    size = shares.shape[2:]
    height = 1 if len(size) == 1 else size[-2]
    batch = shares.reshape(len(shares), -1, height, size[-1])
    rows, invented = len(batch), invented or Invented()
    if settings.zoom:
        batch = zoomed(batch, _windows(random, random.uniform(1 - settings.zoom, 1.0, rows), batch))
    if settings.crop:
        reach = [0 if side == 1 else settings.crop for side in batch.shape[2:]]
        down, right = (torch.from_numpy(random.integers(-most, most + 1, rows)) for most in reach)
        batch = moved(batch, down, right, _channelled(invented.fill, batch))
    if settings.flip:
        batch = flipped(batch, torch.from_numpy(random.random(rows) < settings.flip))
    if settings.colour:
        drawn = 1 + settings.colour * (2 * random.random((3, rows)) - 1)
        batch = coloured(batch, *_floats(drawn))
    for _ in range(settings.operations):
        kinds = torch.from_numpy(random.integers(0, len(KINDS), rows))
        signs = _floats(random.integers(0, 2, rows) * 2 - 1)
        batch = distorted(batch, kinds, settings.magnitude_or_default * signs)
    if settings.erase:
        chosen = torch.from_numpy(random.random(rows) < settings.erase)
        boxes = _boxes(random, random.uniform(0.02, 0.33, rows), batch) * chosen[:, None]
        least, most = (_channelled(each, batch) for each in (invented.least, invented.most))
        batch = erased(batch, boxes, least + (most - least) * _floats(random.random(batch.shape)))
    batch, partner, share = _mixed(batch, settings, random)
    return batch.reshape(shares.shape), partner, share


def _mixed(
    batch: Batch, settings: Augmentation, random: np.random.Generator
) -> tuple[Batch, Int[Tensor, " b"], PerRow]:
    rows = len(batch)
    both = bool(settings.mixup and settings.cutmix)
    cut = random.random() < 0.5 if both else bool(settings.cutmix)
    strength = settings.cutmix if cut else settings.mixup
    if not strength:
        return batch, torch.arange(rows), torch.ones(rows)
    partner = torch.from_numpy(random.permutation(rows))
    share = _floats(random.beta(strength, strength, rows))
    if not cut:
        return mixup(batch, partner, share), partner, share
    mixed, own = cutmix(batch, partner, _rectangles(random, batch, 1 - share.numpy()))
    return mixed, partner, own


def moved(batch: Batch, down: Ints, right: Ints, fill: Tensor | float = 0.0) -> Batch:
    """Every picture moved by whole pixels; what is left empty is ``fill``.

    With 0 the random crop of a picture with a margin of zeros (A. Krizhevsky, 2009; K. He et al., 2015,
    arXiv:1512.03385, section 4.2).

    >>> moved(torch.tensor([[[[1., 2.], [3., 4.]]]]), torch.tensor([1]), torch.tensor([0])).tolist()
    [[[[0.0, 0.0], [1.0, 2.0]]]]
    """
    height, width = batch.shape[2:]
    above = torch.arange(height) - down[:, None]
    before = torch.arange(width) - right[:, None]
    inside = ((above >= 0) & (above < height))[:, :, None] & ((before >= 0) & (before < width))[:, None]
    places = above.clamp(0, height - 1)[:, :, None] * width + before.clamp(0, width - 1)[:, None]
    places = places.flatten(1)[:, None].expand(-1, batch.shape[1], -1)
    found = batch.flatten(2).gather(2, places).view_as(batch)
    return torch.where(inside[:, None], found, torch.as_tensor(fill))


def zoomed(batch: Batch, boxes: Boxes | Windows) -> Batch:
    """A rectangle of every picture enlarged to its whole size, bilinearly; it need not be of whole pixels.

    The random resized crop of C. Szegedy et al., 2014 (arXiv:1409.4842, section 6).
    """
    height, width = batch.shape[2:]
    top, left, bottom, right = boxes.to(torch.float32).unbind(1)
    flat = torch.zeros_like(top)
    scale_y, scale_x = (bottom - top) / height, (right - left) / width
    matrix = torch.stack(
        [scale_x, flat, (left + right) / width - 1, flat, scale_y, (top + bottom) / height - 1], 1
    )
    grid = F.affine_grid(matrix.view(-1, 2, 3), list(batch.shape), align_corners=False)
    return F.grid_sample(batch, grid, padding_mode="border", align_corners=False)


def flipped(batch: Batch, which: Bool[Tensor, " b"]) -> Batch:
    """Left and right exchanged in the chosen rows."""
    return torch.where(which[:, None, None, None], batch.flip(3), batch)


def coloured(batch: Batch, brightness: PerRow, contrast: PerRow, saturation: PerRow) -> Batch:
    """Brightness, then contrast, then saturation multiplied by a factor each; 1 leaves it.

    x ← bx;  x ← cx + (1 - c)·mean(grey(x));  x ← sx + (1 - s)·grey(x), each cut to [0, 1]
    (A. Howard, 2013, arXiv:1312.5402, section 2.2).  Saturation needs three channels.
    """
    factors = [each[:, None, None, None] for each in (brightness, contrast, saturation)]
    batch = (batch * factors[0]).clamp(0, 1)
    mean = of_grey(batch).mean((1, 2, 3), keepdim=True)
    batch = torch.lerp(mean.expand_as(batch), batch, factors[1]).clamp(0, 1)
    return torch.lerp(of_grey(batch).expand_as(batch), batch, factors[2]).clamp(0, 1)


def erased(batch: Batch, boxes: Boxes, noise: Batch) -> Batch:
    """A rectangle of every picture replaced by noise (Z. Zhong et al., 2017, arXiv:1708.04896)."""
    return torch.where(_inside(boxes, batch), noise, batch)


def mixup(batch: Batch, partner: Ints, share: PerRow) -> Batch:
    """x̃ᵢ = λᵢxᵢ + (1 - λᵢ)xⱼ (H. Zhang et al., 2017, arXiv:1710.09412, equation 1).

    >>> pair = torch.tensor([0.0, 1.0]).view(2, 1, 1, 1)
    >>> mixup(pair, torch.tensor([1, 0]), torch.tensor([0.75, 0.5])).flatten().tolist()
    [0.25, 0.5]
    """
    return torch.lerp(batch[partner], batch, share[:, None, None, None])


def cutmix(batch: Batch, partner: Ints, boxes: Boxes) -> tuple[Batch, PerRow]:
    """x̃ᵢ = M⊙xᵢ + (1 - M)⊙xⱼ, where M is 0 in the rectangle (S. Yun et al., 2019, arXiv:1905.04899,
    equation 1); and λ, the part of the picture that is its own."""
    inside = _inside(boxes, batch)
    own = 1 - inside.to(torch.float32).mean((1, 2, 3))
    return torch.where(inside, batch[partner], batch), own


def _inside(boxes: Boxes, batch: Batch) -> Bool[Tensor, "b 1 h w"]:
    top, left, bottom, right = (edge[:, None] for edge in boxes.unbind(1))
    down, across = torch.arange(batch.shape[2]), torch.arange(batch.shape[3])
    high = (down >= top) & (down < bottom)
    wide = (across >= left) & (across < right)
    return (high[:, :, None] & wide[:, None])[:, None]


def _windows(random: np.random.Generator, area: NDArray[Any], batch: Batch) -> Windows:
    """Rectangles wholly inside that are exactly these parts of the picture."""
    edges: list[NDArray[Any]] = []
    for side, whole in zip(_sides(area, _shape(random, area), batch), batch.shape[2:], strict=True):
        begin = random.random(len(side)) * (whole - side)
        edges += [begin, begin + side]
    return _floats(np.stack([edges[0], edges[2], edges[1], edges[3]], 1))


def _boxes(random: np.random.Generator, area: NDArray[Any], batch: Batch) -> Boxes:
    """Rectangles of whole pixels wholly inside that are about these parts of the picture."""
    return _placed(random, _sides(area, _shape(random, area), batch), batch, least=1)


def _rectangles(random: np.random.Generator, batch: Batch, area: NDArray[Any]) -> Boxes:
    """CutMix's: around a point anywhere, of its shape, cut at its edges; of a signal wholly inside."""
    if 1 in batch.shape[2:]:
        return _placed(random, _sides(area, np.ones_like(area), batch), batch, least=0)
    edges: list[NDArray[Any]] = []
    for whole in batch.shape[2:]:
        middle = random.integers(0, whole, len(area))
        half = np.rint(np.sqrt(area) * whole).astype(np.int64) / 2
        edges += [np.clip(np.floor(middle - half), 0, whole), np.clip(np.floor(middle + half), 0, whole)]
    return torch.from_numpy(np.stack([edges[0], edges[2], edges[1], edges[3]], 1).astype(np.int64))


def _placed(random: np.random.Generator, sides: list[NDArray[Any]], batch: Batch, least: int) -> Boxes:
    """Rectangles of about these sides anywhere inside, of so many pixels at least along each."""
    edges: list[NDArray[Any]] = []
    for side, whole in zip(sides, batch.shape[2:], strict=True):
        length = np.clip(np.rint(side), least, whole).astype(np.int64)
        begin = (random.random(len(side)) * (whole - length + 1)).astype(np.int64)
        edges += [begin, begin + length]
    return torch.from_numpy(np.stack([edges[0], edges[2], edges[1], edges[3]], 1))


def _sides(area: NDArray[Any], shape: NDArray[Any], batch: Batch) -> list[NDArray[Any]]:
    """Height and width in pixels of these parts of the picture; an axis of one place is whole."""
    height, width = batch.shape[2:]
    if height == 1:
        return [np.ones_like(area), area * width]
    if width == 1:
        return [area * height, np.ones_like(area)]
    return [np.sqrt(area * shape) * height, np.sqrt(area / shape) * width]


def _shape(random: np.random.Generator, area: NDArray[Any]) -> NDArray[Any]:
    """Part of the height over part of the width: from 3/4 to 4/3, and so that neither exceeds the whole."""
    return np.exp(random.uniform(np.log(np.maximum(0.75, area)), np.log(np.minimum(4 / 3, 1 / area))))


def _channelled(numbers: tuple[float, ...], batch: Batch) -> Float[Tensor, "c 1 1"]:
    """A number for each channel; the frames of a video, which stand among them, have their channel's."""
    return torch.tensor(numbers).repeat_interleave(batch.shape[1] // len(numbers))[:, None, None]


def _floats(numbers: NDArray[Any]) -> Tensor:
    return torch.from_numpy(numbers.astype(np.float32))
