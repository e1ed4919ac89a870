"""Signals out of tables and arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from qkvae.config.pictures import PictureData
from qkvae.data.picture_format import PictureFormat
from qkvae.data.signals import read_signals


def table(path: Path, rows: list[str]) -> Path:
    path = path / "rows.csv"
    path.write_text("".join(row + "\n" for row in rows), encoding="utf-8")
    return path


def test_rows_of_a_table(tmp_path: Path) -> None:
    rows = [f"{n % 3},{n},{n + 1},{n + 2}" for n in range(12)]
    numbered = read_signals(table(tmp_path, rows), PictureData(label="0"))
    assert numbered.values[4].tolist() == [[4, 5, 6]]
    assert (numbered.labels or [])[:4] == ["0", "1", "2", "0"]
    assert numbered.where(1) == "rows.csv: line 2"
    everything = read_signals(table(tmp_path, rows), labelled=False)
    assert everything.size == (4,)
    with pytest.raises(ValueError, match="say by label which one is the label"):
        read_signals(tmp_path / "rows.csv")
    with pytest.raises(ValueError, match="have size 3, but those trained on have 4"):
        read_signals(tmp_path / "rows.csv", PictureData(label="0"), like=PictureFormat.of(everything))


def test_what_a_signal_may_not_hold(tmp_path: Path) -> None:
    for cell, message in {
        "": "is empty, but must hold a number",
        "inf": "is infinite",
        "x": "is no number",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_signals(table(tmp_path, ["a,b,label", "1,2,u", f"1,{cell},v", "1,3,u"]))
    with pytest.raises(ValueError, match='the label "label" is empty'):
        read_signals(table(tmp_path, ["a,b,label", "1,2,u", "1,3,", "1,3,u"]))


def test_arrays_are_read_as_everywhere(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(6, 30, 2)).astype(np.float32)
    np.savez(tmp_path / "a.npz", x=values, y=np.arange(6))
    found = read_signals(tmp_path / "a.npz")
    assert (found.values == values.transpose(0, 2, 1)).all()
    assert found.white == 1.0


def test_what_a_run_is_asked_about_needs_no_column_of_labels(tmp_path: Path) -> None:
    rows = read_signals(table(tmp_path, ["a,b,kind", "1,2,0", "1,3,1"]), PictureData(label="kind"))
    asked = table(tmp_path, ["a,b", "1,2", "1,3"])
    found = read_signals(asked, PictureData(label="kind"), labelled=False, like=PictureFormat.of(rows))
    assert found.size == (2,)
    with pytest.raises(ValueError, match='no column "kind"'):
        read_signals(asked, PictureData(label="kind"))
