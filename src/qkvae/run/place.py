"""Where a run is, or may be made: nothing of the user's is written over unasked."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from qkvae.config import nearest
from qkvae.config.names import as_typed
from qkvae.run.atomic import move, remove_leftovers
from qkvae.run.errors import DamagedPart, DiskFull, NotARun, NotWritable, RunExists, StorageError, plainly
from qkvae.run.manifest import read_manifest

CONFIG = "config.json"

PARTS = (
    "model.safetensors",
    "tokenizer.json",
    "data.json",
    "metrics.jsonl",
    "report.html",
    "README.md",
    "checkpoints",
    "state",
)
"""What a run writes beside its config.  Overwriting a run removes these and nothing else of the folder."""


@contextmanager
def claimed(path: Path, overwrite: bool) -> Generator[None]:
    """Make ``path`` a folder in which the block may write a new config.

    An old run's files are put aside first, and removed when the block has ended without an error; otherwise
    they are put back, so that a run is not lost to one that could not begin.

    Raises:
        RunExists: the path is a file, or holds a run (without ``overwrite``) or what a run would write over.
        StorageError: the place cannot be written.
    """
    require_free(path, overwrite)
    with plainly(path):
        path.mkdir(parents=True, exist_ok=True)
    if not (path / CONFIG).exists():
        yield
        return
    parts = [name for name in PARTS if (path / name).exists()]
    with _put_aside(path, parts):
        yield


def require_free(path: Path, overwrite: bool) -> None:
    """Refuse a place where `claimed` would refuse to begin a run; nothing that is written there stays.

    Raises:
        RunExists: the path is a file, or holds a run (without ``overwrite``) or what a run would write over.
        StorageError: the place cannot be written.
    """
    _refuse_taken(path, overwrite)
    _try_writing(path)


def _refuse_taken(path: Path, overwrite: bool) -> None:
    if path.exists() and not path.is_dir():
        raise RunExists(f"{path} is a file, and a run is a folder: choose another place with --out")
    if (path / CONFIG).exists():
        _refuse_foreign(path)
        if not overwrite:
            raise RunExists(
                f"{path} already holds a run: go on with it by `qkvae resume {as_typed(path)}`, "
                "choose another place with --out, or replace it with --overwrite"
            )
        return
    parts = [name for name in PARTS if (path / name).exists()]
    if parts:
        raise RunExists(
            f"{path} is no run, but holds {parts[0]}, which a run would write over: "
            "choose another place with --out"
        )


def _try_writing(path: Path) -> None:
    """Make the folder and a file in it, and take both away again."""
    missing = [each for each in (path, *path.parents) if not each.exists()]
    made: list[Path] = []
    try:
        with plainly(path):
            for each in reversed(missing):
                each.mkdir()
                made.append(each)
            with tempfile.TemporaryFile(dir=path):
                pass
    except (DiskFull, NotWritable):
        raise
    except StorageError as error:  # a place that takes no folder is no fault of the machine
        raise NotWritable(f"{error}: choose another place with --out") from error
    finally:
        for each in reversed(made):
            with contextlib.suppress(OSError):  # another process may have begun there meanwhile
                each.rmdir()


def require_file_place(path: Path, flag: str) -> None:
    """Refuse a place where no file can be written, before the work for it is done.

    Args:
        flag: by which the place was asked for.

    Raises:
        FileNotFoundError: its folder is not there.
        IsADirectoryError: it is a folder itself.
    """
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a folder: give the file to write, in it or elsewhere, by {flag}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path.parent} is no folder: make it, or choose another {flag}")


def require_run(path: Path) -> None:
    """Refuse a path that holds no config, and say what is near.

    Raises:
        NotARun: there is no such folder, or it is no run.
    """
    if (path / CONFIG).is_file():
        return
    if not path.exists():
        runs = _runs_in(path.parent)
        near = f"in {path.parent}: {nearest(path.name, runs)}" if runs else "qkvae train --out makes one"
        raise NotARun(f"{path}: no such run: {near}")
    if not path.is_dir():
        raise NotARun(f"{path} is a file, and a run is a folder: give the folder that qkvae train --out made")
    runs = _runs_in(path)
    hint = (
        "give one of the runs in it: " + ", ".join(runs)
        if runs
        else "give the folder that qkvae train --out made"
    )
    raise NotARun(f"{path} is no run (it has no {CONFIG}): {hint}")


def _runs_in(folder: Path) -> list[str]:
    return sorted(config.parent.name for config in folder.glob(f"*/{CONFIG}"))


def _refuse_foreign(path: Path) -> None:
    try:
        read_manifest(path / CONFIG)
    except NotARun:
        raise RunExists(
            f"{path} holds another program's {CONFIG}, which a run would write over: "
            "choose another place with --out"
        ) from None
    except DamagedPart:
        pass  # a damaged run may be replaced like any other


@contextmanager
def _put_aside(path: Path, parts: list[str]) -> Generator[None]:
    remove_leftovers(path)
    aside = path / ".replaced"
    moved: list[str] = []
    with plainly(path):
        shutil.rmtree(aside, ignore_errors=True)  # of an overwriting that was killed
        aside.mkdir()
    try:
        for name in parts:
            move(path / name, aside / name)
            moved.append(name)
        yield
    except BaseException:
        for name in moved:
            move(aside / name, path / name)
        aside.rmdir()
        raise
    with plainly(path):
        shutil.rmtree(aside)
