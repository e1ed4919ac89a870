"""From pictures to a classifier, through the verbs."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_grids import TINY, pictures, tiny, write_folder

from killing import resumes_to_the_same_bits
from qkvae import api
from qkvae.cli import main
from qkvae.config import Augmentation, GridLearning, ImageClassification, PictureData


def configured(path: Path | None, steps: int, **data: Any) -> ImageClassification:
    paths = () if path is None else (str(path),)
    return ImageClassification(
        data=PictureData(paths=paths, valid_fraction=0.2, **data),
        **tiny(steps),  # type: ignore[arg-type]
    )


def train(config: Any, out: Path) -> Any:
    return api.train("image-classification", config, out=out, quiet=True)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures to test on and a run that has learned; not to be changed."""
    folder = tmp_path_factory.mktemp("pictures")
    write_folder(folder / "test", 40, seed=1)
    train(configured(write_folder(folder / "train", 120), 40), folder / "run")
    return folder


def test_what_decides_the_class_is_learned(once: Path) -> None:
    run = api.load(once / "run")
    found = run.evaluate(once / "test")
    assert found["accuracy"] > 0.9
    assert found["pictures"] == 40
    assert sum(sum(row.values()) for row in found["taken_as"].values()) == 40
    assert run.config.model.patches.size == (8, 8)
    assert run.config.data.size == "8x8"


def test_an_evaluation_says_what_the_answers_say(once: Path) -> None:
    run = api.load(once / "run")
    files = sorted((once / "test").rglob("*.png"))
    right = [
        answer.labels[0] == file.parent.name
        for file, answer in zip(files, run.use(map(str, files)), strict=True)
    ]
    assert np.mean(right) == pytest.approx(run.evaluate(once / "test")["accuracy"])


