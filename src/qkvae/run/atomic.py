"""Writing so that a crash leaves either the old file or the new one, whole.

Written to a temporary name in the same folder, forced to the disk, renamed over the old file; then the folder
itself is forced to the disk.  A reader never meets a half-written file, whatever instant the process ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from qkvae.run.errors import plainly

_TEMPORARY = re.compile(r"^\..+\.\d+\.tmp$")


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """A temporary path to write to, which takes the place of ``path`` when the block ends without an error.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "note.txt"
    >>> with replacing(path) as temporary:
    ...     _ = temporary.write_text("new", encoding="utf-8")
    >>> path.read_text(encoding="utf-8")
    'new'

    Raises:
        StorageError: the disk is full, may not be written, or fails; ``path`` is then as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with plainly(path):
        try:
            yield temporary
            _sync(temporary)
            move(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise


def move(old: Path, new: Path) -> None:
    """Rename, replacing what is there, and force the folder to the disk.

    Raises:
        StorageError: the disk refused.
    """
    with plainly(new):
        os.replace(old, new)
        sync_folder(new.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace a file by ``content``, atomically.

    Raises:
        StorageError: the disk refused; the old file stays.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: Any) -> None:
    """Replace a file by ``value`` as indented JSON, atomically.

    Raises:
        StorageError: the disk refused; the old file stays.
    """
    write_bytes(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files that killed saves left in a run; only for when nobody is writing there.

    Raises:
        StorageError: the disk refused.
    """
    with plainly(folder):
        for pattern in (".*.tmp", "state/.*.tmp", "checkpoints/step-*/.*.tmp"):
            for path in folder.glob(pattern):
                if _TEMPORARY.match(path.name):
                    path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Force the names in a folder to the disk, where the platform can."""
    if os.name == "nt":  # Windows opens no folders; its renames are journalled
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network disks refuse to sync a folder
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
