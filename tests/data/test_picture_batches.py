"""Batches of pictures: a pure function of (seed, k), every picture once an epoch, the same from workers."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from qkvae.config.pictures import Augmentation
from qkvae.data.default_pictures import default_clips, default_pictures, default_signals
from qkvae.data.picture_batches import PictureBatch, PictureBatches, in_turn
from qkvae.data.picture_format import PictureFormat, channel_moments
from qkvae.data.pictures import Pictures

SOME = Pictures(np.random.default_rng(0).integers(0, 256, (23, 3, 6, 5), np.uint8))
FORM = PictureFormat.of(SOME)
VARIED = Augmentation(crop=1, mixup=0.2)


FIELDS = ("shares", "rows", "partners", "share")


def same(one: PictureBatch, other: PictureBatch) -> bool:
    return all(torch.equal(getattr(one, name), getattr(other, name)) for name in FIELDS)


def test_every_picture_once_an_epoch_in_another_order() -> None:
    batches = PictureBatches(SOME, FORM, rows=6, seed=1)
    epochs = [[batches[4 * epoch + k].rows.tolist() for k in range(4)] for epoch in range(2)]
    assert batches.batches_per_epoch == 4
    for epoch in epochs:
        assert sorted(itertools.chain(*epoch)) == list(range(23))
        assert {len(rows) for rows in epoch} == {5, 6}
    assert epochs[0] != epochs[1]
    batch = batches[3]
    assert torch.equal(batch.shares, torch.from_numpy(SOME.values[batch.rows.numpy()]) / 255)


def test_a_pure_function_of_seed_and_number(tmp_path: Path) -> None:
    batches = PictureBatches(SOME, FORM, rows=6, seed=1, augmentation=VARIED)
    expected = [batches[k] for k in range(7)]
    assert all(same(one, other) for one, other in zip(batches.stream(2), expected[2:], strict=False))
    assert not same(expected[0], PictureBatches(SOME, FORM, 6, seed=2, augmentation=VARIED)[0])
    name = tmp_path / "values"
    SOME.values.tofile(name)
    mapped = Pictures(np.memmap(name, np.uint8, "r", shape=SOME.values.shape))
    again = PictureBatches(mapped, FORM, rows=6, seed=1, augmentation=VARIED)
    assert same(again[3], expected[3])
    sent = copy.deepcopy(again)  # as it is sent to a worker, which maps the file again
    assert isinstance(sent._values._mapped, np.memmap)
    assert same(sent[3], expected[3])
    assert same(copy.deepcopy(batches)[3], expected[3])


def test_cut_by_rows_it_stays_the_same() -> None:
    batch = PictureBatches(SOME, FORM, rows=23, seed=1, augmentation=VARIED)[0]
    parts = batch.split(4)
    assert [len(part) for part in parts] == [6, 6, 6, 5]
    joined = (torch.cat([getattr(part, name) for part in parts]) for name in FIELDS)
    assert same(PictureBatch(*joined), batch)


def test_normalised_over_the_training_part() -> None:
    whole = torch.cat([FORM.normalised(batch.shares) for batch in in_turn(SOME, FORM, 10)])
    assert torch.allclose(whole.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(whole.std((0, 2, 3), correction=0), torch.ones(3), atol=1e-5)
    assert torch.allclose(FORM.back(whole), torch.from_numpy(SOME.values) / 255, atol=1e-5)
    reals = SOME.values.astype(np.float32)
    for one, other in zip(channel_moments(SOME.values), channel_moments(reals), strict=True):
        assert np.allclose(one, other)
    flat = PictureFormat.of(Pictures(np.full((2, 1, 3, 3), 7, np.uint8)))
    assert flat.std == (1.0,)


def test_what_makes_no_batches_is_refused() -> None:
    with pytest.raises(ValueError, match="there are no pictures"):
        PictureBatches(SOME.select([]), FORM, 4, seed=0)
    with pytest.raises(ValueError, match="rows is 0"):
        PictureBatches(SOME, FORM, 0, seed=0)
    with pytest.raises(ValueError, match="crop is 5"):
        PictureBatches(SOME, FORM, 4, 0, Augmentation(crop=5))


def test_embedded_pictures_clips_and_signals() -> None:
    digits = default_pictures()
    assert digits.values.max() == digits.white == 16
    clips = default_clips(20, seed=3, told="both")
    assert clips.fingerprint == default_clips(20, seed=3, told="both").fingerprint
    assert clips.select(range(5)).fingerprint == default_clips(5, seed=3, told="both").fingerprint
    for clip, label in zip(clips.values[:, 0].astype(int), clips.labels or [], strict=True):
        step = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}[label[1]]
        for before, after in itertools.pairwise(clip):
            assert (np.roll(before, step, (0, 1)) == after).all()
    with pytest.raises(ValueError, match="the side must be at least 23"):
        default_clips(1, 0, side=20)
    signals = default_signals(30, seed=3)
    assert signals.values[:5].tobytes() == default_signals(5, seed=3).values.tobytes()
    assert len(set(signals.labels or [])) > 3


@pytest.mark.parametrize("asked", [Augmentation(operations=3, magnitude=0.9), Augmentation(colour=0.5)])
def test_numbers_that_are_no_parts_of_white_are_varied_in_their_own_range(asked: Augmentation) -> None:
    """As bytes of the same pictures are, and never cut to [0, 1]."""
    shares = SOME.values.astype(np.float32) / 255
    shares[0, 0, 0, :2] = 0, 1
    plain, reals = Pictures(shares, white=1.0), Pictures(700 * shares - 3, white=1.0)
    one, other = (PictureBatches(each, PictureFormat.of(each), 23, 0, asked)[0] for each in (plain, reals))
    assert torch.allclose(700 * one.shares - 3, other.shares, atol=0.1)
    assert not torch.equal(one.shares, torch.from_numpy(shares)[one.rows])
    flat = Pictures(np.full((5, 3, 4, 4), 5.0, np.float32), white=1.0)
    assert PictureBatches(flat, PictureFormat.of(flat), 5, 0, asked)[0].shares.isfinite().all()


def read(values: np.ndarray, asked: Augmentation) -> torch.Tensor:
    some = Pictures(values, white=1.0 if values.dtype == np.float32 else 255.0)
    form = PictureFormat.of(some)
    return form.normalised(PictureBatches(some, form, len(values), 0, asked)[0].shares)


@pytest.mark.parametrize(
    "asked", [Augmentation(crop=2), Augmentation(erase=1.0), Augmentation(crop=2, erase=0.5)]
)
@pytest.mark.parametrize("size", [(30,), (6, 5), (4, 6, 5)])
def test_of_another_scale_the_same_is_read(size: tuple[int, ...], asked: Augmentation) -> None:
    """What is invented has the data's own range, channel by channel."""
    values = np.random.default_rng(0).gamma(2.0, 1.0, (40, 2, *size)).astype(np.float32)
    found = read(values, asked)
    assert torch.allclose(read(1000 + 3 * values, asked), found, atol=2e-3)
    values[:, 1] = 500 - 200 * values[:, 1].max() + 200 * values[:, 1]
    assert torch.allclose(read(values, asked), found, atol=2e-3)
    plain = read(values, Augmentation())
    assert not torch.equal(found, plain)
    for channel in range(2):
        assert plain[:, channel].min() <= found[:, channel].min() + 2e-3
        assert found[:, channel].max() <= plain[:, channel].max() + 2e-3
    if len(size) == 1 and asked.crop and not asked.erase:
        moved = found[(found - plain).abs().flatten(1).amax(1) > 0.01]
        assert len(moved)
        assert abs(float(moved[:, :, [0, 1, -2, -1]].abs().min())) < 1e-3  # the mean is 0


@pytest.mark.parametrize("size", [(6, 5), (4, 6, 5)])
def test_numbers_from_0_to_1_are_varied_as_their_bytes(size: tuple[int, ...]) -> None:
    asked = Augmentation(crop=2, erase=0.5, cutmix=0.5)
    values = np.random.default_rng(0).integers(0, 256, (40, 2, *size), np.uint8)
    shares = values.astype(np.float32) / 255
    assert torch.allclose(read(values, asked), read(shares, asked), atol=1e-5)
    assert read(values[:, :1] // 2 + 100, Augmentation(crop=2)).min() < -2  # of bytes 0 is black, used or not