def test_at_the_command_line(once: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, test = str(once / "run"), str(once / "test")
    one = str(next((once / "test" / "above").iterdir()))
    assert main(["use", run, one, "--top", "2"]) == 0
    name, best, p, other, _ = capsys.readouterr().out.rstrip("\n").split("\t")
    assert (name, best, other) == (one, "above", "below")
    assert 0.5 < float(p) <= 1
    assert main(["use", run, str(once / "test" / "below"), "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {record["labels"][0] for record in records} == {"below"}
    assert main(["eval", run, test, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["macro_f1"] > 0.9
    assert main(["compare", run, run, test, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "cannot tell"
    assert main(["data", "check", "image-classification", test]) == 0
    assert "size 8 × 8" in capsys.readouterr().out


def test_the_report_and_the_card_say_what_was_found(once: Path) -> None:
    report = (once / "run" / "report.html").read_text(encoding="utf-8")
    for part in ("What was taken for what", "Is it as right as it is sure?", "The most confident mistakes"):
        assert part in report
    assert _looked_at(report).count("data:image/png;base64,") >= 4 * 4  # itself and three maps, each
    for part in ("Grad-CAM for", "attention rollout", "occlusion, “", "random order", "area, covered"):
        assert _looked_at(report).count(part) >= 4
    assert "pipeline_tag: image-classification" in (once / "run" / "README.md").read_text(encoding="utf-8")


def test_a_measurement_can_be_shown_on_a_page(
    once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With every label turned round almost all are confident mistakes."""
    for here, there in (("above", "below"), ("below", "above")):
        shutil.copytree(once / "test" / here, tmp_path / "wrong" / there)
    asked, page = ["eval", str(once / "run"), str(tmp_path / "wrong")], tmp_path / "page.html"
    assert main([*asked, "--report", str(page), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] < 0.1
    text = page.read_text(encoding="utf-8")
    for part in ("What was taken for what", "Is it as right as it is sure?", "Pictures of the data that"):
        assert part in text
    mistakes = text.split("The most confident mistakes</h2>")[1].split("</section>")[0]
    assert mistakes.count("data:image/png;base64,") == 15
    assert "qkvae eval · run" in text
    assert main([*asked, "--report", str(tmp_path / "nowhere" / "page.html")]) == 2
    assert "choose another --report" in capsys.readouterr().err


def _looked_at(report: str) -> str:
    """The section of where it looked."""
    return report.split("Where it looked</h2>")[1].split("</section>")[0]


def test_a_page_shows_where_it_looked(once: Path, tmp_path: Path) -> None:
    picture = next((once / "test" / "above").iterdir())
    page = api.load(once / "run").look(str(picture), tmp_path / "look.html").read_text(encoding="utf-8")
    for part in ("occlusion", "attention rollout", "Grad-CAM for each block", "head 1", "random order"):
        assert part in page
    assert page.count("data:image/png;base64,") == 1 + 4 + 2 * 2 + 2 * 2


def test_a_class_and_a_block_can_be_asked_for(
    once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["look", str(once / "run"), str(next((once / "test" / "above").iterdir()))]
    out = ["--out", str(tmp_path / "look.html")]
    assert main([*asked, "--class", "below", "--block", "1", *out]) == 0
    page = (tmp_path / "look.html").read_text(encoding="utf-8")
    for part in ("What decided for “below”", "p(below) while patches are shown", "Grad-CAM, block 1"):
        assert part in page
    assert page.index("<h3>below (") < page.index("<h3>above (")
    capsys.readouterr()
    for flags, said in (
        (["--class", "belov"], 'class "belov" is none of the 2 classes of the run: did you mean "below"?'),
        (["--block", "3"], "block 3, but the model has 2: choose 1 to 2"),
        (["--block", "0"], "block 0, but the model has 2: choose 1 to 2"),
    ):
        assert main([*asked, *flags, "--out", str(tmp_path / "none.html")]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "none.html").exists()


def test_every_promise_holds_on_a_trained_run(once: Path) -> None:
    assert not [row for row in api.load(once / "run").prove() if not row.holds]


def test_bad_pictures_end_in_one_line(once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "cut.png").write_bytes(next((once / "test" / "above").iterdir()).read_bytes()[:60])
    (tmp_path / "text.jpg").write_text("no picture", encoding="utf-8")
    Image.new("1", (9000, 9000)).save(tmp_path / "bomb.png")
    for name in ("cut.png", "text.jpg", "bomb.png", "missing.png"):
        assert main(["use", str(once / "run"), str(tmp_path / name)]) == 2
        said = capsys.readouterr()
        assert said.err.count("\n") == 1
        assert name in said.err
        assert not said.out


def test_pictures_of_any_size_and_kind_are_brought_to_the_runs(once: Path, tmp_path: Path) -> None:
    large = np.zeros((64, 48, 3), np.uint8)
    large[:32] = 200
    Image.fromarray(large).convert("CMYK").save(tmp_path / "large.jpg")
    assert api.load(once / "run").use(str(tmp_path / "large.jpg")) == "above"


@pytest.mark.parametrize("form", ["idx", "npz", "csv"])
def test_arrays_and_tables_are_learned_from(form: str, tmp_path: Path) -> None:
    values, labels = pictures(60)
    numbers = np.array([label == "below" for label in labels], np.uint8)
    paths = [tmp_path / f"some.{form}"]
    if form == "idx":
        paths = [tmp_path / f"train-{name}-ubyte.gz" for name in ("images-idx3", "labels-idx1")]
        for path, array in zip(paths, (values, numbers), strict=True):
            head = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
            path.write_bytes(gzip.compress(head + array.tobytes()))
    elif form == "npz":
        np.savez(paths[0], x_train=values, y_train=numbers)
    else:
        folder = write_folder(tmp_path / "held", 60)
        rows = [
            f"{file.relative_to(tmp_path)},{file.parent.name}\n" for file in sorted(folder.rglob("*.png"))
        ]
        paths[0].write_text("".join(["path,label\n", *rows]), encoding="utf-8")
    typed = list(map(str, paths))
    assert (
        main(["train", "image-classification", *typed, *TINY, "--steps", "2", "--out", str(tmp_path / "run")])
        == 0
    )
    assert api.load(tmp_path / "run").evaluate(typed)["pictures"] == 60


def test_every_way_of_varying_goes_through(once: Path, tmp_path: Path) -> None:
    config = configured(once / "train", 3)
    varied = Augmentation(crop=1, zoom=0.2, flip=0.5, operations=1, erase=0.3, mixup=0.2, cutmix=1.0)
    learning = GridLearning(class_weights="balanced", label_smoothing=0.1)
    run = train(
        ImageClassification(
            data=config.data,
            model=config.model,
            training=config.training,
            augmentation=varied,
            learning=learning,
        ),
        tmp_path / "run",
    )
    assert run.info()["steps"] == 3


def test_settings_without_effect_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = ["--steps", "1", "--out", str(tmp_path / "run")]
    for flags, said in (
        (["--size", "16"], "size 16 has no effect on the embedded data"),
        (["--crop", "8"], "crop is 8, but the smallest side is 8"),
        (["--model.patch", "3"], "no multiple of the patch's 3"),
    ):
        assert main(["train", "image-classification", *TINY[:8], *flags, *out]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_killed_run_goes_on_to_the_same_bits(once: Path, tmp_path: Path) -> None:
    config = configured(once / "train", 8)
    assert resumes_to_the_same_bits(lambda out: train(config, out), tmp_path, step=5)
