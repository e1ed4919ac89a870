"""The idx format of MNIST and its like: one array, its kind and its shape said first."""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae.data.files import TextFile, opened, read_head

_KINDS = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MOST_BYTES = 16 * 2**30


def is_idx(file: TextFile) -> bool:
    """Whether a file begins as idx does: two zeros, a known kind of number, 1 to 8 axes."""
    head = read_head(file, 4)
    return len(head) == 4 and head[:2] == b"\0\0" and head[2] in _KINDS and 1 <= head[3] <= 8


def read_idx(file: TextFile) -> NDArray[Any]:
    """The array in an idx file, .gz or plain.

    Bytes 0 and 1 are 0, byte 2 is the kind of number, byte 3 the number of axes; then the length of every
    axis as a big-endian 32-bit number, and the numbers themselves (Y. LeCun, C. Cortes, C. Burges:
    http://yann.lecun.com/exdb/mnist).

    Raises:
        ValueError: it is no idx file, cut short, or longer than it says.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "some-idx2-ubyte"
    >>> _ = path.write_bytes(bytes([0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]))
    >>> read_idx(TextFile(path)).tolist()
    [[1, 2, 3], [4, 5, 6]]
    """
    if not is_idx(file):
        raise ValueError(
            f"{file.name} is no idx file: it must begin with two zero bytes and a kind of number"
        )
    with opened(file) as stream:
        head = stream.read(4)
        axes = stream.read(4 * head[3])
        if len(axes) < 4 * head[3]:
            raise ValueError(f"{file.name} is cut short within its first line: copy or download it again")
        shape = struct.unpack(f">{head[3]}I", axes)
        kind = np.dtype(_KINDS[head[2]])
        wanted = math.prod(shape) * kind.itemsize
        if wanted > _MOST_BYTES:
            raise ValueError(
                f"{file.name} says that it holds {wanted / 2**30:,.0f} GiB, more than {_MOST_BYTES // 2**30}:"
                " it is damaged, or must be given in parts"
            )
        raw = stream.read()  # all, not as many as it says: memory is taken only for what is there
    if len(raw) != wanted:
        said = " × ".join(f"{side:,}" for side in shape)
        raise ValueError(
            f"{file.name} says that it holds {said} numbers, {wanted:,} bytes, but has {len(raw):,}: copy "
            "or download it again"
        )
    return np.frombuffer(raw, kind).reshape(shape).astype(kind.newbyteorder("="), copy=False)


def partner(path: Path) -> Path | None:
    """The labels that stand beside the pictures, by MNIST's names; None if there are none.

    ``train-images-idx3-ubyte.gz`` has ``train-labels-idx1-ubyte.gz``, compressed or not.
    """
    name = path.name
    for number in "1234":
        name = name.replace(f"idx{number}", "idx1")
    called = name.replace("images", "labels").replace("data", "labels")
    if called == path.name:
        return None
    plain = called.removesuffix(".gz").removesuffix(".xz")
    for each in (called, plain, f"{plain}.gz", f"{plain}.xz"):
        if (path.parent / each).is_file():
            return path.parent / each
    return None
