"""Where a run is written: tried first, told when it is certain, and nothing is left of a trial."""

from __future__ import annotations

from pathlib import Path

import pytest

from qkvae.cli import main


def test_a_place_that_takes_no_folder_is_refused_before_anything_is_read(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "translation", "train.en", "train.de", "--out", "train.en/run"]) == 2
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "train.en/run" in told
    assert "choose another place with --out" in told


def test_the_place_is_not_told_before_the_data_are_read_and_nothing_is_left_there(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "translation", "nope.en", "nope.de"]) == 2
    told = capsys.readouterr().err
    assert "nope.en does not exist" in told
    assert "did you mean" not in told  # train.en shares its ending only
    assert "is written to" not in told
    assert not Path("runs").exists()
