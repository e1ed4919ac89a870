"""Vectors and neighbours at the command line."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from qkvae import api
from qkvae.cli import main

LINES = ["ab cd", "ef", "ab ab ab"]


def test_an_array_on_stdout_has_a_row_for_each_line(
    trained: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    (trained / "lines.txt").write_text("\n".join(LINES) + "\n", encoding="utf-8")
    assert main(["use", "run", "--embed", "--file", "lines.txt"]) == 0
    found = npy.read_array(io.BytesIO(capsysbinary.readouterr().out), allow_pickle=False)
    assert (found.shape, found.dtype) == ((3, 16), np.float32)
    np.testing.assert_allclose(found, api.load("run").embed(LINES), atol=1e-5)


def test_every_format_holds_the_same(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    known = api.load("run").embed(LINES)
    for name in ("vectors.npy", "vectors.npz"):
        assert main(["use", "run", *LINES, "--embed", "--out", name]) == 0
        assert "3 vectors of 16 numbers" in capsys.readouterr().err
    np.testing.assert_allclose(np.load("vectors.npy", allow_pickle=False), known, atol=1e-5)
    with np.load("vectors.npz", allow_pickle=False) as arrays:
        assert arrays["text"].tolist() == LINES
        np.testing.assert_allclose(arrays["vectors"], known, atol=1e-5)
    assert main(["use", "run", *LINES, "--embed", "--json", "--pool", "mean"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    np.testing.assert_allclose([row["vector"] for row in rows], known, atol=1e-5)


def test_a_row_for_each_token_says_where_it_stands(trained: Path) -> None:
    assert main(["use", "run", *LINES, "--embed", "--level", "token", "--out", "tokens.npz"]) == 0
    with np.load("tokens.npz", allow_pickle=False) as arrays:
        shown = [
            LINES[line][start:end]
            for line, start, end in zip(arrays["line"], arrays["start"], arrays["end"], strict=True)
        ]
        assert "".join(shown) == "".join(LINES)
        assert arrays["vectors"].shape == (len(shown), 16)


def test_neighbours_are_lines_of_the_file(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trained / "lines.txt").write_text("\n".join([*LINES, "", "ef"]), encoding="utf-8")
    assert main(["use", "run", "--neighbours", "lines.txt", "ef", "ab ab", "--count", "2"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[0] for row in rows] == ["1", "1", "2", "2"]
    assert rows[0] == ["1", "1.0000", "ef"]
    assert float(rows[2][1]) >= float(rows[3][1])
    assert main(["use", "run", "--neighbours", "lines.txt", "ef", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["neighbours"]) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--embed", "--out", "vectors.txt"], 'ends in ".txt", which is no format for sentences'),
        (["--embed", "--level", "token", "--out", "a.npy"], 'ends in ".npy", which is no format for tokens'),
        (["--embed", "--out", "no/a.npy"], "no is no folder"),
        (["--embed", "--json", "--out", "a.npy"], "--json and --out a.npy exclude each other"),
        (["--embed", "--beam", "2", "--out", "a.npy"], "--beam 2 has no effect with --embed"),
        (["--pool", "mean"], "--pool mean has no effect without --embed or --neighbours"),
        (["--count", "3"], "--count 3 has no effect without --neighbours"),
        (["--embed", "--level", "token", "--pool", "mean"], "pool mean has no effect with level token"),
        (["--neighbours", "nothing.txt"], "nothing.txt is no file"),
        (["--neighbours", "train.en", "--count", "0"], "count is 0, but must be at least 1"),
        (["--neighbours", "train.en", "--embed"], "exclude each other"),
    ],
)
def test_what_cannot_be_is_refused_with_the_cure(
    trained: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["use", "run", "ab", *words]) == 2
    assert message in capsys.readouterr().err


def test_nothing_binary_goes_to_a_terminal(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["use", "run", "ab", "--embed"]) == 2
    assert "add > vectors.npy, --out vectors.npy or --json" in capsys.readouterr().err


def test_a_parquet_table_holds_the_same(trained: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert main(["use", "run", *LINES, "--embed", "--out", "vectors.parquet"]) == 0
    table = parquet.read_table("vectors.parquet").to_pylist()
    assert [row["text"] for row in table] == LINES
    known = api.load("run").embed(LINES)
    np.testing.assert_allclose([row["vector"] for row in table], known, atol=1e-5)
