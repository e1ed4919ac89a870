"""A disk that takes no more ends the run with exit code 1; the last good save is intact and is resumed."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from tiny_runs import TINY, tree, write_pairs

from qkvae.cli import main
from qkvae.run import Run
from qkvae.train import loop

STEPS = ["--steps", "8", "--save-every", "0.000001"]


@pytest.fixture(autouse=True)
def stop_at_the_fourth_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """As by Ctrl-C, once."""
    kept, pressed = loop.Loop._after_step, list[int]()

    def after_step(self: loop.Loop, meter: object) -> None:
        kept(self, meter)  # type: ignore[arg-type]
        if self.step == 4 and not pressed:
            pressed.append(self.step)
            self.interruption.asked = True

    monkeypatch.setattr(loop.Loop, "_after_step", after_step)


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A disk of a few megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount") if sys.platform == "linux" else None
    asked = [str(mount), "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if mount is None or subprocess.run(asked, capture_output=True, check=False).returncode:
        pytest.skip("only root on Linux can make a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def weights(run: Path) -> dict[str, list[object]]:
    return {name: tensor.tolist() for name, tensor in Run.open(run).load_model().items()}


def test_a_full_disk(tmp_path: Path, small_disk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs = list(map(str, write_pairs(tmp_path)))
    run = small_disk / "run"
    assert main(["train", "translation", *pairs, *TINY, *STEPS, "--quiet", "--out", str(run)]) == 130
    saved = tree(run / "state")
    fill(small_disk / "filler")
    capsys.readouterr()
    assert main(["resume", str(run), "--quiet"]) == 1
    told = capsys.readouterr().err
    assert (
        "the disk is full; the last good save is intact: free some space, then go on with qkvae resume"
        in told
    )
    assert told.count("\n") == 1
    assert tree(run / "state") == saved
    (small_disk / "filler").unlink()
    assert main(["resume", str(run), "--quiet"]) == 0
    assert (
        main(["train", "translation", *pairs, *TINY, *STEPS, "--quiet", "--out", str(tmp_path / "whole")])
        == 0
    )
    assert weights(run) == weights(tmp_path / "whole")


def fill(path: Path) -> None:
    """Write until there is no room."""
    size = 1 << 16
    with path.open("wb", buffering=0) as file:
        while size:
            try:
                file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                size //= 2


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_limit_on_the_size_of_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import resource

    pairs, run = list(map(str, write_pairs(tmp_path))), tmp_path / "run"
    assert main(["train", "translation", *pairs, *TINY, *STEPS, "--quiet", "--out", str(run)]) == 130
    saved = tree(run / "state")
    most = os.path.getsize(run / "state" / "training.safetensors") - 100
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    try:
        code = main(["resume", str(run), "--quiet"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert code == 1
    assert "larger than a file may be here; the last good save is intact" in capsys.readouterr().err
    assert tree(run / "state") == saved
    assert main(["resume", str(run), "--quiet"]) == 0
