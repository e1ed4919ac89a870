"""Tables of mixed columns: read, scaled, kept; what is odd is counted, what has changed is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from qkvae.data.mixed_table import MixedTable, read_mixed_table
from qkvae.data.table_scaling import TableScaling

ROWS = [f"{n},{n * 0.5},{'Turin' if n % 3 else 'Pisa'},m" for n in range(20)]
HEAD = "row,size,town,unit"


def table(path: Path, lines: list[str], name: str = "rows.csv") -> Path:
    (path / name).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path / name


def test_a_table_and_back(tmp_path: Path) -> None:
    found = read_mixed_table(table(tmp_path, [HEAD, *ROWS]))
    assert len(found) == 20
    assert found.where(0) == "rows.csv: line 2"
    scaling = TableScaling.decide(found)
    assert [column.name for column in scaling.numeric] == ["row", "size"]
    assert [column.categories for column in scaling.categorical] == [("Pisa", "Turin")]
    assert scaling.constant == ("unit",)
    assert "constant column" in str(scaling.notes[0])
    rows = scaling.scale(found)
    assert np.allclose(rows.numbers.mean(0), 0, atol=1e-6)
    assert np.allclose(rows.numbers.std(0), 1, atol=1e-6)
    assert np.allclose(scaling.unscaled(rows.numbers)[:, 1], np.arange(20) / 2, atol=1e-5)
    saved = json.loads(json.dumps(scaling.to_dict()))
    assert TableScaling.from_dict(saved).columns == scaling.columns
    with pytest.raises(ValueError, match="is damaged"):
        TableScaling.from_dict({"columns": [{"name": "a"}]})


def test_without_a_header_quotes_and_columns_left_out(tmp_path: Path) -> None:
    path = table(tmp_path, [f"{n}.5,{n % 3},'{1 if n % 5 else -1}'" for n in range(20)])
    found = read_mixed_table(path, ignore=["2"])
    assert list(found.columns) == ["0", "1"]
    assert read_mixed_table(path).columns["2"][:2] == ["-1", "1"]
    assert [note.kind for note in found.notes] == ["first row"]
    with pytest.raises(ValueError, match='no column "label" to ignore'):
        read_mixed_table(path, ignore=["label"])


def test_parquet_and_jsonl_say_the_same(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"size": n * 0.5, "town": None if n == 3 else "ab"[n % 2]} for n in range(12)]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows.parquet")
    lines = table(tmp_path, [json.dumps(row) for row in rows], "rows.jsonl")
    one, other = read_mixed_table(tmp_path / "rows.parquet"), read_mixed_table(lines)
    assert one.columns == other.columns
    assert one.fingerprint == other.fingerprint


def test_missing_and_unseen_values_are_counted(tmp_path: Path) -> None:
    lines = [HEAD, *ROWS[:5], "5,NA,,m", *ROWS[6:]]
    found = read_mixed_table(table(tmp_path, lines))
    assert {note.kind: note.count for note in found.notes} == {"missing size": 1, "missing town": 1}
    scaling = TableScaling.decide(found)
    rows = scaling.scale(found)
    assert rows.numbers[5, 1] == 0
    assert rows.known[5].tolist() == [True, False]
    assert rows.codes[5].tolist() == [-1]
    other = read_mixed_table(table(tmp_path, [HEAD, "1,2,Rome,m", "1,2,Pisa,m"], "new.csv"), minimum=1)
    rows = scaling.scale(other)
    assert rows.codes.tolist() == [[2], [0]]
    (note,) = rows.notes
    assert str(note) == '1 value of "town" was unknown in training (new.csv: line 2)'


def test_what_is_refused(tmp_path: Path) -> None:
    def refusal(lines: list[str]) -> str:
        with pytest.raises(ValueError) as caught:  # noqa: PT011
            TableScaling.decide(read_mixed_table(table(tmp_path, lines)))
        return str(caught.value)

    assert "3 rows, but at least 10 are needed" in refusal([HEAD, *ROWS[:3]])
    infinite = [HEAD, ROWS[0], "1,inf,Pisa,m", *ROWS[2:]]
    assert 'line 3: column "size" holds inf, which is infinite' in refusal(infinite)
    names = [f"{n},name{n}" for n in range(80)]
    assert "80 different values that are no numbers, more than 50" in refusal(["a,b", *names])
    assert "no column of a, b ever changes" in refusal(["a,b", *["x,1"] * 12])
    assert 'two columns "a"' in refusal(["a,a", *["1,2"] * 12])
    with pytest.raises(ValueError, match="is no table"):
        read_mixed_table(__file__)


def test_a_column_that_changed_its_kind_is_refused() -> None:
    train = MixedTable({"size": ["1", "2", "3"], "town": ["a", "b", "a"]})
    scaling = TableScaling.decide(train)
    with pytest.raises(ValueError, match='line 2: "tall" in column "size" is no number'):
        scaling.scale(MixedTable({"size": ["1", "tall"], "town": ["a", "b"]}))
    with pytest.raises(ValueError, match=r'"town" holds numbers \(7\), but was trained on categories'):
        scaling.scale(MixedTable({"size": ["1"], "town": ["7"]}))
    with pytest.raises(ValueError, match='no column "town"'):
        scaling.scale(MixedTable({"size": ["1"]}))
    rows = MixedTable({"a": ["1", "2", "1"]}).hashes()
    assert rows[0] == rows[2] != rows[1]


def test_a_key_that_comes_late_is_a_column(tmp_path: Path) -> None:
    lines = ['{"age": 1}', *(f'{{"age": {n}, "x": {n * n}}}' for n in range(12))]
    found = read_mixed_table(table(tmp_path, lines, "rows.jsonl"))
    assert list(found.columns) == ["age", "x"]
    assert found.columns["x"][0] is None


def test_a_number_that_is_mistyped_is_named(tmp_path: Path) -> None:
    lines = ["age,kind", *(f"{n},{n % 3}" for n in range(30)), "twelve,1"]
    with pytest.raises(ValueError, match='line 32: "twelve" in column "age" is no number, as nearly all'):
        TableScaling.decide(read_mixed_table(table(tmp_path, lines)))
    codes = ["age,kind", *(f"{n},{n % 3 or 'other'}" for n in range(30))]
    assert len(TableScaling.decide(read_mixed_table(table(tmp_path, codes))).categorical) == 1


def test_cells_apart_by_semicolons_are_told_of(tmp_path: Path) -> None:
    lines = ["age;town", *(f"{n};Pisa" for n in range(20))]
    with pytest.raises(ValueError, match="has one column, age;town: put commas between its cells, not ';'"):
        read_mixed_table(table(tmp_path, lines))
    alone = read_mixed_table(table(tmp_path, ["a;b", *(f"{n}" for n in range(12))]))
    assert list(alone.columns) == ["a;b"]


def test_constant_is_what_does_not_change_but_for_rounding(tmp_path: Path) -> None:
    cells = zip(["0.1", "0.10"] * 10, [f"1e{300 + n % 9}" for n in range(20)], strict=True)
    rows = read_mixed_table(table(tmp_path, ["a,b", *map(",".join, cells)]))
    scaling = TableScaling.decide(rows)
    assert scaling.constant == ("a",)
    assert np.isfinite(scaling.scale(rows).numbers).all()
    assert scaling.columns[0].std > 0


def test_rows_know_their_place_among_those_dropped(tmp_path: Path) -> None:
    found = read_mixed_table(table(tmp_path, [HEAD, ROWS[0], "1,2", *ROWS[1:]]))
    assert list(found.places[:3]) == [1, 3, 4]
    assert found.select([1]).places == [3]
