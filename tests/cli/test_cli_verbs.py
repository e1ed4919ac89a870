"""The verbs that use a run: inputs in, results out."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import types
from pathlib import Path

import pytest

from qkvae.cli import main
from qkvae.cli.inputs import groups
from qkvae.config import Generation, Translation


def feed(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))


def test_texts_lines_and_files_are_answered_in_order(
    api: types.SimpleNamespace,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["use", "runs/x", "zwei", "eins"]) == 0
    assert capsys.readouterr().out == "ZWEI\nEINS\n"
    feed(monkeypatch, "\ufeffüber\r\n\nlast".encode())
    assert main(["use", "runs/x"]) == 0
    assert capsys.readouterr().out == "ÜBER\n\nLAST\n"
    packed = tmp_path / "lines.gz"
    packed.write_bytes(gzip.compress(b"a\nb\n"))
    assert main(["use", "runs/x", "--file", str(packed)]) == 0
    assert capsys.readouterr().out == "A\nB\n"
    assert api.loaded.generation is None
    torn = tmp_path / "torn.gz"
    torn.write_bytes(packed.read_bytes()[:-9])
    assert main(["use", "runs/x", "--file", str(torn)]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "torn.gz is damaged or cut short" in told.err


def test_an_empty_input_is_told_of(api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["use", "runs/x", ""]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("\n", "note: an input is empty, and so is what is answered\n")
    assert main(["use", "runs/x", "a", "", " "]) == 0
    assert "2 inputs are empty" in capsys.readouterr().err


def test_nbest_and_json(api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    api.loaded.config = Translation(generation=Generation(length_penalty=0.6))
    assert main(["use", "runs/x", "a", "b", "--beam", "4", "--nbest", "2"]) == 0
    assert capsys.readouterr().out == "1\t-0.5000\tA\n1\t-1.5000\tA!\n2\t-0.5000\tB\n2\t-1.5000\tB!\n"
    assert api.loaded.generation == Generation(beam=4, nbest=2, length_penalty=0.6)
    assert main(["use", "runs/x", "a", "b", "--nbest", "2", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == {"source": "a", "texts": ["A", "A!"], "scores": [-0.5, -1.5]}
    assert len(lines) == 2


def test_a_sample_is_no_search(api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert api.loaded.config.generation.beam > 1
    assert main(["use", "runs/x", "a", "--sample", "--temperature", "0.8"]) == 0
    assert api.loaded.generation == Generation(beam=1, sample=True, temperature=0.8)
    assert main(["use", "runs/x", "a", "--sample", "--beam", "3"]) == 2
    assert "sample and beam 3 exclude each other" in capsys.readouterr().err


def test_a_line_that_is_not_utf8_is_named(
    api: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    feed(monkeypatch, b"good\ncaf\xe9\n")
    assert main(["use", "runs/x"]) == 2
    assert "stdin, line 2 is not UTF-8 (byte 0xe9 at 4)" in capsys.readouterr().err


def test_a_piped_line_is_answered_before_the_pipe_ends() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as typed:
        arrived = groups(stream, "stdin")
        typed.write(b"one\ntw")
        assert next(arrived) == ["one"]
        typed.write(b"o\nthree\n")
        assert next(arrived) == ["two", "three"]
        typed.close()
        assert list(arrived) == []


def test_text_and_file_exclude_each_other(
    api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["use", "runs/x", "a", "--file", "b"]) == 2
    assert "exclude each other" in capsys.readouterr().err
    assert main(["use", "runs/x", "--file", "nowhere.txt"]) == 2
    assert "nowhere.txt is no file" in capsys.readouterr().err


def test_eval_and_compare(api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "runs/x", "t.en", "t.de", "--source", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "bleu": 39.5,
        "paths": ["t.en", "t.de"],
        "source": "0",
        "perplexity": None,
    }
    assert api.loaded.report is None
    assert main(["eval", "runs/x", "t.tsv", "--report", "page.html"]) == 0
    assert api.loaded.report == Path("page.html")
    capsys.readouterr()
    assert main(["eval", "runs/x", "t.tsv"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["bleu", "39.5"]
    assert main(["compare", "runs/a", "runs/b", "t.en", "t.de", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["runs"] == ["runs/a", "runs/b"]
    assert found["data"] == ["t.en", "t.de"]


def test_look_info_and_prove(api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["look", "runs/x", "ein Satz", "--out", "page.html"]) == 0
    assert capsys.readouterr().out == "page.html\n"
    assert Path("page.html").read_text(encoding="utf-8") == "ein Satz"
    assert api.loaded.aim == (None, None)
    assert main(["look", "runs/x", "a.png", "--class", "dog", "--block", "2"]) == 0
    assert capsys.readouterr().out == "look.html\n"
    assert api.loaded.aim == ("dog", 2)
    assert main(["info", "runs/x"]) == 0
    assert "training.steps  3" in capsys.readouterr().out
    assert main(["prove", "runs/x"]) == 0
    api.loaded.rows.append(types.SimpleNamespace(name="no look-ahead", holds=False, detail="gradient 0.3"))
    assert main(["prove", "runs/x"]) == 1
    assert "FAILS  no look-ahead: gradient 0.3" in capsys.readouterr().out


def test_data_check(api: types.SimpleNamespace, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "translation", "a.en", "a.de", "--valid", "v.en", "v.de"]) == 0
    assert api.calls[-1][:3] == ("translation", ("a.en", "a.de"), ("v.en", "v.de"))
    assert capsys.readouterr().out == "2 duplicates\n"
    assert main(["data", "check", "translation", "a.tsv", "--source", "en", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"duplicates": 2}


@pytest.mark.parametrize(
    "words",
    [
        "runs/x --nbest 2 a b c",
        "runs/x a --nbest 2 b c",
        "--nbest 2 runs/x a b c",
        "runs/x a b c --nbest 2",
        "runs/x --nbest 2 a --beam 5 b c",
    ],
)
def test_options_may_stand_anywhere(
    api: types.SimpleNamespace, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["use", *words.split()]) == 0
    assert api.loaded.groups == [["a", "b", "c"]]
    assert api.loaded.generation.nbest == 2
    for verb in (
        "eval runs/x --json a b",
        "compare runs/x --json runs/y a b",
        "compare runs/x runs/y --json a b",
    ):
        capsys.readouterr()
        assert main(verb.split()) == 0
        assert list(json.loads(capsys.readouterr().out).values()).count(["a", "b"]) == 1
    assert main(["data", "check", "translation", "--max-length", "50", "a", "b"]) == 0
    assert main(["train", "translation", "--steps", "3", "a", "--quiet", "b", "--out", "x"]) == 0
    assert api.calls[-2][1] == api.calls[-1][1].data.paths == ("a", "b")
