"""Rows of numbers from ``.amat`` files, and grey pixels as chances: binarisation anew at every step.

The fixed binarisation of MNIST (Larochelle and Murray 2011) goes about as files that end in ``.amat``: text,
with a datum to a line, or a MATLAB file by that name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

_MATLAB = b"MATLAB 5.0 MAT-file"


def read_amat(path: str | Path, key: str = "X") -> NDArray[np.generic]:
    """The numbers in an ``.amat`` file, [rows, numbers]; nothing that the file says is run.

    Args:
        key: which array of a MATLAB file.

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


def _read_matlab(path: Path, key: str) -> NDArray[np.generic]:
    import scipy.io  # pyright: ignore[reportMissingTypeStubs]

    matlab = cast("Any", scipy.io)

    try:
        known = [name for name, _, _ in matlab.whosmat(path, appendmat=False)]
        held: dict[str, Any] = matlab.loadmat(path, variable_names=[key], appendmat=False)
    except Exception as error:  # what is damaged raises whatever it happens to run into
        why = str(error) or type(error).__name__
        raise ValueError(f"{path} is a damaged MATLAB file ({why}): get it anew") from error
    if key not in held:
        raise ValueError(
            f'{path} holds no array "{key}", but {", ".join(known) or "none"}: name one of those'
        )
    if np.asarray(held[key]).dtype.kind not in "buif":
        raise ValueError(f'{path}: "{key}" holds no real numbers: name one of {", ".join(known)}')
    return np.ascontiguousarray(held[key])


def binarized(grey: NDArray[np.uint8], seed: int, step: int) -> NDArray[np.uint8]:
    """Each pixel 1 with probability grey/255, otherwise 0: a pure function of (seed, step).

    Dynamic binarisation, Salakhutdinov and Murray 2008, https://doi.org/10.1145/1390156.1390266: a picture is
    another one at every step.  Exact: of the numbers 0 to 254, all equally likely, ``grey`` lie below grey.

    >>> binarized(np.array([0, 255, 0, 255], np.uint8), seed=1, step=7).tolist()
    [0, 1, 0, 1]
    """
    draw = np.random.default_rng((seed, step))
    return (draw.integers(0, 255, grey.shape, dtype=np.uint8) < grey).view(np.uint8)
