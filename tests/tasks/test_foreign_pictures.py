"""Runs of pictures go to Hugging Face folders and come back: the same pictures in, the same logits out."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.testing import assert_close

from qkvae import api, config
from qkvae.cli import main
from qkvae.data.picture_format import PictureFormat
from qkvae.interop import huggingface
from qkvae.loaded import load
from qkvae.tasks.foreign import export, import_folder

pytestmark = pytest.mark.filterwarnings("ignore:.*requires torchvision")
BLOCK = config.Block(dim=16, heads=2, hidden=24, activation="gelu", positions="learned", dropout=0.0)
TRAINING = config.Training(steps=2, batch_tokens=128, validations=1, device="cpu", precision="fp32")


def photos(folder: Path, mode: str, size: tuple[int, int] = (16, 16)) -> Path:
    """Two classes of pictures that hold noise."""
    if folder.exists():
        return folder
    draw = np.random.default_rng(0)
    for number in range(24):
        place = folder / ("cat", "dog")[number % 2]
        place.mkdir(parents=True, exist_ok=True)
        noise = draw.integers(0, 256, (*size, 3), np.uint8)
        Image.fromarray(noise).convert(mode).save(place / f"{number:02}.png")
    return folder


def trained(out: Path, mode: str = "RGB", fit: Any = "crop", **model: Any) -> Path:
    """A classifier that has all that ViT has, unless a part is asked for."""
    made = config.Vision(**{"block": BLOCK, "depth": 1, "patches": config.Patches(patch=(4,)), **model})
    data = config.PictureData(paths=(str(photos(out.parent / "photos", mode)),), size="8", fit=fit)
    settings = config.ImageClassification(data=data, model=made, training=TRAINING)
    api.train("image-classification", settings, out=out, quiet=True)
    return out


def masked(out: Path) -> Path:
    model = config.MaskedImage(
        block=BLOCK,
        depth=1,
        patches=config.Patches(patch=(4,)),
        decoder_block=replace(BLOCK, positions="sinusoidal"),
        decoder_depth=1,
    )
    data = config.PictureData(paths=(str(photos(out.parent / "photos", "RGB")),), size="8")
    settings = config.MaskedImageModeling(
        data=data, model=model, training=TRAINING, learning=config.PatchMasking(seen=0.5)
    )
    api.train("masked-image-modeling", settings, out=out, quiet=True)
    return out


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, a run that ViT can be, and where that was written; not to be changed."""
    folder = tmp_path_factory.mktemp("once")
    export(trained(folder / "run"), folder / "vit")
    return folder


