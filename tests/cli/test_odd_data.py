"""Data that are not quite right: handled, counted and said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_runs import TINY, sentences

from qkvae.cli import main

Lines = list[str]


def mark(source: Lines, target: Lines) -> None:
    source[0] = "\ufeff" + source[0]


def windows(source: Lines, target: Lines) -> None:
    source[:] = [line + "\r" for line in source]


def controls(source: Lines, target: Lines) -> None:
    source[3] = source[3].replace(" ", "\x07", 1)
    target[5] = target[5].replace(" ", "\x1b", 1)


def empty(source: Lines, target: Lines) -> None:
    source[7] = source[9] = ""
    source[11] = "  \t"


def megabyte(source: Lines, target: Lines) -> None:
    source[2] = "ab " * 350_000


def twice(source: Lines, target: Lines) -> None:
    source += source[:4]
    target += target[:4]


ODD: dict[str, tuple[Callable[[Lines, Lines], None], str, int]] = {
    "byte-order mark": (mark, "1 byte-order mark at the start of a file was taken off (train.en)", 80),
    "carriage returns": (windows, "80 lines ended in \\r\\n; the \\r was taken off (train.en:1, ", 80),
    "control characters": (
        controls,
        "2 control characters were turned into spaces (train.en:4, train.de:6)",
        80,
    ),
    "empty lines": (
        empty,
        "3 pairs with an empty side were dropped (train.en:8, train.en:10, train.en:12)",
        77,
    ),
    "a megabyte": (
        megabyte,
        "1 line of more than 100,000 bytes was dropped along with the rest of the example (train.en:3: ",
        79,
    ),
    "duplicates": (twice, "4 exact duplicates of an earlier pair were kept (line 81, line 82, line 83", 84),
}


def write(folder: Path, source: Lines, target: Lines) -> list[str]:
    paths = [folder / "train.en", folder / "train.de"]
    for path, lines in zip(paths, (source, target), strict=True):
        path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return [str(path) for path in paths]


@pytest.mark.parametrize("kind", ODD)
def test_the_check_counts_and_says_it(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, said, kept = ODD[kind]
    source, target = sentences()
    change(source, target)
    assert main(["data", "check", "translation", *write(tmp_path, source, target)]) == 0
    out = capsys.readouterr().out
    assert f"while reading: {said}" in out
    assert out.startswith(f"{kept} pairs")


def test_training_counts_says_and_keeps_it_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = sentences()
    for change, _, _ in ODD.values():
        change(source, target)
    out = tmp_path / "run"
    asked = ["train", "translation", *write(tmp_path, source, target), *TINY, "--steps", "2"]
    assert main([*asked, "--out", str(out)]) == 0
    said = capsys.readouterr().err
    passport = json.loads((out / "data.json").read_text(encoding="utf-8"))
    for kind in ODD:
        (note,) = [note for note in passport["notes"] if KEPT_WORDS[kind] in note]
        assert f"note: {note}" in said
    assert passport["training"]["pairs"] + passport["validation"]["pairs"] == 80 + 4 - 3 - 2


KEPT_WORDS = {
    "byte-order mark": "byte-order mark",
    "carriage returns": "ended in \\r\\n",
    "control characters": "control characters",
    "empty lines": "an empty side",
    "a megabyte": "100,000 bytes",
    "duplicates": "exact duplicates",
}


def test_a_measurement_says_it_too(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, target = sentences(20)
    empty(source, target)
    paths = write(trained, source, target)
    assert main(["eval", "run", *paths]) == 0
    captured = capsys.readouterr()
    assert "note: 3 pairs with an empty side were dropped (train.en:8" in captured.err
    assert "note" not in captured.out
    assert main(["eval", "run", *paths, "--json"]) == 0
    captured = capsys.readouterr()
    found = json.loads(captured.out)
    assert found["pairs"] == 17
    assert found["notes"][0].startswith("3 pairs with an empty side")
    assert captured.err == ""


def test_what_is_too_long_to_be_trained_on_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = sentences()
    source[4] = "abc " * 300
    out = tmp_path / "run"
    asked = [
        "train",
        "translation",
        *write(tmp_path, source, target),
        *TINY,
        "--steps",
        "2",
        "--out",
        str(out),
    ]
    assert main([*asked, "--max-length", "60"]) == 0
    assert "note: 1 training pair of more than 60 tokens left out" in capsys.readouterr().err


def test_an_input_too_long_to_be_read_is_told(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["use", "run", "abc " * 600, "abc", "--beam", "1", "--max-length", "3"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 2
    assert "1 input was longer than the model takes: its end was not read" in captured.err
