"""What is deep, animated, turned on its side, rare or of several labels, from files to answers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_grids import TINY, pictures, write_folder

from qkvae import api
from qkvae.cli import main
from qkvae.config import (
    Block,
    LinearClasses,
    MaskedImage,
    MaskedImageModeling,
    Patches,
    PictureData,
    Training,
    Vision,
)
from qkvae.data.arrays import as_grids
from qkvae.data.npz import label_names
from qkvae.data.pairs import Tally
from qkvae.data.picture_decoding import decode
from qkvae.data.splits import without_unmet
from qkvae.loaded import load
from qkvae.models import build
from qkvae.tasks.foreign import export, import_folder
from qkvae.tasks.grids import read_grids
from qkvae.tasks.masked_image_modeling.evaluate import compare, evaluate
from qkvae.train.base import Base, give

BLOCK = Block(dim=16, heads=2, hidden=32, positions="learned", dropout=0.0)


def test_what_was_handled_of_a_file_is_said_when_it_is_used(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_folder(tmp_path / "pictures", 40)
    assert (
        main(
            [
                "train",
                "image-classification",
                str(data),
                *TINY,
                "--steps",
                "1",
                "--out",
                str(tmp_path / "run"),
            ]
        )
        == 0
    )
    frames = [Image.new("L", (8, 8), each) for each in (0, 255)]
    frames[0].save(tmp_path / "moves.gif", save_all=True, append_images=frames[1:])
    capsys.readouterr()
    assert main(["use", str(tmp_path / "run"), str(tmp_path / "moves.gif")]) == 0
    assert "animated" in capsys.readouterr().err
    assert main(["use", str(tmp_path / "run"), str(next(data.rglob("*.png")))]) == 0
    assert "note" not in capsys.readouterr().err
    large = [str(tmp_path / f"{number}.png") for number in range(7)]
    for name in large:
        Image.new("L", (20, 10)).save(name)
    assert main(["use", str(tmp_path / "run"), *large]) == 0
    assert capsys.readouterr().err == (
        "note: 7 pictures were scaled and cut to 8 × 8 (0.png: 10 × 20, 1.png: 10 × 20, 2.png: 10 × 20, …)\n"
    )


def test_several_labels_need_no_setting_and_stay_several_through_an_export(tmp_path: Path) -> None:
    values, labels = pictures(40)
    lines: list[str] = []
    for number, (value, label) in enumerate(zip(values, labels, strict=True)):
        Image.fromarray(value).save(tmp_path / f"{number}.png")
        lines.append(json.dumps({"path": f"{number}.png", "label": [label, "all"]}))
    (tmp_path / "data.jsonl").write_text("\n".join(lines))
    made: dict[str, Any] = {
        "model": {
            "block": {"dim": 16, "heads": 2, "hidden": 32},
            "depth": 1,
            "leading": 1,
            "conv_size": 0,
            "patches": {"patch": [4], "embedding": "linear"},
            "head": {"pooling": "class"},
        },
        "training": {"steps": 1, "batch_tokens": 64, "device": "cpu", "precision": "fp32"},
        "data": {"paths": [str(tmp_path / "data.jsonl")]},
    }
    pytest.importorskip("safetensors")
    run = api.train("image-classification", made, out=tmp_path / "run", quiet=True)
    export(run.path, tmp_path / "vit")
    again = import_folder(tmp_path / "vit", tmp_path / "again")
    one = [str(tmp_path / "0.png")]
    first, second = (cast("Any", next(iter(load(path).use(one)))) for path in (run.path, again.path))
    assert first.probabilities == pytest.approx(second.probabilities, abs=1e-4)


def masked(path: Path, patch: int, out: Path) -> Any:
    model = MaskedImage(
        block=BLOCK, depth=1, patches=Patches(patch=(patch,)), decoder_block=BLOCK, decoder_depth=1
    )
    training = Training(steps=1, batch_tokens=64, validations=1, device="cpu", precision="fp32")
    config = MaskedImageModeling(data=PictureData(paths=(str(path),)), model=model, training=training)
    return api.train("masked-image-modeling", config, out=out, quiet=True).answerer


def test_the_error_of_hidden_patches_is_that_of_numbers_beyond_white_too(tmp_path: Path) -> None:
    path = tmp_path / "n.npz"
    np.savez(path, images=np.random.default_rng(0).normal(size=(30, 8, 8)).astype(np.float32))
    one, other = masked(path, 2, tmp_path / "one"), masked(path, 4, tmp_path / "other")
    found = PictureData(paths=(str(path),))
    some = read_grids(found, [str(path)], None, 1, False, one.form)
    told = next(iter(one.tell(some)))
    hidden = ~torch.isclose(told.seen, told.shares, rtol=0, atol=0)
    want = float((told.told - told.shares)[hidden].square().mean())
    assert float(told.shares.min()) < -1
    assert evaluate(one, some)["mse"] == pytest.approx(want, rel=1e-4)
    with pytest.raises(ValueError, match=r"patches of 2 × 2 and .* patches of 4 × 4"):
        compare(one, other, some)


def test_a_label_that_is_nan_is_no_class() -> None:
    with pytest.raises(ValueError, match="label 3 is NaN"):
        label_names(np.array([0.0, 1.0, np.nan]), 3, "some.npz")


@pytest.mark.parametrize(
    ("kind", "low", "high"), [(np.int32, 0, 255), (np.int32, 0, 4095), (np.float32, -5, 0)]
)
def test_deep_pictures_keep_their_range(kind: Any, low: int, high: int, tmp_path: Path) -> None:
    path = tmp_path / "deep.tiff"
    Image.fromarray(np.linspace(low, high, 64).reshape(8, 8).astype(kind)).save(path)
    found = decode(path.read_bytes(), (8, 8), 1, "stretch", 2**20)
    assert (found.min(), found.max()) == (0, 255)


@pytest.mark.parametrize(
    ("shape", "axes", "want"),
    [
        ((40, 12, 187), 1, (40, 12, 187)),
        ((40, 187, 12), 1, (40, 12, 187)),
        ((9, 6, 16, 16), 2, (9, 6, 16, 16)),
        ((9, 16, 16, 6), 2, (9, 6, 16, 16)),
        ((9, 8, 8, 8), 2, (9, 8, 8, 8)),
    ],
)
def test_the_shorter_axis_holds_the_channels(
    shape: tuple[int, ...], axes: int, want: tuple[int, ...]
) -> None:
    assert as_grids(np.zeros(shape, np.uint8), axes, "some", Tally())[0].shape == want


def test_a_class_of_one_example_is_never_split_off() -> None:
    hashes, labels = np.arange(10, dtype=np.uint64), ["rare", *["often"] * 9]
    chosen, kept = without_unmet(hashes == 0, hashes, labels)
    assert np.flatnonzero(chosen).tolist() == [1]
    assert kept == [0]
    with pytest.raises(ValueError, match="each class has one example alone"):
        without_unmet(hashes == 0, hashes, [str(n) for n in range(10)])


def test_positions_of_a_picture_on_its_side_are_stretched(tmp_path: Path) -> None:
    patches = Patches(patch=(2,), size=(4, 8), channels=1)
    high = Vision(block=BLOCK, depth=1, patches=patches, head=LinearClasses(count=2))
    wide = replace(high, patches=replace(patches, size=(8, 4)))
    base, here = build(high), build(wide)
    known = base.state_dict()
    give(here, Base(path=tmp_path, what="a run", settings=high, state=known, tokenizer=None, digest=""))
    table = here.state_dict()["input.positions.table"]
    assert table.shape == known["input.positions.table"].shape
    assert not torch.equal(table, known["input.positions.table"])


def test_a_deep_pgm_keeps_its_place_in_the_range_of_its_format() -> None:
    values = np.linspace(0, 4095, 64).astype(">u2")
    found = decode(b"P5 8 8 65535\n" + values.tobytes(), (8, 8), 1, "stretch", 2**20)
    assert (found.min(), found.max()) == (0, 15)


def test_classes_of_one_source_are_counted_together() -> None:
    hashes = np.array([0, 0, 1], np.uint64)
    chosen, _ = without_unmet(np.array([False, False, True]), hashes, ["yes", "no", "yes"])
    assert chosen.tolist() == [False, False, True]
    with pytest.raises(ValueError, match="each class has one example alone"):
        without_unmet(np.array([True, True, False]), hashes, ["yes", "no", "maybe"])


def test_runs_of_two_sizes_are_compared_each_at_its_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, runs = write_folder(tmp_path / "pictures", 40), [str(tmp_path / size) for size in ("8", "16")]
    for run in runs:
        typed = ["train", "image-classification", str(data), *TINY, "--steps", "1", "--out", run]
        assert main([*typed, "--size", Path(run).name]) == 0
    capsys.readouterr()
    assert main(["compare", *runs, str(data), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for run, told in zip(runs, ("first", "second"), strict=True):
        assert main(["eval", run, str(data), "--json"]) == 0
        alone = json.loads(capsys.readouterr().out)
        assert found[told] == pytest.approx(alone["accuracy"])
