"""Pictures with several labels each: answers, and whether what is shown is what was answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_grids import pictures, tiny

from qkvae import api
from qkvae.config import GridLearning, ImageClassification, PictureData
from qkvae.inspect import picture_look


def write_table(folder: Path, count: int) -> Path:
    """Pictures in a table: a label for where they are bright, and one that every third has."""
    (folder / "held").mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for number, (values, label) in enumerate(zip(*pictures(count), strict=True)):
        path = folder / "held" / f"{number:03}.png"
        values[:, 0] = 255 * (number % 3 == 0)
        Image.fromarray(values).save(path)
        rows.append({"picture": f"held/{path.name}", "label": [label, *["edge"] * (number % 3 == 0)]})
    (folder / "table.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return folder / "table.jsonl"


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table and a run that was trained on it; not to be changed."""
    folder = tmp_path_factory.mktemp("several")
    config = ImageClassification(
        data=PictureData(paths=(str(write_table(folder, 90)),), valid_fraction=0.2),
        learning=GridLearning(label_smoothing=0.0),
        **tiny(20),  # type: ignore[arg-type]
    )
    api.train("image-classification", config, out=folder / "run", quiet=True)
    return folder


def test_with_nothing_covered_a_curve_says_what_the_run_answers(
    several: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, picture = api.load(several / "run"), str(several / "held" / "003.png")
    curves: list[picture_look.Curve] = []
    covered = picture_look.deletion

    def kept(*given: Any, **more: Any) -> picture_look.Curve:
        curves.append(covered(*given, **more))
        return curves[-1]

    monkeypatch.setattr(picture_look, "deletion", kept)
    run.look(picture, tmp_path / "look.html")
    (answer,) = run.use([picture])
    p = next(iter(answer.record()["probabilities"].values()))
    assert sum(answer.record()["probabilities"].values()) != pytest.approx(1)  # else nothing is told apart
    assert [float(curve.probabilities[0]) for curve in curves] == pytest.approx([p] * len(curves), abs=1e-5)


def test_each_class_is_measured_and_shown(several: Path, tmp_path: Path) -> None:
    found = api.load(several / "run").evaluate(several / "table.jsonl", tmp_path / "page.html")
    assert list(found["f1"]) == ["above", "below", "edge"]
    assert sum(found["f1"].values()) / 3 == pytest.approx(found["macro_f1"])
    assert found == api.load(several / "run").evaluate(several / "table.jsonl")
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    for part in ("How each class was told", "told wrongly", "Is it as right as it is sure?"):
        assert part in text
