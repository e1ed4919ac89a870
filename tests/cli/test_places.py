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


@pytest.mark.parametrize("asked", [["look", "run", "abc", "--out"], ["eval", "run", "train.en", "--report"]])
def test_a_page_is_written_to_a_file_that_is_called_as_pages_are(
    trained: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("pages").mkdir()
    before, flag = sorted(Path().iterdir()), asked[-1]
    for place, said in {
        "pages": f"pages is a folder: give the file to write, in it or elsewhere, by {flag}",
        "nowhere/a.html": f"nowhere is no folder: make it, or choose another {flag}",
        "look1.png": f"{flag} look1.png does not end in .html, but a page of HTML is written: "
        f"{flag} look1.html",
    }.items():
        assert main([*asked, place]) == 2
        assert capsys.readouterr().err == f"qkvae: {said}\n"
    Path("a.npy").mkdir()
    assert main(["use", "run", "abc", "--embed", "--out", "a.npy"]) == 2
    assert "a.npy is a folder" in capsys.readouterr().err
    Path("a.npy").rmdir()
    assert sorted(Path().iterdir()) == before
    assert main(["look", "run", "abc", "--out", "look1.HTM"]) == 0


def test_the_place_is_not_told_before_the_data_are_read_and_nothing_is_left_there(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "translation", "nope.en", "nope.de"]) == 2
    told = capsys.readouterr().err
    assert "nope.en does not exist" in told
    assert "did you mean" not in told  # train.en shares its ending only
    assert "is written to" not in told
    assert not Path("runs").exists()
