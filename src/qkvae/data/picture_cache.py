"""Decoded pictures too many for memory: kept in a file, made once, and read where they lie.

An entry is a folder named by a hash of what was read and of the size asked for:

``values``      the pictures one after the other, bytes, channels first
``kept``        which of the files they are, int64: those that could not be decoded are missing
``entry.json``  their shape, and a checksum
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae.data.token_cache import cache_folder, checksum, forced

FORMAT = 1
"""Raised when entries of the format before could be misread; those are then made anew."""

Decoded = Iterator[tuple[int, NDArray[np.uint8]]]
"""Pictures in order, each with the place of its file."""


def cached_pictures(
    key: str, shape: tuple[int, ...], decoded: Callable[[], Decoded], say: Callable[[str], None]
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Pictures of a shape (channels, height, width) in a mapped file, and the places of their files.

    They are decoded first, unless they are there already.  A damaged entry is noticed, said and made anew.

    Raises:
        OSError: the folder may not be written, or the disk is full.
    """
    folder = cache_folder() / "pictures" / key
    if folder.exists():
        try:
            found = _opened(folder, shape)
            say(f"the pictures are decoded already: {folder}")
            return found
        except ValueError as error:
            say(f"note: {error}: it is made anew")
            shutil.rmtree(folder)
    say(f"the decoded pictures are kept in {folder} (QKVAE_CACHE chooses another place)")
    _make(folder, shape, decoded())
    return _opened(folder, shape)


def _make(folder: Path, shape: tuple[int, ...], decoded: Decoded) -> None:
    """The entry appears under its name when it is whole."""
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        kept: list[int] = []
        with (unfinished / "values").open("wb") as file:
            for place, pixels in decoded:
                kept.append(place)
                file.write(pixels.tobytes())
            forced(file.fileno(), file.flush)
        with (unfinished / "kept").open("wb") as file:
            file.write(np.array(kept, "<i8").tobytes())
            forced(file.fileno(), file.flush)
        entry = {"format": FORMAT, "shape": [len(kept), *shape], "checksum": checksum(unfinished, *_FILES)}
        with (unfinished / "entry.json").open("w", encoding="utf-8") as file:
            json.dump(entry, file)
            forced(file.fileno(), file.flush)
        if not folder.exists():  # which another process may have made meanwhile
            os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


_FILES = ("values", "kept")


def _opened(folder: Path, shape: tuple[int, ...]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The pictures of an entry, mapped.

    Raises:
        ValueError: it is damaged, or of another shape.
    """
    try:
        entry: dict[str, Any] = json.loads((folder / "entry.json").read_text(encoding="utf-8"))
        kept = np.fromfile(folder / "kept", "<i8")
        whole = (folder / "values").stat().st_size == int(np.prod([len(kept), *shape]))
        alike = [entry["format"], entry["shape"]] == [FORMAT, [len(kept), *shape]]
        if not (whole and alike and entry["checksum"] == checksum(folder, *_FILES)):
            raise ValueError("its content is not what it says")
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ValueError(f"the pictures in {folder} are damaged ({error})") from error
    return np.memmap(folder / "values", np.uint8, "r", shape=(len(kept), *shape)), kept
