"""From pictures to a masked autoencoder, and from it to a classifier, through the verbs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from killing import resumes_to_the_same_bits
from qkvae import api
from qkvae.cli import main
from qkvae.config import Block, MaskedImage, MaskedImageModeling, Patches, PictureData, Training
from qkvae.data.picture_batches import PictureBatch
from qkvae.models import build
from qkvae.tasks.grids import filled_grid, read_corpus
from qkvae.tasks.masked_image_modeling.objective import MaskedObjective

BLOCK = Block(dim=16, heads=2, hidden=32, activation="gelu", positions="learned", dropout=0.0)
FAST = ["--device", "cpu", "--precision", "fp32", "--validations", "1"]


def configured(paths: tuple[str, ...] = (), steps: int = 3) -> MaskedImageModeling:
    model = MaskedImage(
        block=BLOCK, depth=1, patches=Patches(patch=(2,)), decoder_block=BLOCK, decoder_depth=1
    )
    training = Training(steps=steps, batch_tokens=512, validations=1, device="cpu", precision="fp32")
    return MaskedImageModeling(data=PictureData(paths=paths), model=model, training=training)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a picture and a run that has learned from the digits; not to be changed."""
    folder = tmp_path_factory.mktemp("masked")
    api.train("masked-image-modeling", configured(), out=folder / "run", quiet=True)
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8) * 4).save(folder / "one.png")
    return folder


def test_its_drawing_has_what_was_seen_told_and_true(
    once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["use", str(once / "run"), str(once / "one.png"), "--folder", str(tmp_path), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    drawn = np.asarray(Image.open(record["drawing"]))
    side = drawn.shape[0]
    seen, told, true = (drawn[:, start : start + side] for start in range(0, 3 * side, side + 2))
    same = (seen == true).all(-1)
    assert same[:: side // 8, :: side // 8].mean() == record["seen"] == 0.25
    assert (told[same] == true[same]).all()
    assert record["loss"] > 0


def test_at_the_command_line(once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, one = str(once / "run"), str(once / "one.png")
    assert main(["eval", run, one, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["pictures"] == 1
    assert main(["look", run, one, "--out", str(tmp_path / "look.html")]) == 0
    assert (tmp_path / "look.html").read_text(encoding="utf-8").count("data:image/png") == 4
    assert "data:image/png" in (once / "run" / "report.html").read_text(encoding="utf-8")


def test_the_folder_of_the_drawings_is_made_with_the_first_one(
    once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, one, folder = str(once / "run"), str(once / "one.png"), tmp_path / "drawings"
    assert main(["use", run, str(tmp_path / "none.png"), "--folder", str(folder)]) == 2
    assert not folder.exists()
    assert main(["use", run, one, "--folder", f"{folder}/"]) == 0
    assert [path.name for path in folder.iterdir()] == ["one.told.png"]
    capsys.readouterr()
    for place, said in {
        str(
            tmp_path / "no" / "where"
        ): f"{tmp_path / 'no'} is no folder: make it, or choose another --folder",
        one: f"{one} is a file, and drawings need a folder: choose another --folder",
    }.items():
        assert main(["use", run, one, "--folder", place]) == 2
        assert capsys.readouterr().err == f"qkvae: {said}\n"


def test_every_promise_holds_on_a_trained_run(once: Path) -> None:
    assert not [row for row in api.load(once / "run").prove() if not row.holds]


def test_a_classifier_begins_with_it_and_its_positions_are_stretched(once: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "pictures"
    for number in range(20):
        (pictures / str(number % 2)).mkdir(parents=True, exist_ok=True)
        values = np.full((12, 12), 20 + number + 90 * (number % 2), np.uint8)
        Image.fromarray(values).save(pictures / str(number % 2) / f"{number}.png")
    out = tmp_path / "tuned"
    typed = ["train", "image-classification", str(pictures), "--from", str(once / "run"), "--steps", "1"]
    typed += [*FAST, "--optimizer.lr", "1e-9", "--out"]
    assert main([*typed, str(tmp_path / "same")]) == 0
    assert api.load(tmp_path / "same").config.data.size == "8x8"
    assert main([*typed, str(out), "--size", "12"]) == 0
    base, tuned = (api.load(path).model.state_dict() for path in (once / "run", out))
    assert torch.allclose(base["stack.norm.weight"], tuned["stack.norm.weight"], atol=1e-6)
    known, table = (state["input.positions.table"] for state in (base, tuned))
    assert (len(known), len(table)) == (16, 36)
    corners = [0, 5, 30, 35]
    assert torch.nn.functional.cosine_similarity(known[[0, 3, 12, 15]], table[corners]).min() > 0.9


def test_what_is_hidden_depends_on_the_seed_and_the_batch_only() -> None:
    config = configured()
    corpus = read_corpus(config.data, 1, labelled=False)
    config = filled_grid(config, corpus)

    objective = MaskedObjective(build(config.model), corpus, config)
    stream = objective.batches(0)
    first, second = next(stream), next(stream)
    again = next(objective.batches(1))
    assert torch.equal(second.kept, again.kept)
    assert not torch.equal(first.kept, second.kept)
    assert first.kept.shape == (32, 4)
    whole = objective.loss(first).total
    parts = sum(objective.loss(part).total for part in objective.parts(first, 3))
    assert torch.allclose(whole, torch.as_tensor(parts), rtol=1e-5)
    assert isinstance(first.pictures, PictureBatch)


def test_inputs_of_the_same_name_have_drawings_of_their_own(once: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "one.png").write_bytes((once / "one.png").read_bytes())
    run = api.load(once / "run")
    inputs = [str(tmp_path / folder / "one.png") for folder in ("a", "b")]
    told = list(run.use(inputs, replace(run.config.generation, folder=str(tmp_path))))
    assert [Path(each.text).name for each in told] == ["one.told.png", "one.2.told.png"]
    assert all(Path(each.text).is_file() for each in told)


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    def train(out: Path) -> None:
        api.train("masked-image-modeling", configured(steps=6), out=out, quiet=True)

    assert resumes_to_the_same_bits(train, tmp_path, step=4)


def test_a_classifier_that_began_with_it_is_killed_and_goes_on_to_the_same_bits(
    once: Path, tmp_path: Path
) -> None:
    training = {"steps": 6, "batch_tokens": 512, "validations": 1, "device": "cpu", "precision": "fp32"}

    def train(out: Path) -> None:
        asked = {"training": training}
        api.train("image-classification", asked, base=once / "run", out=out, quiet=True)

    assert resumes_to_the_same_bits(train, tmp_path, step=4)
