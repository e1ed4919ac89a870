"""Resuming finds a whole save, whatever became of the newest."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from qkvae.run import DamagedPart, DiskFull
from qkvae.run import state as state_module
from qkvae.run.state import StateFiles


@pytest.fixture
def files(tmp_path: Path) -> StateFiles:
    return StateFiles(tmp_path / "state")


def save(files: StateFiles, step: int) -> None:
    files.save(
        {"weight": torch.full((50,), float(step))}, {"step": step, "best": -float("inf"), "lr": 0.1 * step}
    )


def loaded_step(files: StateFiles, notes: list[str] | None = None) -> int:
    saved = files.load([] if notes is None else notes)
    assert saved is not None
    tensors, facts = saved
    assert (tensors["weight"] == facts["step"]).all()
    assert facts == {"step": facts["step"], "best": -float("inf"), "lr": 0.1 * facts["step"]}
    return facts["step"]


def spoil(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-3] ^= 1
    path.write_bytes(content)


def test_nothing_was_saved(files: StateFiles) -> None:
    assert files.load([]) is None


def test_the_newest_is_loaded_and_the_one_before_it_kept(files: StateFiles) -> None:
    notes: list[str] = []
    for step in (1, 2, 3):
        save(files, step)
    assert loaded_step(files, notes) == 3
    assert notes == []
    files.newest.unlink()
    assert loaded_step(files, notes) == 2
    assert len(list(files.newest.parent.iterdir())) == 1


def test_a_spoilt_newest_is_passed_over_and_said(files: StateFiles) -> None:
    save(files, 1)
    save(files, 2)
    spoil(files.newest)
    notes: list[str] = []
    assert loaded_step(files, notes) == 1
    assert len(notes) == 1
    assert "training.safetensors is damaged: going on from the save before it" in notes[0]


@pytest.mark.parametrize("same_process", [True, False])
def test_a_spoilt_newest_never_pushes_out_the_good_previous(files: StateFiles, same_process: bool) -> None:
    save(files, 1)
    save(files, 2)
    spoil(files.newest)
    if same_process:
        loaded_step(files)
    else:
        files = StateFiles(files.newest.parent)
    save(files, 3)
    assert loaded_step(files) == 3
    spoil(files.newest)
    assert loaded_step(files) == 1


def test_two_spoilt_saves_are_refused(files: StateFiles) -> None:
    save(files, 1)
    save(files, 2)
    spoil(files.newest)
    spoil(files.previous)
    with pytest.raises(
        DamagedPart, match=r"training\.safetensors is damaged .*training-previous\.safetensors is"
    ):
        files.load([])


def test_a_full_disk_keeps_both_saves(files: StateFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    save(files, 1)
    save(files, 2)

    def full(path: Path, *_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(state_module, "stream_tensors", full)
    with pytest.raises(DiskFull, match=r"training\.safetensors: the disk is full"):
        save(files, 3)
    assert loaded_step(files) == 2
    assert len(list(files.newest.parent.iterdir())) == 2
    spoil(files.newest)
    assert loaded_step(files) == 1
