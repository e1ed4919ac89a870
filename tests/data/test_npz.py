"""Arrays that say they are larger than they are, and arrays on another scale than those trained on."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from qkvae.data.picture_format import PictureFormat
from qkvae.data.read_pictures import read_pictures


@pytest.mark.parametrize("shape", [(2**60,), (2**70,), (2**40, 2**40)])
def test_an_array_that_says_it_is_huge_is_refused_without_taking_memory(
    tmp_path: Path, shape: tuple[int, ...]
) -> None:
    stream = io.BytesIO()
    head = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, head)
    stream.write(b"abc")
    (tmp_path / "a.npy").write_bytes(stream.getvalue())
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("images.npy", stream.getvalue())
    for name in ("a.npy", "a.npz"):
        with pytest.raises(ValueError, match="cannot be read as an array"):
            read_pictures(tmp_path / name, labelled=False)


def test_numbers_beyond_bytes_stay_on_the_scale_of_the_bytes_trained_on(tmp_path: Path) -> None:
    counts = np.arange(80).reshape(4, 20) * 2
    np.save(tmp_path / "train.npy", counts)
    np.save(tmp_path / "more.npy", counts * 2)
    train = read_pictures(tmp_path / "train.npy", axes=1, labelled=False)
    more = read_pictures(tmp_path / "more.npy", axes=1, labelled=False, like=PictureFormat.of(train))
    assert (train.white, more.white) == (255, 255)
    assert (more.values[:, 0] == counts * 2).all()
