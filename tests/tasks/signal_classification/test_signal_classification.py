"""From signals to a classifier, through the verbs: rows of a table, arrays, the embedded waves."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qkvae import api
from qkvae.cli import main

TINY = [
    *("--model.dim", "16", "--model.heads", "2", "--model.hidden", "32", "--model.depth", "1"),
    *("--model.patch", "4", "--batch-tokens", "256", "--validations", "2"),
    *("--model.stochastic-depth", "0", "--device", "cpu", "--precision", "fp32"),
]


def waves(count: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Slow and quick waves of 24 numbers, of any phase, with noise."""
    draw = np.random.default_rng(seed)
    quick = draw.integers(0, 2, count)
    turns = np.where(quick, 6, 2)[:, None] * np.arange(24) / 24 + draw.uniform(0, 1, (count, 1))
    values = np.sin(2 * np.pi * turns) + draw.normal(0, 0.1, turns.shape)
    return values.astype(np.float32), [("slow", "quick")[each] for each in quick]


def table(path: Path, count: int, seed: int = 0, labelled: bool = True) -> Path:
    values, labels = waves(count, seed)
    rows = [",".join([*(f"t{n}" for n in range(24)), *["rhythm"] * labelled])]
    for row, label in zip(values, labels, strict=True):
        rows.append(",".join([*(f"{number:.4f}" for number in row), *[label] * labelled]))
    path.write_text("\n".join(rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that tells slow from quick waves, and a table to test it on; not to be changed."""
    folder = tmp_path_factory.mktemp("signals")
    table(folder / "test.csv", 40, seed=1)
    words = ["train", "signal-classification", str(table(folder / "train.csv", 200)), "--label", "rhythm"]
    assert main([*words, *TINY, "--steps", "60", "--out", str(folder / "run")]) == 0
    return folder


def test_rows_of_a_table_are_told_apart(
    once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, test = str(once / "run"), str(once / "test.csv")
    assert main(["eval", run, test, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] > 0.9
    assert found["signals"] == 40
    asked = table(tmp_path / "asked.csv", 40, seed=1, labelled=False)
    assert main(["use", run, str(asked)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("\t")[0] for line in lines[:2]] == [f"{asked}: line {n}" for n in (2, 3)]
    right = [line.split("\t")[1] == label for line, label in zip(lines, waves(40, 1)[1], strict=True)]
    assert np.mean(right) == pytest.approx(found["accuracy"])


def test_an_array_is_read_like_a_table(once: Path, tmp_path: Path) -> None:
    values, labels = waves(40, seed=1)
    np.savez(tmp_path / "test.npz", x=values, y=labels)
    run = api.load(once / "run")
    found, expected = run.evaluate(tmp_path / "test.npz", label="y"), run.evaluate(once / "test.csv")
    assert found["accuracy"] == expected["accuracy"]
    assert found["nll"] == pytest.approx(expected["nll"], abs=1e-3)  # the table has four decimals


def test_they_are_called_what_they_are(
    once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values, _ = waves(12)
    np.save(tmp_path / "some.npy", np.concatenate([values, values[:1]]))
    assert main(["use", str(once / "run"), str(tmp_path / "some.npy")]) == 0
    told = capsys.readouterr()
    assert told.out.startswith(f"{tmp_path / 'some.npy'}: signal 1\t")
    assert "1 exact duplicate of an earlier signal was kept (signal 13)" in told.err
    np.savez(tmp_path / "one.npz", x=values[:1], y=np.array(["slow"]))
    words = [str(tmp_path / "one.npz"), "--out", str(tmp_path / "run"), *TINY, "--steps", "1"]
    assert main(["train", "signal-classification", *words]) == 2
    assert "one.npz: 1 signal, but at least 10 are needed" in capsys.readouterr().err
    np.savez(tmp_path / "even.npz", x=np.zeros_like(values), y=np.array(["slow", "quick"] * 6))
    assert main(["data", "check", "signal-classification", str(tmp_path / "even.npz")]) == 0
    told = capsys.readouterr().out
    assert told.startswith("12 signals\n")
    assert "size 24, 1 channel (" in told
    assert "picture" not in told


def test_its_pages(once: Path, tmp_path: Path) -> None:
    report = (once / "run" / "report.html").read_text(encoding="utf-8")
    for part in ("What was taken for what", "Is it as right as it is sure?"):
        assert part in report
    card = (once / "run" / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag" not in card
    assert 'echo "some.npy" | qkvae use' in card
    page = api.load(once / "run").look(str(once / "test.csv"), tmp_path / "look.html")
    text = page.read_text(encoding="utf-8")
    assert "Only the first of 40 examples" in text
    assert text.count("data:image/png;base64,") == 1 + 4 + 2 + 2


def test_every_promise_holds_on_a_trained_run(once: Path) -> None:
    assert not [row for row in api.load(once / "run").prove() if not row.holds]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (",".join(["1"] * 23), "the signals of {bad} have size 23, but those trained on have 24"),
        (",".join(["1"] * 23 + ["x"]), 'column "t23"'),
        (",".join(["1"] * 23 + [""]), 'column "t23"'),
    ],
)
def test_signals_that_it_cannot_read_are_refused(
    row: str, said: str, once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ",".join(f"t{n}" for n in range(row.count(",") + 1))
    other = ",".join(["0.5"] * (row.count(",") + 1))
    (tmp_path / "bad.csv").write_text("\n".join([names, row, other]), encoding="utf-8")
    assert main(["use", str(once / "run"), str(tmp_path / "bad.csv")]) == 2
    told = capsys.readouterr().err
    assert said.format(bad=tmp_path / "bad.csv") in told
    assert told.count("\n") == 1


def test_what_is_for_pictures_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "signal-classification", "--operations", "1", "--steps", "1", *TINY]
    assert main([*words, "--out", str(tmp_path / "run")]) == 2
    assert "operations is 1, which are for pictures" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
