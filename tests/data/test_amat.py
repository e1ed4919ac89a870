"""Rows of numbers from MATLAB files and text, and damaged ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from qkvae.data.amat import read_amat

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("kind", TYPES)
def test_an_array_is_read_as_scipy_wrote_it(tmp_path: Path, kind: str, packed: bool) -> None:
    path = tmp_path / "some.amat"
    expected = np.arange(21).reshape(3, 7).astype(kind)
    held = {"words": "text", "X": expected, "z": np.array([[1 + 2j]])}
    with path.open("wb") as file:
        scipy.io.savemat(file, held, do_compression=packed)
    found = read_amat(path)
    assert found.dtype == expected.dtype
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match='no array "Y", but words, X, z'):
        read_amat(path, "Y")
    for name in ("words", "z"):
        with pytest.raises(ValueError, match=f'"{name}" holds no real numbers'):
            read_amat(path, name)


@pytest.mark.parametrize("shape", [(1, 1), (1, 2), (2, 1), (0, 3), (5, 4, 3)])
def test_small_elements_and_odd_shapes(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "some.amat"
    expected = np.ones(shape, np.uint8)
    with path.open("wb") as file:
        scipy.io.savemat(file, {"X": expected})
    np.testing.assert_array_equal(read_amat(path), expected)


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_file_is_refused_and_never_read_in_part(tmp_path: Path, packed: bool) -> None:
    path = tmp_path / "some.amat"
    with path.open("wb") as file:
        scipy.io.savemat(file, {"X": np.random.default_rng(0).integers(0, 9, (30, 9))}, do_compression=packed)
    whole = path.read_bytes()
    for length in range(20, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=r"damaged|holds no array"):
            read_amat(path)


def test_text_is_read_and_small_numbers_stay_bytes(tmp_path: Path) -> None:
    path = tmp_path / "some.amat"
    path.write_text("0 1 1\n1 0 0\n", encoding="utf-8")
    found = read_amat(path)
    assert found.dtype == np.uint8
    assert found.tolist() == [[0, 1, 1], [1, 0, 0]]
    path.write_text("0.5 1\n2 300\n", encoding="utf-8")
    assert read_amat(path).tolist() == [[0.5, 1.0], [2.0, 300.0]]
    path.write_text("0 1 1\n1 0\n", encoding="utf-8")
    with pytest.raises(ValueError, match="same count of numbers"):
        read_amat(path)


def test_the_only_array_needs_no_name(tmp_path: Path) -> None:
    path, expected = tmp_path / "faces.mat", np.arange(12, dtype=np.uint8).reshape(4, 3)
    scipy.io.savemat(path, {"ff": expected})
    np.testing.assert_array_equal(read_amat(path), expected)
    scipy.io.savemat(path, {"ff": expected, "gg": expected})
    with pytest.raises(ValueError, match=r'no array "X", but ff, gg: name one of those \(--picture\)'):
        read_amat(path)
