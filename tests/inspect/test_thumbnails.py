"""Small images: the right pixels in the right places."""

from __future__ import annotations

import base64
import io
import itertools
import re

import numpy as np
import torch
from PIL import Image

from qkvae.inspect.thumbnails import canvas, enlarged, heated, inline, png, side_by_side

LITTLE, MUCH = (13, 8, 135), (240, 249, 33)  # where the colours begin and end


def shown(element: str) -> Image.Image:
    """The picture inside an image element."""
    found = re.search(r"base64,([^\"]+)", element)
    assert found
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


def test_pictures_as_they_are_whatever_channels_they_have() -> None:
    shares = torch.tensor([[[0.0, 1.0], [0.5, 2.0]]])
    assert canvas(shares)[..., 0].tolist() == [[0, 255], [128, 255]]
    assert (canvas(shares) == canvas(shares.expand(3, -1, -1))).all()
    colour = torch.rand(3, 4, 6)
    assert (canvas(colour) == (colour * 255).round().permute(1, 2, 0).numpy().astype(np.uint8)).all()
    assert (canvas(colour[:2]) == canvas(colour[:1])).all()  # two channels: the first as grey


def test_frames_of_a_clip_stand_side_by_side_in_their_order() -> None:
    clip = torch.arange(3.0).view(1, 3, 1, 1).expand(1, 3, 5, 4) / 2
    drawn = canvas(clip)
    assert drawn.shape == (5, 3 * 4 + 2 * 2, 3)
    assert drawn[0, :, 0].tolist() == [0] * 4 + [255] * 2 + [128] * 4 + [255] * 2 + [255] * 4
    parts = [np.full((5, 4, 3), value, np.uint8) for value in (0, 128, 255)]
    assert (side_by_side(parts) == drawn).all()


def test_a_signal_is_a_line_that_rises_where_the_numbers_do() -> None:
    drawn = canvas(torch.linspace(-3, 5, 100)[None])
    ink = (drawn != 255).any(-1)
    tops = [int(np.flatnonzero(ink[:, column])[0]) for column in range(2, 198)]
    assert all(one >= other for one, other in itertools.pairwise(tops))
    assert tops[0] > 0.8 * len(drawn)
    assert tops[-1] < 0.2 * len(drawn)
    assert (canvas(torch.zeros(1, 30)) != 255).any()  # a flat signal is drawn too
    two = canvas(torch.stack([torch.zeros(50), torch.ones(50)]))
    assert len(np.unique(two.reshape(-1, 3), axis=0)) >= 3  # each channel in a colour of its own


def test_a_map_lies_over_its_patches_from_blue_to_yellow() -> None:
    drawing = np.full((4, 6, 3), 100, np.uint8)
    laid = heated(drawing, torch.tensor([[0.0, 1.0, 2.0], [3.0, 2.0, 4.0]]), (4, 6), strength=0.5)
    for patch, colour in (((0, 0), LITTLE), ((1, 2), MUCH)):
        rows, columns = slice(2 * patch[0], 2 * patch[0] + 2), slice(2 * patch[1], 2 * patch[1] + 2)
        expected = np.round(50 + np.array(colour) / 2)
        assert np.abs(laid[rows, columns] - expected).max() <= 1
    assert (laid[0:2, 4:6] == laid[2:4, 2:4]).all()  # equal numbers, equal colours
    flat = heated(drawing, torch.full((2, 3), 7.0), (4, 6))
    assert len(np.unique(flat.reshape(-1, 3), axis=0)) == 1
    assert (heated(drawing, torch.rand(2, 3), (4, 6), strength=0.0) == drawing).all()
    along = heated(np.full((9, 8, 3), 255, np.uint8), torch.tensor([0.0, 1.0]), (8,), strength=1.0)
    assert (along[:, :4] == LITTLE).all()
    assert (along[:, 4:] == MUCH).all()


def test_a_map_of_a_clip_lies_over_the_frames_of_each_patch() -> None:
    drawing = canvas(torch.zeros(1, 4, 6, 6))
    found = torch.zeros(2, 1, 2)  # two patches in time, two across
    found[1, 0, 1] = 1.0
    laid = heated(drawing, found, (4, 6, 6), strength=1.0)
    bright = (laid == MUCH).all(-1)
    for frame in range(4):
        part = bright[:, frame * 8 : frame * 8 + 6]
        assert part[:, 3:].all() == part.any() == (frame >= 2)
        assert not part[:, :3].any()
    assert (laid[:, 6:8] == 255).all()  # the gaps stay


def test_images_inside_a_page() -> None:
    small = np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3)
    element = inline(small, '<b>"x"')
    assert "<b>" not in element
    assert 'class="grid fine"' in element
    assert (np.asarray(shown(element)) == small).all()
    assert (np.asarray(Image.open(io.BytesIO(png(small)))) == small).all()
    large = inline(np.zeros((900, 600, 3), np.uint8), "large")
    assert max(shown(large).size) == 320
    assert "fine" not in large
    assert shown(inline(np.zeros((40, 3000, 3), np.uint8), "long")).size[0] == 1280
    assert (enlarged(small, 30)[::4, ::4] == small).all()
    assert enlarged(np.zeros((50, 40, 3), np.uint8), 10).shape == (50, 40, 3)
