"""What can be wrong with a run folder, each told apart, each one line that names the path and the cure."""

from __future__ import annotations

import errno
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class RunError(ValueError):
    """A run folder cannot be used as asked."""


class NotARun(RunError):
    """The path holds no run."""


class RunExists(RunError):
    """A new run would write over what is there."""


class WrongTask(RunError):
    """The run was trained for another task."""


class MissingPart(RunError):
    """A file that is asked for is not in the run."""


class DamagedPart(RunError):
    """A file of the run is there, but is not what was written."""


class Mismatch(RunError):
    """Each file is whole, but they do not belong together."""


class StorageError(OSError):
    """The disk did not do what was asked; what was saved before is intact."""


class DiskFull(StorageError):
    """No space, or no quota, is left."""


class NotWritable(StorageError, PermissionError):
    """The place may not be written, or not be read."""


_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM}


@contextmanager
def plainly(path: Path, doing: str = "write") -> Generator[None]:
    """Turn the operating system's errors into one line that says what to do.

    >>> with plainly(Path("runs/a/model.safetensors")):
    ...     raise OSError(errno.ENOSPC, "No space left on device")
    Traceback (most recent call last):
    qkvae.run.errors.DiskFull: runs/a/model.safetensors: the disk is full; the last good save is intact: ...

    Raises:
        DiskFull: no space or quota is left.
        NotWritable: permissions or a read-only disk forbid it.
        StorageError: any other ``OSError``.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise _explained(error, path, doing) from error


def _explained(error: OSError, path: Path, doing: str) -> StorageError:
    code = error.errno
    if code in _FULL:
        told: StorageError = DiskFull(
            f"{path}: the disk is full; the last good save is intact: "
            "free some space, then go on with qkvae resume"
        )
    elif code == errno.EFBIG:
        told = StorageError(
            f"{path}: larger than a file may be here; the last good save is intact: "
            "raise the limit (ulimit -f), or choose another disk"
        )
    elif code == errno.EROFS:
        told = NotWritable(f"{path}: the disk is mounted read-only: choose another place with --out")
    elif code in _FORBIDDEN:
        cure = "choose another place with --out, or change the permissions"
        told = NotWritable(
            f"{path}: no permission to {doing} it: {cure if doing == 'write' else 'change the permissions'}"
        )
    else:
        told = StorageError(f"{path}: cannot {doing} it: {error.strerror or error}")
    told.errno = code
    return told
