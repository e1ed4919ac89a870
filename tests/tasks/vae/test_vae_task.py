"""Variational autoencoders from data to use, through the command line."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_latents import STEPS, config, pictures, save_png, table, texts
from torch import nn

from killing import killed_and_resumed
from qkvae import api
from qkvae.cli import main
from qkvae.config import Inference
from qkvae.models import VAE
from qkvae.run import CARD, Run
from qkvae.train import loop


def size_of(path: Path) -> tuple[int, int]:
    """Width and height of a picture."""
    with Image.open(path) as picture:
        return picture.size


@pytest.fixture(scope="module")
def of_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    made = config(pictures(folder), data={"condition": "label"})
    return api.train("vae", made, out=folder / "run", quiet=True).path


@pytest.fixture(scope="module")
def of_rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rows")
    made = config(table(folder), data={"ignore": ("class",)})
    return api.train("vae", made, out=folder / "run", quiet=True).path


@pytest.mark.parametrize("kind", ["pictures", "rows", "texts"])
def test_a_run_that_was_killed_goes_on_to_the_same_bits(kind: str, tmp_path: Path) -> None:
    learning = Inference(beta_schedule="linear", beta_epochs=2, free_nats=0.01)
    if kind == "texts":
        learning = replace(learning, algorithm="em", e_steps=2)
    path = {"pictures": pictures, "rows": table, "texts": texts}[kind](tmp_path)
    made = config(path, learning=learning, model={"latents": (2,) if kind == "texts" else (2, 2)})
    whole, again = killed_and_resumed(
        lambda out: api.train("vae", made, out=out, quiet=True), tmp_path, STEPS // 2 + 1
    )
    for name in ("model.safetensors", CARD):
        assert (again / name).exists(), name
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()


def test_what_is_told_of_pictures(
    of_pictures: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run, png = str(of_pictures), tmp_path / "shown.png"
    one, other = save_png(tmp_path, "a.png"), save_png(tmp_path, "b.png")
    asked = {
        ("--sample", "9", "--like", "3"): (3, 3),
        ("--sample", "9", "--drawn", "data", "--seed", "4"): (3, 3),
    }
    for words, (rows, columns) in asked.items():
        assert main(["use", run, *words, "--png", str(png)]) == 0
        assert size_of(png) == (columns * 58 - 2, rows * 58 - 2)
    assert "9 pictures in" in capsys.readouterr().err
    monkeypatch.setattr("qkvae.tasks.vae.using._ROWS", 4)  # told in pieces it is the same picture
    assert main(["use", run, "--sample", "9", "--seed", "4", "--png", str(png)]) == 0
    pieces = png.read_bytes()
    monkeypatch.undo()
    assert main(["use", run, "--sample", "9", "--seed", "4", "--png", str(png)]) == 0
    assert png.read_bytes() == pieces
    assert main(["use", run, one, "--score"]) == 2  # it was told labels, and a bare picture has none
    assert "qkvae: " in capsys.readouterr().err
    assert main(["use", run, "--sample", "4", "--like", "nine", "--png", str(png)]) == 2
    assert "knows no such label" in capsys.readouterr().err
    assert main(["use", run, "some", "--sample", "--png", str(png)]) == 2
    assert "--sample needs a number" in capsys.readouterr().err
    assert main(["use", run, one, other, "--interpolate", "--json"]) == 2
    assert "--json has no effect on pictures" in capsys.readouterr().err


def test_pictures_without_labels_are_reconstructed_moved_and_encoded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = config(pictures(tmp_path), model={"net": "convolutional", "widths": (4, 8), "prior": "vamp"})
    made = replace(made, model=replace(made.model, components=5))
    run = str(api.train("vae", made, out=tmp_path / "run", quiet=True).path)
    one, other, png = save_png(tmp_path, "a.png"), save_png(tmp_path, "b.png"), tmp_path / "shown.png"
    sizes = {
        ("--reconstruct", one, other): (2, 2),
        ("--interpolate", one, other, "--count", "5"): (5, 1),
        ("--traverse", one, "--count", "7"): (7, 3),
    }
    for words, (columns, rows) in sizes.items():
        assert main(["use", run, *words, "--png", str(png)]) == 0
        assert size_of(png) == (columns * 58 - 2, rows * 58 - 2)
    assert main(["use", run, "--interpolate", one, "--png", str(png)]) == 2
    assert main(["look", run, one, "--out", str(tmp_path / "look.html")]) == 0
    assert "What is kept" in (tmp_path / "look.html").read_text(encoding="utf-8")
    assert main(["use", run, "--encode", one, other, "--out", str(tmp_path / "z.npy")]) == 0
    assert np.load(tmp_path / "z.npy").shape == (2, 3)
    capsys.readouterr()
    assert main(["use", run, one, "--json"]) == 0
    assert {"source", "score", "strange"} == json.loads(capsys.readouterr().out).keys()
    assert main(["prove", run]) == 0


def test_rows_are_scored_drawn_and_measured(
    of_rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, new = str(of_rows), tmp_path / "new.csv"
    new.write_text("age,town,height,class\n40,Turin,80,1\n400,Turin,80,1\n40,Oslo,,0\n", encoding="utf-8")
    assert main(["use", run, str(new), "--score", "--ignore", "class"]) == 0
    told = capsys.readouterr()
    rows = list(csv.reader(io.StringIO(told.out)))
    assert rows[0] == ["row", "score"]
    assert [row[0] for row in rows[1:]] == ["1", "2", "3"]
    assert float(rows[2][1]) > float(rows[1][1])
    assert 'of "town" was unknown in training' in told.err
    assert '1 cell of "height" was without a value' in told.err
    assert "are strange" in told.err
    assert main(["use", run, "--sample", "4"]) == 0
    drawn = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(drawn) == 4
    assert {row["town"] for row in drawn} <= {"Turin", "Pisa", ""}  # a value never seen is an empty cell
    assert main(["use", run, "--reconstruct", str(new), "--json"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6
    assert main(["eval", run, table(tmp_path), "--samples", "7", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["samples"] == 7
    assert found["rows"] == 120
    assert len(found["kl_per_dimension"]) == 3
    assert found["elbo"] == pytest.approx(-found["distortion"] - found["kl"], rel=1e-4)
    assert -found["nll"] > found["elbo"] - 0.2
    assert main(["compare", run, run, table(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "cannot tell"
    assert main(["data", "check", "vae", table(tmp_path)]) == 0
    assert "columns: age" in capsys.readouterr().out
    assert "Drawn anew" in (of_rows / "report.html").read_text(encoding="utf-8")


def few(folder: Path) -> list[str]:
    return [table(folder, "few.csv", 3)]


def infinite(folder: Path) -> list[str]:
    path = Path(table(folder))
    path.write_text(path.read_text(encoding="utf-8").replace("\n", "\ninf,Pisa,m,3,1\n", 1), encoding="utf-8")
    return [str(path)]


def outside(folder: Path) -> list[str]:
    path = folder / "outside.npy"
    np.save(path, np.random.default_rng(0).normal(0, 3, (40, 8, 8)).astype(np.float32))
    return [str(path), "--model.likelihood", "bernoulli"]


REFUSED = {
    "3 rows": (few, "3 rows, but at least 10"),
    "an infinite value": (infinite, "infinite"),
    "pixels outside [0, 1] under a Bernoulli": (outside, "choose a gaussian likelihood"),
    "a likelihood of pictures": (lambda f: [table(f), "--model.likelihood", "gaussian"], "leave it out"),
    "a picture's size": (lambda f: [table(f), "--size", "28"], "no effect on rows"),
    "a column of pictures": (lambda f: [pictures(f), "--ignore", "age"], "no effect on pictures"),
    "labels of rows": (lambda f: [table(f), "--condition", "label"], "no effect on rows"),
    "one draw of IWAE": (lambda f: [table(f), "--bound", "iwae"], "draws is 1"),
    "a beta of IWAE": (lambda f: [table(f), "--bound", "iwae", "--draws", "5", "--beta", "2"], "no effect"),
    "free nats of parts": (
        lambda f: [table(f), "--free-nats", "0.1", "--accumulate", "2"],
        "leave accumulate out",
    ),
    "two kinds of data": (lambda f: [table(f), "--valid", pictures(f)], "give two of one kind"),
    "workers": (lambda f: [table(f), "--workers", "2"], "in memory"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_line(case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make, words = REFUSED[case]
    assert main(["train", "vae", *make(tmp_path), "--steps", "1", "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert told.startswith("qkvae: ")
    assert words in told
    assert not (tmp_path / "run").exists()


def test_what_a_run_cannot_read_is_refused(
    of_rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = tmp_path / "new.csv"
    tables = {
        "age,town,height\nold,Turin,80\n": "is no number, as the others were",
        "age,town,height\n30,5,80\n": "was trained on categories",
        "age,town\n30,Turin\n": 'has no column "height"',
        "age,town,height\n30,Turin,inf\n": "infinite",
    }
    for text, words in tables.items():
        new.write_text(text, encoding="utf-8")
        assert main(["use", str(of_rows), str(new), "--score"]) == 2
        assert words in capsys.readouterr().err
    assert main(["use", str(of_rows), save_png(tmp_path, "a.png")]) == 2
    assert "is no table" in capsys.readouterr().err
    assert main(["use", str(of_rows), "--sample", "3", "--png", str(tmp_path / "a.png")]) == 2
    assert "no effect on rows" in capsys.readouterr().err


def test_pictures_of_another_size_are_refused(
    of_pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "large.npz"
    np.savez(path, images=np.zeros((3, 9, 9), np.uint8), labels=np.zeros(3, np.int64))
    assert main(["use", str(of_pictures), "--reconstruct", str(path), "--png", str(tmp_path / "r.png")]) == 2
    assert "9" in capsys.readouterr().err


def test_the_alarm_fires_on_a_collapse_and_is_silent_on_a_healthy_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = pictures(tmp_path, 200)
    api.train("vae", config(path, steps=150), out=tmp_path / "well")
    assert "warning" not in capsys.readouterr().err
    api.train("vae", config(path, steps=150, learning=Inference(beta=300)), out=tmp_path / "ill")
    told = capsys.readouterr().err
    assert told.count("warning: posterior collapse") == 1
    assert "give a lower --beta than 300" in told


class Stopped(BaseException):
    """Stands for the end of a training that need not take place."""


def test_weights_that_are_given_outlast_how_an_objective_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VampPrior's pseudo-inputs begin as data only where no other weights were given."""
    seen: list[VAE] = []

    def given(model: VAE, *_: object) -> None:
        seen.append(model)
        nn.init.constant_(model.prior.top.inputs, 0.25)  # pyright: ignore[reportArgumentType]

    def stopped(self: object) -> None:
        raise Stopped

    monkeypatch.setattr(api, "_begin", given)
    monkeypatch.setattr(loop.Loop, "fit", stopped)
    made = config(pictures(tmp_path), model={"prior": "vamp", "components": 3})
    with pytest.raises(Stopped):
        api.train("vae", made, out=tmp_path / "run", quiet=True)
    assert (seen[0].prior.top.inputs == 0.25).all()


