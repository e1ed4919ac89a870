"""Arrays in .npz and .npy files, without ever running what is in them: no objects, no pickle."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from qkvae.config.names import many, nearest
from qkvae.data.files import TextFile, opened
from qkvae.data.pairs import Tally

PICTURE_KEYS = ("x_train", "train_images", "images", "image", "pictures", "x", "data", "train", "arr_0")
LABEL_KEYS = ("y_train", "train_labels", "labels", "label", "targets", "target", "y", "arr_1")
"""What arrays are called, the likeliest first."""


def array_names(path: Path) -> list[str]:
    """The names of the arrays in an .npz.

    Raises:
        ValueError: it is no .npz, or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")]
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(
            f"{path.name} is no .npz, or damaged ({error}): copy or download it again"
        ) from error
    if not names:
        raise ValueError(f"{path.name} holds no array: make it with numpy.savez")
    return names


def read_npy(file: TextFile) -> NDArray[Any]:
    """One array, in an .npy file of its own (mapped, not loaded) or in an .npz.

    Raises:
        ValueError: it is no array, one of objects, damaged or cut short.
    """
    try:
        if file.member is None:
            with np.errstate(over="ignore"):  # of a size that is damaged, which is refused
                return npy.open_memmap(file.path, mode="r")
        with opened(file) as stream:
            return _read(stream)
    except (ValueError, OSError, EOFError, TypeError, OverflowError) as error:
        why = " ".join(str(error).split())
        if "allow_pickle" in why or "Python objects" in why:
            why = "it holds Python objects, which could run as a program: save plain numbers"
        raise ValueError(f"{file.name} cannot be read as an array: {why}") from error


def _read(stream: Any) -> NDArray[Any]:
    version = npy.read_magic(stream)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    header: tuple[tuple[int, ...], bool, np.dtype[Any]] = read_header(stream)
    shape, fortran, kind = header
    if kind.hasobject:
        raise ValueError("Python objects")
    wanted = math.prod(shape) * kind.itemsize
    raw = stream.read()  # all, not as many as it says: memory is taken only for what is there
    if len(raw) != wanted:
        raise ValueError(f"it says that it holds {wanted:,} bytes, but has {len(raw):,}")
    return np.frombuffer(raw, kind).reshape(shape, order="F" if fortran else "C")


def read_npz(
    path: Path, picture: str | None, label: str | None, labelled: bool, tally: Tally
) -> tuple[NDArray[Any], NDArray[Any] | None]:
    """The pictures of an .npz and their labels: the arrays that are named, or that are called as such arrays
    are; a note says which, and which others are left.

    Raises:
        ValueError: an array is not there, cannot be told, or cannot be read.
    """
    names = array_names(path)
    chosen = _chosen(names, picture, PICTURE_KEYS, path.name, "picture")
    found = read_npy(TextFile(path, f"{chosen}.npy"))
    others = [name for name in names if name != chosen]
    if not labelled:
        _said(path, [chosen], others, tally)
        return found, None
    told = _chosen(others, label, LABEL_KEYS, path.name, "label")
    _said(path, [chosen, told], [name for name in others if name != told], tally)
    return found, read_npy(TextFile(path, f"{told}.npy"))


def _chosen(names: Sequence[str], given: str | None, known: Sequence[str], file: str, what: str) -> str:
    if given is not None:
        if given not in names:
            raise ValueError(f'{file} has no array "{given}": {nearest(given, list(names))}')
        return given
    lowered = {name.casefold(): name for name in reversed(names)}
    for key in known:
        if key in lowered:
            return lowered[key]
    if len(names) == 1:
        return names[0]
    held = ", ".join(names) or "no other"
    raise ValueError(f"{file} holds the arrays {held}: say by {what} which one holds the {what}s")


def _said(path: Path, read: list[str], left: list[str], tally: Tally) -> None:
    rest = f", not {', '.join(left)}" if left else ""
    tally.add("arrays", "files were read by names of arrays", f"{path.name}: {', '.join(read)}{rest}")


def label_names(labels: NDArray[Any], count: int, file: str, noun: str = "picture") -> list[str]:
    """Labels of an array as they are written elsewhere: names or numbers, one for each of ``count``; one-hot
    rows are the number of their class.

    Raises:
        ValueError: another count or another shape; a label that is NaN.

    >>> label_names(np.array([[0, 1], [1, 0]]), 2, "some.npz"), label_names(np.array([2.0, 1.5]), 2, "y.npy")
    (['1', '0'], ['2', '1.5'])
    """
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and np.isin(labels, (0, 1)).all() and (labels.sum(1) == 1).all():
        labels = labels.argmax(1)
    if labels.ndim != 1:
        shape = " × ".join(map(str, labels.shape))
        raise ValueError(f"{file}: the labels are {shape}, but must be one for each {noun}")
    if len(labels) != count:
        raise ValueError(
            f"{file}: {many(count, noun)} and {many(len(labels), 'label')}, but each {noun} needs one"
        )
    if labels.dtype.kind == "f" and np.isnan(labels).any():
        place = int(np.isnan(labels).argmax())
        raise ValueError(f"{file}: label {place + 1:,} is NaN: take out what has no label, or give it one")
    values = cast("list[Any]", labels.tolist())
    names = [each.decode("utf-8", "replace") if isinstance(each, bytes) else each for each in values]
    return [str(int(each)) if isinstance(each, float) and each.is_integer() else str(each) for each in names]
