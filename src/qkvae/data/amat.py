"""Rows of numbers from ``.amat`` and ``.mat`` files.

The fixed binarisation of MNIST (Larochelle and Murray 2011) goes about as files that end in ``.amat``: text,
with a datum to a line, or a MATLAB file by that name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

SUFFIXES = (".amat", ".mat")

_MATLAB = b"MATLAB 5.0 MAT-file"
_USUAL = "X"


def read_amat(path: str | Path, key: str | None = None) -> NDArray[np.generic]:
    """The numbers in such a file, [rows, numbers]; nothing that the file says is run.

    Args:
        path: the file.
        key: which array of a MATLAB file; X, or the only one, if not given.

    Raises:
        ValueError: the file is damaged, holds no such array of real numbers, or has lines of several lengths.
    """
    path = Path(path)
    with path.open("rb") as file:
        is_matlab = file.read(len(_MATLAB)) == _MATLAB
    return _read_matlab(path, key) if is_matlab else _read_text(path)


def _read_text(path: Path) -> NDArray[np.generic]:
    """Numbers apart by spaces, a datum to a line; uint8 where all of them are small whole numbers."""
    try:
        rows = np.loadtxt(path, dtype=np.float32, ndmin=2, encoding="utf-8")
    except ValueError as error:
        raise ValueError(f"{path}: {error}: each line must hold the same count of numbers") from error
    small = rows.clip(0, 255).astype(np.uint8)
    return small if np.array_equal(small, rows) else rows


def _read_matlab(path: Path, key: str | None) -> NDArray[np.generic]:
    import scipy.io  # pyright: ignore[reportMissingTypeStubs]

    matlab = cast("Any", scipy.io)

    try:
        known = [name for name, _, _ in matlab.whosmat(path, appendmat=False)]
        key = key or (known[0] if len(known) == 1 else _USUAL)
        held: dict[str, Any] = matlab.loadmat(path, variable_names=[key], appendmat=False)
    except Exception as error:  # what is damaged raises whatever it happens to run into
        why = str(error) or type(error).__name__
        raise ValueError(f"{path} is a damaged MATLAB file ({why}): get it anew") from error
    if key not in held:
        raise ValueError(
            f'{path} holds no array "{key}", but {", ".join(known) or "none"}: name one of those (--picture)'
        )
    if np.asarray(held[key]).dtype.kind not in "buif":
        raise ValueError(f'{path}: "{key}" holds no real numbers: name one of {", ".join(known)}')
    return np.ascontiguousarray(held[key])