def test_a_run_of_pictures_is_a_base_for_pictures_of_its_shape(
    of_pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, out = pictures(tmp_path), tmp_path / "tuned"
    words = ["train", "vae", data, "--condition", "label", "--from", str(of_pictures), "--steps", "2"]
    assert main([*words, "--batch-tokens", "20", "--optimizer.lr", "1e-9", "--out", str(out)]) == 0
    assert "numbers are taken" in capsys.readouterr().err
    before, after = (Run.open(path).load_model() for path in (of_pictures, out))
    assert before.keys() == after.keys()
    assert all(torch.allclose(before[name], after[name], atol=1e-5) for name in before)
    assert main([*words, "--model.widths", "8", "--out", str(tmp_path / "other")]) == 2
    assert "the architecture comes with the weights" in capsys.readouterr().err
    values = np.arange(40 * 36).reshape(40, 6, 6) % 256
    np.savez(data, images=values.astype(np.uint8), labels=np.arange(40) % 7)
    assert main([*words, "--out", str(tmp_path / "other")]) == 2
    assert "the data are of shape (1, 6, 6)" in capsys.readouterr().err


def test_a_run_of_rows_is_no_base(of_rows: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "vae", "--from", str(of_rows), "--steps", "1", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    assert "scaling are those of its own data" in capsys.readouterr().err
