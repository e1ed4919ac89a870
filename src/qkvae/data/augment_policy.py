"""Distortions of pictures of which some are drawn for each at random: RandAugment, batched.

E. Cubuk, B. Zoph, J. Shlens, Q. Le: RandAugment, 2019 (arXiv:1909.13719), figure 2, without equalisation.
Strength runs from 0 (nothing changes) to 1 (the paper's M = 30); its sign says which way.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

Batch = Float[Tensor, "b c h w"]
PerRow = Float[Tensor, " b"]

KINDS = (
    "identity",
    "autocontrast",
    "rotate",
    "solarize",
    "posterize",
    "contrast",
    "brightness",
    "colour",
    "sharpness",
    "shear_x",
    "shear_y",
    "move_x",
    "move_y",
)
"""The distortions, each as likely as another."""

_LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601


def distorted(batch: Batch, kinds: Int[Tensor, " b"], strength: PerRow) -> Batch:
    """Each row distorted in the way of `KINDS` that is drawn for it; values stay in [0, 1].

    >>> row = torch.full((1, 1, 2, 2), 0.75)
    >>> distorted(row, torch.tensor([KINDS.index("solarize")]), torch.tensor([0.5])).flatten().tolist()
    [0.25, 0.25, 0.25, 0.25]
    """
    varied = batch.clone()
    for number, kind in enumerate(KINDS):
        rows = (kinds == number).nonzero()[:, 0]
        if len(rows) and kind != "identity":
            varied[rows] = _distorted(batch[rows], kind, strength[rows])
    return varied


def of_grey(batch: Batch) -> Float[Tensor, "b 1 h w"]:
    """Luma of three channels (BT.601); of any other number, their mean."""
    if batch.shape[1] != 3:
        return batch.mean(1, keepdim=True)
    return (batch * torch.tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)


def _distorted(batch: Batch, kind: str, strength: PerRow) -> Batch:
    factor = strength[:, None, None, None]
    match kind:
        case "autocontrast":
            return _autocontrast(batch)
        case "solarize":  # what is brighter than a threshold is turned into its negative
            return torch.where(batch > 1 - factor.abs(), 1 - batch, batch)
        case "posterize":  # fewer levels: 256 at strength 0, 2⁴ at strength 1
            levels = torch.exp2(8 - 4 * factor.abs().clamp(0, 1)) - 1
            return (batch * levels + 1e-3).floor() / levels  # 1e-3: what rounding takes from a whole level
        case "contrast":
            return _blended(of_grey(batch).mean((2, 3), keepdim=True).expand_as(batch), batch, factor)
        case "brightness":
            return _blended(torch.zeros_like(batch), batch, factor)
        case "colour":
            return _blended(of_grey(batch).expand_as(batch), batch, factor)
        case "sharpness":
            return _blended(_smooth(batch), batch, factor)
        case _:
            return _warped(batch, kind, strength)


def _blended(other: Batch, batch: Batch, factor: Tensor) -> Batch:
    """x̂ = (1 - f)·other + f·x with f = 1 + 0.9·strength: nearer to the other, or further from it."""
    return torch.lerp(other, batch, 1 + 0.9 * factor).clamp(0, 1)


def _autocontrast(batch: Batch) -> Batch:
    """Each channel stretched so that its darkest becomes 0 and its brightest 1; a flat one stays."""
    low, high = batch.amin((2, 3), keepdim=True), batch.amax((2, 3), keepdim=True)
    return torch.where(high > low, (batch - low) / (high - low).clamp_min(1e-12), batch)


def _smooth(batch: Batch) -> Batch:
    """Every inner pixel averaged with its neighbours, 5 to 1; the rim stays, as in Pillow's SMOOTH."""
    if min(batch.shape[2:]) < 3:
        return batch
    kernel = torch.ones(3, 3)
    kernel[1, 1] = 5
    channels = batch.shape[1]
    inner = F.conv2d(batch, (kernel / 13).expand(channels, 1, 3, 3), groups=channels)
    smooth = batch.clone()
    smooth[:, :, 1:-1, 1:-1] = inner
    return smooth


def _warped(batch: Batch, kind: str, strength: PerRow) -> Batch:
    """Turned by up to 30°, sheared by up to 0.3, or moved by up to 0.45 of its side; bilinear, black beyond.

    ``affine_grid`` maps places of the result to places of the picture, in units of half its sides.
    """
    height, width = batch.shape[2:]
    one, none = torch.ones_like(strength), torch.zeros_like(strength)
    match kind:
        case "rotate":
            angle = strength * math.radians(30)
            sine, cosine = angle.sin(), angle.cos()
            entries = [cosine, -sine * height / width, none, sine * width / height, cosine, none]
        case "shear_x":
            entries = [one, 0.3 * strength * height / width, none, none, one, none]
        case "shear_y":
            entries = [one, none, none, 0.3 * strength * width / height, one, none]
        case "move_x":
            entries = [one, none, 0.9 * strength, none, one, none]
        case _:
            assert kind == "move_y", kind
            entries = [one, none, none, none, one, 0.9 * strength]
    grid = F.affine_grid(torch.stack(entries, 1).view(-1, 2, 3), list(batch.shape), align_corners=False)
    return F.grid_sample(batch, grid, align_corners=False).clamp(0, 1)
