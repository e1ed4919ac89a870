"""Tensors come back as they were written, and whatever is not what was written is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from qkvae.run.errors import DamagedPart, MissingPart
from qkvae.run.tensors import read_tensors, write_tensors

DTYPES = (
    torch.float64,
    torch.float32,
    torch.float16,
    torch.bfloat16,
    torch.int64,
    torch.int32,
    torch.int16,
    torch.int8,
    torch.uint8,
    torch.bool,
)


def mixed() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    tensors = {str(dtype): (torch.rand(3, 5) * 9).to(dtype) for dtype in DTYPES}
    return tensors | {"scalar": torch.tensor(2.5), "empty": torch.zeros(0, 4), "größe": torch.ones(1)}


def test_every_type_and_shape_comes_back_in_the_same_bits(tmp_path: Path) -> None:
    tensors = mixed() | {"turned": torch.arange(6.0).reshape(2, 3).T, "part": torch.arange(9.0)[2:5]}
    write_tensors(tmp_path / "a", tensors, {"kind": "test"})
    loaded, metadata = read_tensors(tmp_path / "a")
    assert metadata == {"format": "pt", "kind": "test"}
    assert loaded.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert loaded[name].dtype == tensor.dtype
        assert torch.equal(loaded[name], tensor), name


def test_the_library_reads_our_file_with_every_tensor_aligned(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", mixed(), {})
    theirs = load_file(tmp_path / "a")
    assert all(torch.equal(theirs[name], tensor) for name, tensor in mixed().items())
    content = (tmp_path / "a").read_bytes()
    size = int.from_bytes(content[:8], "little")
    assert size % 8 == 0
    header = json.loads(content[8 : 8 + size])
    for name, tensor in mixed().items():
        assert header[name]["data_offsets"][0] % tensor.element_size() == 0


def test_tied_weights_are_stored_once_and_tied_again(tmp_path: Path) -> None:
    table = torch.nn.Parameter(torch.rand(100, 8))
    apart = table.detach().clone()
    write_tensors(tmp_path / "a", {"source": table, "target": table, "head": table.data, "apart": apart}, {})
    with safe_open(tmp_path / "a", "pt") as stored:
        assert sorted(stored.keys()) == ["apart", "head"]
    loaded, _ = read_tensors(tmp_path / "a")
    assert loaded["source"] is loaded["target"] is loaded["head"]
    assert torch.equal(loaded["source"], table)
    assert loaded["apart"] is not loaded["head"]


def test_views_of_one_storage_that_differ_are_not_taken_for_tied(tmp_path: Path) -> None:
    square = torch.arange(4.0).reshape(2, 2)
    views = {"whole": square, "turned": square.T, "row": square[0], "ints": square.view(torch.int32)}
    write_tensors(tmp_path / "a", views, {})
    loaded, _ = read_tensors(tmp_path / "a")
    assert all(torch.equal(loaded[name], view) for name, view in views.items())


def test_loaded_tensors_can_be_written_to_and_their_file_replaced(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"x": torch.zeros(3)}, {})
    loaded, _ = read_tensors(tmp_path / "a")
    write_tensors(tmp_path / "a", {"x": torch.ones(3)}, {})
    loaded["x"] += 5
    assert loaded["x"].tolist() == [5, 5, 5]
    assert read_tensors(tmp_path / "a")[0]["x"].tolist() == [1, 1, 1]


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_no_flipped_bit_passes(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "flipped.safetensors"
    table = torch.arange(12.0)
    write_tensors(path, {"a": table, "b": table, "c": torch.arange(5)}, {"facts": '{"step": 3}'})
    whole = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(whole) - 1))
    whole[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    with pytest.raises(DamagedPart, match=r"flipped\.safetensors .*(damaged|checksum)"):
        read_tensors(path)


@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_no_cut_file_passes(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    write_tensors(path, {"a": torch.arange(12.0)}, {})
    whole = path.read_bytes()
    path.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(DamagedPart):
        read_tensors(path)


def test_another_programs_file_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2)}, tmp_path / "theirs")
    with pytest.raises(DamagedPart, match="not written by qkvae"):
        read_tensors(tmp_path / "theirs")


def test_a_missing_file_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    with pytest.raises(MissingPart, match="gone is missing"):
        read_tensors(tmp_path / "gone")


def test_equal_content_makes_equal_files(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a", {"x": torch.ones(3), "y": torch.zeros(2)}, {"k": "v", "j": "w"})
    write_tensors(tmp_path / "b", {"y": torch.zeros(2), "x": torch.ones(3)}, {"k": "v", "j": "w"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
