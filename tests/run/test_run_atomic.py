"""A write that fails leaves what was there; the errors of the disk are told apart."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from qkvae.run import atomic
from qkvae.run.errors import DiskFull, NotWritable, StorageError, plainly
from qkvae.run.tensors import read_tensors, stream_tensors, write_tensors


def failing(code: int):
    def fail(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (errno.ENOSPC, DiskFull, "the disk is full; the last good save is intact: free some space"),
        (errno.EDQUOT, DiskFull, "the disk is full"),
        (errno.EACCES, NotWritable, "no permission to write it: choose another place with --out"),
        (errno.EROFS, NotWritable, "mounted read-only"),
        (errno.EFBIG, StorageError, "ulimit -f"),
        (errno.EIO, StorageError, f"cannot write it: {os.strerror(errno.EIO)}"),
    ],
)
@pytest.mark.parametrize("where", ["fsync", "replace"])
def test_a_failed_write_keeps_the_old_file_and_says_why(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    code: int,
    kind: type[StorageError],
    words: str,
) -> None:
    path = tmp_path / "model.safetensors"
    write_tensors(path, {"x": torch.ones(2)}, {})
    monkeypatch.setattr(os, where, failing(code))
    with pytest.raises(kind) as raised:
        write_tensors(path, {"x": torch.zeros(2)}, {})
    monkeypatch.undo()
    assert type(raised.value) is kind
    assert str(raised.value).startswith(f"{path}: ")
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.errno == code
    assert read_tensors(path)[0]["x"].tolist() == [1, 1]
    assert os.listdir(tmp_path) == ["model.safetensors"]


def test_reading_without_permission_is_not_called_writing() -> None:
    with (
        pytest.raises(NotWritable, match="no permission to read it: change the permissions"),
        plainly(Path("a"), "read"),
    ):
        raise PermissionError(errno.EACCES, "denied")


def test_an_interrupt_leaves_the_old_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    atomic.write_json(path, {"a": 1})

    def interrupted() -> None:
        with atomic.replacing(path) as temporary:
            temporary.write_text("half", encoding="utf-8")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_text(encoding="utf-8") == '{\n  "a": 1\n}\n'
    assert os.listdir(tmp_path) == ["a.json"]


def test_only_our_own_leftovers_are_removed(tmp_path: Path) -> None:
    ours = (
        ".model.safetensors.4242.tmp",
        "state/.training.safetensors.7.tmp",
        "checkpoints/step-9/.model.safetensors.7.tmp",
    )
    theirs = ("notes.tmp", ".mine.tmp", "a.12.tmp", "state/a.12.tmp", "other/.x.7.tmp")
    for name in (*ours, *theirs):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    atomic.remove_leftovers(tmp_path)
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == set(theirs)


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs a device that is always full")
def test_a_really_full_device_is_a_full_disk() -> None:
    with pytest.raises(DiskFull), plainly(Path("/dev/full")):
        stream_tensors(Path("/dev/full"), {"x": torch.zeros(100_000)}, {})


LIMITED = """
import resource, sys, torch
from pathlib import Path
from qkvae.run.errors import StorageError
from qkvae.run.tensors import read_tensors, write_tensors

path = Path(sys.argv[1])
write_tensors(path, {"x": torch.ones(10)}, {})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_tensors(path, {"x": torch.zeros(1_000_000)}, {})
except StorageError as error:
    print(error)
assert read_tensors(path)[0]["x"].sum() == 10
assert [entry.name for entry in path.parent.iterdir()] == [path.name]
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of files")
def test_a_real_limit_in_the_middle_of_a_write(tmp_path: Path) -> None:
    command = [sys.executable, "-c", LIMITED, str(tmp_path / "a")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert "ulimit -f" in done.stdout
