"""What cannot be trained on is refused with one line and exit code 2, and nothing is written or lost."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tiny_runs import TINY, sentences, tree

from qkvae.cli import main

Make = Callable[[], list[str]]
"""Writes what is needed into the present folder; the words after ``train translation``."""


def lines(name: str, content: list[str] | bytes) -> str:
    text = content if isinstance(content, bytes) else "".join(f"{line}\n" for line in content).encode()
    Path(name).write_bytes(text)
    return name


def missing() -> list[str]:
    return ["train.en", "train.fr"]


def unequal() -> list[str]:
    return ["train.en", lines("short.de", sentences()[1][:-2])]


def nothing() -> list[str]:
    return ["train.en", lines("empty.de", b"")]


def one_side_empty() -> list[str]:
    return ["train.en", lines("blank.de", [""] * 80)]


def wrong_column() -> list[str]:
    rows = [f"{s}\t{t}" for s, t in zip(*sentences(), strict=True)]
    return [lines("pairs.tsv", ["english\tgerman", *rows]), "--source", "english", "--target", "germn"]


def wrong_number() -> list[str]:
    rows = [f"{s}\t{t}" for s, t in zip(*sentences(), strict=True)]
    return [lines("pairs.tsv", rows), "--source", "0", "--target", "2"]


def binary() -> list[str]:
    return ["train.en", lines("picture.de", b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + bytes(range(256)) * 9)]


def latin() -> list[str]:
    target = sentences()[1]
    target[4] = "Stra\u00dfe"
    return ["train.en", lines("latin.de", "".join(f"{line}\n" for line in target).encode("latin-1"))]


def utf16() -> list[str]:
    return ["train.en", lines("wide.de", "".join(f"{line}\n" for line in sentences()[1]).encode("utf-16"))]


def identical() -> list[str]:
    return ["train.en", lines("same.de", ["EIN HUND"] * 80)]


def three_lines() -> list[str]:
    return [lines(f"three.{i}", side[:3]) for i, side in enumerate(sentences())]


def damaged_gzip() -> list[str]:
    whole = gzip.compress("".join(f"{line}\n" for line in sentences()[1]).encode())
    return ["train.en", lines("broken.de.gz", whole[:-40])]


def all_too_long() -> list[str]:
    return ["train.en", "train.de", "--max-length", "1"]


def with_flags(*flags: str) -> Make:
    return lambda: ["train.en", "train.de", *flags]


REFUSED: dict[str, tuple[Make, str]] = {
    "missing file": (missing, 'train.fr does not exist: did you mean "train.'),
    "unequal line counts": (
        unequal,
        "train.en has 80 lines and short.de has 78: line n of one must translate",
    ),
    "empty file": (nothing, "empty.de is empty"),
    "a side wholly empty": (one_side_empty, "blank.de: the target side is empty in all 80 lines"),
    "wrong column": (wrong_column, 'pairs.tsv has no column "germn": did you mean "german"?'),
    "wrong column number": (wrong_number, "pairs.tsv has no column 2: its first row has 2 (0 to 1)"),
    "binary file": (binary, "picture.de is a binary file"),
    "not UTF-8": (latin, "latin.de: line 5 is not UTF-8 (byte 0xdf): it looks like latin-1"),
    "UTF-16": (utf16, "wide.de is UTF-16, not UTF-8, from line 1 on"),
    "all lines identical": (identical, 'all 80 target lines are identical ("EIN HUND")'),
    "3 lines": (three_lines, "3 sentence pairs, but at least 10 are needed"),
    "damaged gzip": (damaged_gzip, "broken.de.gz is damaged or cut short"),
    "everything too long": (all_too_long, "every training pair is longer than max_length 1 tokens"),
    "unknown option": (with_flags("--minuts", "3"), 'unknown option --minuts: did you mean "--minutes"?'),
    "negative time": (with_flags("--minutes", "-1"), "minutes is -1.0, but must be greater than 0"),
    "endless time": (with_flags("--minutes", "inf"), "minutes is inf, but must be a finite number"),
    "dropout above 1": (
        with_flags("--model.dropout", "1.5"),
        "dropout is 1.5, but must be at least 0 and less",
    ),
    "heads not dividing dim": (
        with_flags("--model.dim", "16", "--model.heads", "3"),
        "dim is 16 and heads is 3: heads must divide dim, for example heads 2",
    ),
    "vocabulary too large": (
        with_flags("--vocab-size", "50000"),
        "vocab_size is 50000, but these texts allow at most",
    ),
    "unknown value": (with_flags("--optimizer.schedule", "lineer"), 'Did you mean "linear"?'),
    "a device that is not there": (with_flags("--device", "mps"), "device mps is not there (found: cpu"),
    "a sink that is not there": (
        with_flags("--sink", "wandb"),
        'sink wandb needs its package: pip install "qkvae[wandb]"',
    ),
    "nothing to replay": (with_flags("--replay", "nowhere"), "nowhere: no such run"),
    "validation data of another shape": (with_flags("--valid", "train.en"), "--valid has 1 paths and DATA 2"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(
    kind: str, trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    make, told = REFUSED[kind]
    without_extras(monkeypatch)
    words = make()
    before = tree(trained)
    asked = ["train", "translation", *words]
    for flag, value in zip(TINY[::2], TINY[1::2], strict=True):
        asked += [] if flag in words else [flag, value]
    if "--minutes" not in words:
        asked += ["--steps", "2"]
    # Both a run that would be replaced, and a new place.
    for out in (["run", "--overwrite"], ["new"]):
        assert main([*asked, "--quiet", "--out", *out]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("qkvae: ")
        assert captured.err.count("\n") == 1, captured.err
        assert told in captured.err
        assert tree(trained) == before
        assert not Path("new").exists()


def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """No GPU and no package beyond the core, whatever this machine has."""
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setitem(sys.modules, "wandb", None)


def test_an_unknown_task_gets_the_nearest(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(trained)
    assert main(["train", "translatoin", "train.en", "train.de", "--out", "new"]) == 2
    captured = capsys.readouterr()
    assert 'unknown task "translatoin": did you mean "translation"?' in captured.err
    assert captured.err.count("\n") == 1
    assert tree(trained) == before


def test_a_folder_that_holds_a_run_is_kept(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(trained)
    assert main(["train", "translation", "train.en", "train.de", "--steps", "2", "--out", "run"]) == 2
    assert "run already holds a run: go on with it by `qkvae resume run`" in capsys.readouterr().err
    assert tree(trained) == before


def test_a_place_that_may_not_be_written(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("file").write_bytes(b"mine")
    assert main(["train", "translation", "train.en", "train.de", "--steps", "2", "--out", "file"]) == 2
    assert "file is a file, and a run is a folder" in capsys.readouterr().err
    assert Path("file").read_bytes() == b"mine"


def test_no_permission_is_the_users_to_mend(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", forbidden)
    asked = ["train", "translation", "train.en", "train.de", *TINY, "--steps", "2", "--quiet", "--out", "new"]
    assert main(asked) == 2
    assert "new: no permission to write it: choose another place with --out" in capsys.readouterr().err
