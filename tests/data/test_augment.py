"""Pictures varied: a pure function of the random numbers, in [0, 1], and each row as a plain loop has it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter, ImageOps
from torch import Tensor

from qkvae.config.pictures import Augmentation
from qkvae.data.augment import augmented, coloured, cutmix, erased, flipped, mixup, moved, zoomed
from qkvae.data.augment_policy import KINDS, distorted

ALL = Augmentation(
    crop=2, zoom=0.5, flip=0.5, colour=0.4, operations=2, magnitude=0.9, erase=0.5, mixup=0.2, cutmix=1.0
)


def batch(rows: int = 6, channels: int = 3, height: int = 9, width: int = 12) -> Tensor:
    return torch.rand(rows, channels, height, width, generator=torch.Generator().manual_seed(3))


def run(shares: Tensor, settings: Augmentation, step: int) -> tuple[Tensor, Tensor, Tensor]:
    return augmented(shares, settings, np.random.default_rng([1, step]))


@pytest.mark.parametrize("step", range(6))
def test_a_pure_function_with_values_in_range(step: int) -> None:
    shares = batch()
    before = shares.clone()
    varied, partner, share = run(shares, ALL, step)
    assert torch.equal(shares, before)
    assert varied.shape == shares.shape
    assert 0 <= varied.min() <= varied.max() <= 1
    assert ((share >= 0) & (share <= 1)).all()
    again = run(shares, ALL, step)
    assert all(torch.equal(one, other) for one, other in zip(again, (varied, partner, share), strict=True))
    assert not torch.equal(run(shares, ALL, step + 1)[0], varied)


def test_nothing_asked_nothing_done() -> None:
    varied, partner, share = run(batch(), Augmentation(), 0)
    assert torch.equal(varied, batch())
    assert partner.tolist() == list(range(6))
    assert (share == 1).all()


def test_moved_is_a_crop_of_the_padded_picture() -> None:
    shares = batch()
    down, right = torch.tensor([0, 2, -2, 1, 0, -1]), torch.tensor([0, 1, -2, -1, 2, 0])
    found = moved(shares, down, right)
    for row, picture in enumerate(shares.numpy()):
        padded = np.pad(picture, ((0, 0), (2, 2), (2, 2)))
        top, left = 2 - int(down[row]), 2 - int(right[row])
        assert np.array_equal(found[row].numpy(), padded[:, top : top + 9, left : left + 12])


def bilinear(picture: np.ndarray, y: float, x: float, rim: bool) -> np.ndarray:
    """The picture at a place between pixels; beyond it is black, or its rim is repeated."""
    found = np.zeros(len(picture))
    height, width = picture.shape[1:]
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            weight = (1 - abs(y - row)) * (1 - abs(x - column))
            if rim:
                found += weight * picture[:, min(max(row, 0), height - 1), min(max(column, 0), width - 1)]
            elif 0 <= row < height and 0 <= column < width:
                found += weight * picture[:, row, column]
    return found


def test_zoomed_enlarges_the_rectangle() -> None:
    shares = batch(2)
    boxes = torch.tensor([[1, 2, 7, 10], [0, 0, 9, 12]])
    found = zoomed(shares, boxes)
    assert torch.allclose(found[1], shares[1], atol=1e-5)
    for y in range(9):
        for x in range(12):
            at = 1 + (y + 0.5) * 6 / 9 - 0.5, 2 + (x + 0.5) * 8 / 12 - 0.5
            assert np.allclose(found[0, :, y, x], bilinear(shares[0].numpy(), *at, rim=True), atol=1e-5)


@pytest.mark.parametrize("kind", ["rotate", "shear_x", "shear_y", "move_x", "move_y"])
@pytest.mark.parametrize("strength", [0.5, -1.0])
def test_warps_against_a_loop_over_pixels(kind: str, strength: float) -> None:
    shares = batch(1)
    found = distorted(shares, torch.tensor([KINDS.index(kind)]), torch.tensor([strength]))[0]
    angle = math.radians(30) * strength
    for y in range(9):
        for x in range(12):
            down, right = y - 4.0, x - 5.5  # from the middle
            match kind:
                case "rotate":
                    at = (math.sin(angle) * right + math.cos(angle) * down,
                          math.cos(angle) * right - math.sin(angle) * down)  # fmt: skip
                case "shear_x":
                    at = down, right + 0.3 * strength * down
                case "shear_y":
                    at = down + 0.3 * strength * right, right
                case "move_x":
                    at = down, right + 0.45 * strength * 12
                case _:
                    at = down + 0.45 * strength * 9, right
            expected = bilinear(shares[0].numpy(), at[0] + 4.0, at[1] + 5.5, rim=False)
            assert np.allclose(found[:, y, x], expected, atol=1e-4)


def test_colours_against_pillow() -> None:
    pixels = (batch(1)[0] * 255).round().to(torch.uint8)
    image = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    shares = pixels[None] / 255

    def told(kind: str, strength: float) -> np.ndarray:
        found = distorted(shares, torch.tensor([KINDS.index(kind)]), torch.tensor([strength]))
        return (found[0] * 255).permute(1, 2, 0).numpy()

    assert np.abs(told("solarize", 0.5) - np.asarray(ImageOps.solarize(image, 128))).max() <= 1
    assert np.abs(told("posterize", 0.0) - pixels.permute(1, 2, 0).numpy()).max() < 1e-3
    levels = np.unique(told("posterize", 1.0).round(3))
    assert len(levels) <= 16
    assert np.abs(told("autocontrast", 0.3) - np.asarray(ImageOps.autocontrast(image))).max() <= 1.01
    smooth = Image.blend(image.filter(ImageFilter.SMOOTH), image, 0.1)
    assert np.abs(told("sharpness", -1.0) - np.asarray(smooth)).max() <= 2
    grey = Image.blend(image.convert("L").convert("RGB"), image, 0.1)
    assert np.abs(told("colour", -1.0) - np.asarray(grey)).max() <= 2
    assert np.abs(told("brightness", -1.0) - 0.1 * pixels.permute(1, 2, 0).numpy()).max() < 1e-3
    assert np.allclose(told("identity", 1.0), pixels.permute(1, 2, 0).numpy(), atol=1e-4)


def test_each_row_has_its_own_factors() -> None:
    shares = batch()
    factors = torch.linspace(0.5, 1.5, 6)
    together = coloured(shares, factors, factors.flip(0), factors)
    for row in range(6):
        one = slice(row, row + 1)
        alone = coloured(shares[one], factors[one], factors.flip(0)[one], factors[one])
        assert torch.allclose(together[one], alone, atol=1e-6)
    same = torch.ones(6)
    assert torch.allclose(coloured(shares, same, same, same), shares, atol=1e-6)


def test_flipped_and_erased_touch_the_chosen_rows_alone() -> None:
    shares = batch(2)
    found = flipped(shares, torch.tensor([True, False]))
    assert torch.equal(found[0], shares[0].flip(2))
    assert torch.equal(found[1], shares[1])
    found = erased(shares, torch.tensor([[1, 2, 3, 5], [0, 0, 0, 0]]), torch.zeros_like(shares))
    assert torch.equal(found[1], shares[1])
    assert (found[0, :, 1:3, 2:5] == 0).all()
    assert torch.equal(found[0, :, 3:], shares[0, :, 3:])


def test_mixtures_and_how_much_is_ones_own() -> None:
    shares, partner = batch(3), torch.tensor([2, 0, 1])
    share = torch.tensor([1.0, 0.25, 0.0])
    mixed = mixup(shares, partner, share)
    assert torch.equal(mixed[0], shares[0])
    assert torch.allclose(mixed[1], 0.25 * shares[1] + 0.75 * shares[0], atol=1e-6)
    cut, own = cutmix(shares, partner, torch.tensor([[0, 0, 9, 12], [2, 3, 5, 7], [4, 4, 4, 4]]))
    assert torch.allclose(own, torch.tensor([0.0, 1 - 12 / 108, 1.0]))
    assert torch.equal(cut[0], shares[2])
    assert torch.equal(cut[1, :, 2:5, 3:7], shares[0, :, 2:5, 3:7])
    assert torch.equal(cut[2], shares[2])


@pytest.mark.parametrize("settings", [Augmentation(mixup=0.5), Augmentation(cutmix=0.5)])
def test_what_is_said_of_a_mixture_is_what_was_done(settings: Augmentation) -> None:
    """On pictures that are each one number, the share can be read off the mean."""
    shares = torch.arange(1.0, 9.0).view(8, 1, 1, 1).expand(8, 1, 10, 10) / 10
    for step in range(4):
        varied, partner, share = run(shares, settings, step)
        own, other = shares[:, 0, 0, 0], shares[partner, 0, 0, 0]
        assert torch.allclose(varied.mean((1, 2, 3)), share * own + (1 - share) * other, atol=1e-5)


def test_signals_and_videos() -> None:
    signal = torch.rand(4, 2, 30)
    varied = run(signal, Augmentation(crop=3, erase=1.0), 0)[0]
    assert varied.shape == signal.shape
    assert not torch.equal(varied, signal)
    still = torch.rand(4, 1, 1, 8, 8).expand(4, 1, 5, 8, 8)
    varied = run(still, Augmentation(crop=2, flip=0.5), 0)[0]
    assert torch.equal(varied, varied[:, :, :1].expand_as(varied))  # all frames alike


@pytest.mark.parametrize("size", [(30,), (30, 1), (1, 30), (1, 1)])
def test_cutmix_of_a_line_takes_as_much_as_was_drawn(size: tuple[int, ...]) -> None:
    signals = torch.arange(64.0).view(-1, 1, *[1] * len(size)).expand(-1, 2, *size)
    random, length = np.random.default_rng(5), math.prod(size)
    varied, partner, own = augmented(signals, Augmentation(cutmix=1.0), np.random.default_rng(5))
    drawn = random.permutation(64), random.beta(1.0, 1.0, 64)
    assert np.array_equal(partner, drawn[0])
    assert np.abs(own.numpy() - drawn[1]).max() <= 0.5 / length + 1e-6
    taken = (varied != signals).flatten(1).float().mean(1)
    others = partner != torch.arange(64)
    assert torch.allclose(taken[others], 1 - own[others])


@pytest.mark.parametrize("zoom", [0.01, 0.2, 0.9])
@pytest.mark.parametrize("size", [(9, 12), (12, 12), (3, 5, 9)])
def test_zoom_leaves_the_area_that_it_promises(zoom: float, size: tuple[int, ...]) -> None:
    """Seen on pictures whose numbers are their own places: how far neighbours stand apart."""
    height, width = size[-2:]
    places = torch.stack(torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")).float()
    shares = places.view(1, 2, *[1] * (len(size) - 2), height, width).expand(500, 2, *size)
    varied = run(shares, Augmentation(zoom=zoom), 0)[0]
    down, across = height // 2, width // 2
    high = varied[:, 0, ..., down, across] - varied[:, 0, ..., down - 1, across]
    wide = varied[:, 1, ..., down, across] - varied[:, 1, ..., down, across - 1]
    area, shape = high * wide, high / wide
    assert area.min() >= 1 - zoom - 1e-4
    assert abs(float(area.mean()) - (1 - zoom / 2)) < 0.05
    assert 0.75 - 1e-4 < shape.min() < shape.max() < 4 / 3 + 1e-4


def test_what_cannot_be_done_is_refused() -> None:
    with pytest.raises(ValueError, match=r"colour is 0\.4, but the data have 2 channels"):
        Augmentation(colour=0.4).fits((8, 8), 2)
    with pytest.raises(ValueError, match="operations is 2, which are for pictures"):
        Augmentation(operations=2).fits((5, 8, 8), 1)
    Augmentation(crop=7).fits((1, 8), 1)
    with pytest.raises(ValueError, match="crop is 8, but the smallest side is 8"):
        Augmentation(crop=8).fits((8, 9), 1)
    with pytest.raises(ValueError, match=r"magnitude 0\.5 has no effect"):
        Augmentation(magnitude=0.5)
