"""From clips to a classifier, through the verbs: what moves where, which no single frame tells."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qkvae import api
from qkvae.cli import main

TINY = [
    *("--model.dim", "16", "--model.heads", "2", "--model.hidden", "32", "--model.depth", "1"),
    *("--model.patch", "2", "3", "3", "--batch-tokens", "512", "--validations", "2"),
    *("--model.stochastic-depth", "0", "--device", "cpu", "--precision", "fp32"),
]


def clips(count: int, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Four frames of 6 × 6 with a bright column that goes left or right."""
    draw = np.random.default_rng(seed)
    labels, begins = draw.integers(0, 2, count), draw.integers(0, 6, count)
    values = draw.integers(0, 60, (count, 4, 6, 6), dtype=np.uint8)
    for clip, label, begin in zip(values, labels, begins, strict=True):
        for frame in range(4):
            clip[frame, :, (begin + (frame if label else -frame)) % 6] = 250
    return values, [("left", "right")[each] for each in labels]


def saved(path: Path, count: int, seed: int = 0) -> Path:
    values, labels = clips(count, seed)
    np.savez(path, clips=values, y=labels)
    return path


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that tells left from right, and clips to test it on; not to be changed."""
    folder = tmp_path_factory.mktemp("clips")
    saved(folder / "test.npz", 60, seed=1)
    words = ["train", "video-classification", str(saved(folder / "train.npz", 300)), "--picture", "clips"]
    assert main([*words, *TINY, "--steps", "150", "--out", str(folder / "run")]) == 0
    return folder


def test_where_it_moves_is_told(once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, test = str(once / "run"), str(once / "test.npz")
    assert main(["eval", run, test, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["accuracy"] > 0.9
    assert found["clips"] == 60
    assert main(["use", run, test, "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    right = [each["labels"][0] == label for each, label in zip(records, clips(60, 1)[1], strict=True)]
    assert np.mean(right) == pytest.approx(found["accuracy"])
    values = clips(60, 1)[0]
    backwards = values[:, ::-1].copy()  # the same frames, the other way round
    np.save(tmp_path / "back.npy", backwards)
    answers = [answer.labels[0] for answer in api.load(once / "run").use([str(tmp_path / "back.npy")])]
    assert np.mean([one != each["labels"][0] for one, each in zip(answers, records, strict=True)]) > 0.9


def test_its_pages_show_all_frames(once: Path, tmp_path: Path) -> None:
    page = api.load(once / "run").look(str(once / "test.npz"), tmp_path / "look.html")
    text = page.read_text(encoding="utf-8")
    assert text.count('class="maps all long"') == 1
    assert text.count("data:image/png;base64,") == 1 + 4 + 2 + 2
    assert "What was taken for what" in (once / "run" / "report.html").read_text(encoding="utf-8")


def test_every_promise_holds_on_a_trained_run(once: Path) -> None:
    assert not [row for row in api.load(once / "run").prove() if not row.holds]


def test_what_is_no_clip_is_refused(once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "pictures.npy", np.zeros((3, 6, 6), np.uint8))
    np.save(tmp_path / "short.npy", np.zeros((3, 2, 6, 6), np.uint8))
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    for name, said in (
        ("pictures.npy", "3 axes, but clips have 4"),
        ("short.npy", "short.npy have size 2 × 6 × 6, but those trained on have 4 × 6 × 6"),
        ("film.mp4", "film.mp4 holds no array: give .npz, .npy, .mat or idx"),
    ):
        assert main(["use", str(once / "run"), str(tmp_path / name)]) == 2
        told = capsys.readouterr().err
        assert said in told
        assert told.count("\n") == 1