@pytest.mark.peer
@pytest.mark.parametrize(("mode", "fit"), [("RGB", "crop"), ("L", "stretch")])
def test_transformers_reads_a_file_and_tells_what_we_tell(mode: str, fit: str, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    run = load(trained(tmp_path / "run", mode, fit))
    folder = export(run.path, tmp_path / "vit")
    processor = transformers.AutoImageProcessor.from_pretrained(folder)
    theirs = transformers.AutoModelForImageClassification.from_pretrained(folder).eval()
    for path in sorted((tmp_path / "photos" / "dog").iterdir())[:3]:
        with torch.no_grad():
            logits = theirs(**processor(Image.open(path), return_tensors="pt")).logits[0]
        told = {theirs.config.id2label[place]: float(p) for place, p in enumerate(logits.softmax(0))}
        (answer,) = run.use([str(path)])
        assert answer.record()["probabilities"] == pytest.approx(told, abs=1e-4)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such modes")
def test_who_may_read_one_file_may_read_all(once: Path) -> None:
    for folder in ("run", "vit"):
        modes = {path.name: path.stat().st_mode for path in (once / folder).iterdir() if path.is_file()}
        assert "model.safetensors" in modes
        assert len(set(modes.values())) == 1, modes


def test_a_classifier_comes_back(once: Path, tmp_path: Path) -> None:
    run = load(once / "run")
    again = load(import_folder(once / "vit", tmp_path / "again").path)
    paths = [str(path) for path in (once / "photos" / "cat").iterdir()]
    for one, other in zip(run.use(paths), again.use(paths), strict=True):
        assert one.record()["probabilities"] == pytest.approx(other.record()["probabilities"], abs=1e-6)
    assert again.run.task == "image-classification"
    assert again.config.data.size == "8x8"
    nll = [each.evaluate(once / "photos")["nll"] for each in (run, again)]
    assert nll[0] == pytest.approx(nll[1], abs=1e-6)
    assert not [row for row in again.prove() if not row.holds]


def test_a_masked_autoencoder_comes_back_and_is_a_beginning(tmp_path: Path) -> None:
    run = load(masked(tmp_path / "run"))
    folder = export(run.path, tmp_path / "mae")
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["mask_ratio"] == 0.5
    again = load(import_folder(folder, tmp_path / "again").path)
    assert (again.run.task, again.config.learning.seen) == ("masked-image-modeling", 0.5)
    figures = [each.evaluate(tmp_path / "photos")["loss"] for each in (run, again)]
    assert figures[0] == pytest.approx(figures[1], abs=1e-6)
    words = ["train", "image-classification", str(tmp_path / "photos"), "--from", str(folder), "--size", "8"]
    words += ["--steps", "1", "--device", "cpu", "--precision", "fp32", "--model.head.pooling", "class"]
    assert main([*words, "--out", str(tmp_path / "tuned")]) == 0
    assert main(["export", str(tmp_path / "tuned"), str(tmp_path / "vit")]) == 0
    assert json.loads((tmp_path / "vit/config.json").read_text(encoding="utf-8"))["model_type"] == "vit"


@pytest.mark.parametrize(
    ("change", "said", "cure"),
    [
        (
            {"patches": config.Patches(patch=(4,), embedding="stem")},
            "embedding is stem, but ViT has linear",
            "--model.embedding linear",
        ),
        (
            {"head": config.LinearClasses(pooling="mean")},
            "pooling is mean, but ViT has class",
            "--model.head.pooling class",
        ),
        ({"conv_size": 3}, "conv_size is 3, but ViT has 0", "--model.conv-size 0"),
        (
            {"leading": 0, "head": config.LinearClasses(pooling="mean")},
            "leading is 0, but ViT has 1; head.pooling is mean, but ViT has class",
            "--model.leading 1 --model.head.pooling class",
        ),
    ],
)
def test_what_vit_lacks_is_named_with_what_to_train(
    change: Any, said: str, cure: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = trained(tmp_path / "run", **change)
    assert main(["export", str(run), str(tmp_path / "vit")]) == 2
    told = capsys.readouterr().err
    assert said in told
    assert f"train it with {cure}\n" in told
    assert told.count("\n") == 1
    assert not (tmp_path / "vit").exists()


def test_folders_that_do_not_say_how_pictures_are_read(
    once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(once / "vit", tmp_path / "vit")
    path = folder / "preprocessor_config.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for change, said in (
        ({"crop_size": 9}, "pictures become 9 × 9, but the model reads 8 × 8"),
        ({"image_mean": [0.5]}, "image_mean has 1 channel, but the model reads 3"),
        ({"image_mean": "grey"}, "is damaged"),
        (None, "does not exist, which says how pictures are brought to the model"),
    ):
        path.write_text(json.dumps(told | (change or {})), encoding="utf-8")
        if change is None:
            path.unlink()
        assert main(["import", str(folder), "--out", str(tmp_path / "again")]) == 2
        assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    "told", [{}, {"do_rescale": False}, {"do_normalize": False}, {"rescale_factor": 0.5}]
)
def test_their_scale_is_ours(told: dict[str, Any], tmp_path: Path) -> None:
    """x = (v · factor − mean) / std, of every number that a byte can be."""
    usual = {"size": 8, "image_mean": [0.4], "image_std": [0.2]}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(usual | told), encoding="utf-8")
    form, fit = huggingface.read_processor(tmp_path, (8, 8), 1)
    values = torch.arange(256.0).view(256, 1, 1, 1)
    factor = 1.0 if "do_rescale" in told else told.get("rescale_factor", 1 / 255)
    expected = values * factor if "do_normalize" in told else (values * factor - 0.4) / 0.2
    assert_close(form.normalised(form.shares(values)), expected, rtol=1e-5, atol=1e-5)
    assert fit == "stretch"


def test_what_cannot_be_resized_there_is_not(tmp_path: Path) -> None:
    square, wide = (PictureFormat(size, 1, 255.0, (0.5,), (0.5,)) for size in ((8, 8), (8, 12)))
    for given, fit, resized in ((square, "crop", True), (wide, "crop", False), (wide, "pad", False)):
        huggingface.write_processor(tmp_path, given, fit)
        told = json.loads((tmp_path / "preprocessor_config.json").read_text(encoding="utf-8"))
        assert told["do_resize"] == resized
