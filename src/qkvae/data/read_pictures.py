"""From the user's files to pictures of one size: folders, archives, tables and arrays."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae.config.names import many
from qkvae.config.pictures import PictureReading
from qkvae.data.amat import SUFFIXES, read_amat
from qkvae.data.archives import is_archive
from qkvae.data.arrays import as_grids
from qkvae.data.files import TextFile, locate
from qkvae.data.idx import is_idx, partner, read_idx
from qkvae.data.labelled import Label
from qkvae.data.npz import label_names, read_npy, read_npz
from qkvae.data.pairs import Tally
from qkvae.data.picture_files import TABLES
from qkvae.data.picture_format import PictureFormat
from qkvae.data.picture_scan import Scan
from qkvae.data.pictures import NOUNS, Pictures, duplicates

Name = str | os.PathLike[str]
Say = Callable[[str], None]


def read_pictures(
    paths: Name | Sequence[Name],
    settings: PictureReading | None = None,
    *,
    axes: int = 2,
    labelled: bool = True,
    like: PictureFormat | None = None,
    minimum: int = 2,
    say: Say = lambda line: None,
) -> Pictures:
    """Read pictures, whatever they are in.

    Each of ``paths`` is a folder or archive (.zip, .tar, .tar.gz, .tar.xz) with one folder of pictures per
    class, a table (.csv, .tsv, .jsonl) of paths and labels, a .parquet with the pictures or their paths, an
    idx file (its labels beside it by MNIST's names), an .npz, .npy, .amat or .mat; all arrays but .npz may be
    two paths, pictures and labels.  A path that does not exist as given is looked for under the folder
    ``QKVAE_DATA``.  Videos and signals are arrays (signals in tables: `data.signals`).

    What was handled is in ``notes``: turned, animated, transparent, CMYK and 16-bit pictures, other sizes,
    broken files (left out, see ``settings.unreadable``), links, exact duplicates (**kept**).

    Args:
        paths: what to read.
        settings: columns, size, channels and limits; its own ``paths`` are not looked at.
        axes: of what is read: 1 signals, 2 pictures, 3 videos.
        labelled: whether labels are wanted; without, a folder may hold pictures in any order.
        like: of the pictures that a run was trained on, whose size, channels and scale these get.
        minimum: fewer pictures are refused.
        say: is told where decoded pictures are kept.

    Raises:
        FileNotFoundError: a path does not exist; the nearest existing name is suggested.
        ValueError: too many broken files, a decompression bomb, arrays that do not fit each other, fewer than
            ``minimum`` pictures, and whatever else cannot be read; one line with place and cure.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> folder = Path(tempfile.mkdtemp())
        >>> for number, name in enumerate(["cat", "dog"]):
        ...     (folder / name).mkdir()
        ...     Image.new("L", (8, 6), number * 200).save(folder / name / "1.png")
        >>> found = read_pictures(folder)
        >>> found.values.shape, found.labels, found.names
        ((2, 1, 6, 8), ['cat', 'dog'], ['cat/1.png', 'dog/1.png'])
    """
    settings = PictureReading() if settings is None else settings
    given = [os.fspath(path) for path in ([paths] if isinstance(paths, str | os.PathLike) else paths)]
    if not given:
        raise ValueError("no path is given: give a folder of pictures, a table, or an array")
    tally = Tally()
    found = _read([locate(name) for name in given], settings, axes, labelled, like, tally, say)
    if like is not None:
        found = to_white(found, like)
        like.fits(replace(found, paths=tuple(given)))
    if len(found) < minimum:
        count = many(len(found), found.noun)
        raise ValueError(f"{', '.join(given)}: {count}, but at least {minimum:,} are needed")
    return replace(found, notes=(*tally.notes(), *duplicates(found)), paths=tuple(given))


def _read(
    located: list[Path],
    settings: PictureReading,
    axes: int,
    labelled: bool,
    like: PictureFormat | None,
    tally: Tally,
    say: Say,
) -> Pictures:
    """Arrays, or files of pictures."""
    arrays = [path for path in located if _is_array(path)]
    if arrays and len(arrays) < len(located):
        other = next(path for path in located if path not in arrays)
        raise ValueError(f"{arrays[0].name} is an array and {other.name} is not: read them one at a time")
    if arrays:
        return _joined(_read_arrays(arrays, settings, axes, labelled, like, tally))
    if axes != 2:
        raise ValueError(f"{located[0].name} holds no array: give .npz, .npy, .mat or idx")
    return Scan(located, settings, labelled, tally).pictures(like, say)


def to_white(pictures: Pictures, like: PictureFormat) -> Pictures:
    """The same pictures on the scale of a run, as float32 where bytes do not hold it.

    Numbers that are no bytes and exceed 1 are no parts of white: they stay as they are, and so do those of
    an array for a run of such numbers, which refuses decoded files (`PictureFormat.fits`).

    >>> some = Pictures(np.array([[[[255]]]], np.uint8))
    >>> to_white(some, PictureFormat((1, 1), 1, 16.0, (0.3,), (0.4,))).values.tolist()
    [[[[16.0]]]]
    """
    values, white = pictures.values, like.white
    if pictures.white == white:
        return pictures
    if like.beyond:
        return (
            pictures if pictures.names else replace(pictures, values=values.astype(np.float32), white=white)
        )
    # of bytes that are all 0 and 1 nobody knows: those trained on know better
    if values.dtype == np.uint8 and pictures.white == 1:
        return replace(pictures, white=white)
    if values.dtype != np.uint8 and pictures.white == 1 and values.max() > 1:
        return replace(pictures, white=white)
    return replace(
        pictures, values=values.astype(np.float32) * np.float32(white / pictures.white), white=white
    )


def _is_array(path: Path) -> bool:
    if path.is_dir() or is_archive(path) or TextFile(path).suffix in TABLES:
        return False
    return path.suffix.lower() in (".npz", ".npy", *SUFFIXES) or is_idx(TextFile(path))


def _read_arrays(
    paths: list[Path],
    settings: PictureReading,
    axes: int,
    labelled: bool,
    like: PictureFormat | None,
    tally: Tally,
) -> list[Pictures]:
    found: list[Pictures] = []
    waiting = list(paths)
    while waiting:
        path = waiting.pop(0)
        if path.suffix.lower() == ".npz":
            array, told = read_npz(path, settings.picture, settings.label, labelled, tally)
        else:
            array, told = _array(path, settings.picture), None
            if array.ndim <= 1:
                raise ValueError(
                    f"{path.name} holds {array.size:,} numbers in one row: give {NOUNS[axes]}s first, then "
                    "labels"
                )
            beside = partner(path)
            if waiting and (labels := _labels_next(waiting[0])) is not None:
                waiting.pop(0)
                told = labels
            elif labelled and beside is not None:
                tally.add("labels", "files of labels were found by name", beside.name)
                told = _array(beside)
            elif labelled:
                raise ValueError(f"{path.name} has no labels beside it: give their file after it")
        size = settings.height_and_width or (None if like is None else like.size)
        values, white = as_grids(array, axes, path.name, tally, size)
        names: list[Label] | None = None
        if labelled and told is not None:
            names = [*label_names(told, len(values), path.name, NOUNS[axes])]
        found.append(Pictures(values, names, white))
    return found


def _array(path: Path, key: str | None = None) -> NDArray[Any]:
    suffix = path.suffix.lower()
    if suffix == ".npy":
        return read_npy(TextFile(path))
    return read_amat(path, key) if suffix in SUFFIXES else read_idx(TextFile(path))


def _labels_next(path: Path) -> NDArray[Any] | None:
    """The labels that follow an array of pictures, if it is these that follow."""
    if path.suffix.lower() == ".npz":
        return None
    array = _array(path)
    return array if array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1) else None


def _joined(parts: list[Pictures]) -> Pictures:
    """All in one; they must be alike."""
    first = parts[0]
    if len(parts) == 1:
        return first
    for part in parts[1:]:
        PictureFormat(first.size, first.channels, first.white, (), ()).fits(part)
    labels = None if first.labels is None else [label for part in parts for label in part.labels or []]
    return Pictures(
        np.concatenate([part.values for part in parts]),
        labels,
        first.white,
        np.concatenate([part.hashes for part in parts]),
    )
