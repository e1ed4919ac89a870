"""What goes wrong is one line and an exit code."""

from __future__ import annotations

import errno
import io
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from qkvae.cli import main
from qkvae.cli.errors import explain


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("trian", 'unknown verb "trian": did you mean "train"?'),
        ("xyzzy", 'unknown verb "xyzzy": known: compare, data, eval'),
        ("report runs/x", 'unknown verb "report": a finished training has written RUN/report.html'),
        ("serve runs/x", 'unknown verb "serve": pages are files to open in a browser: RUN/report.html'),
        ("data chekc translation", 'unknown command "chekc": did you mean "check"?'),
        ("data check translatoin", 'unknown task "translatoin": did you mean "translation"?'),
        ("train translatoin", 'unknown task "translatoin": did you mean "translation"?'),
        ("train translation --model.dmi 3", 'unknown option --model.dmi: did you mean "--model.dim"?'),
        ("train translation --model.dmi=3", 'did you mean "--model.dim"?'),
        ("train translation --xyzzy 3", "--help lists all options"),
        ("train translation --minutes -3", "minutes is -3.0, but must be greater than 0"),
        ("train translation --minutes three", 'unable to convert "three" into float'),
        ("train translation --minutes 3 --steps 3", "give one of them"),
        ("train translation --model.dropout 1.5", "dropout is 1.5"),
        ("train translation --model.heads 3", "heads must divide dim"),
        ("train translation --model.norm laye", 'Did you mean "layer"?'),
        ("train translation --config nowhere.toml", "nowhere.toml: no such file or directory"),
        ("use", "RUN requires an argument"),
        ("eval runs/x", "DATA requires an argument"),
        ("info runs/x runs/y", 'there is no place for "runs/y"'),
        ("use runs/x a --nbest 9", "nbest is 9, but the beam holds 5"),
    ],
)
def test_misuse_is_one_line_and_exit_code_2(
    api: types.SimpleNamespace, words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words.split()) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("qkvae: ")
    assert captured.err.count("\n") == 1
    assert said in captured.err
    assert not api.calls


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (ValueError("two\nlines"), 2, "two lines"),
        (FileNotFoundError("runs/x holds no run"), 2, "runs/x holds no run"),
        (PermissionError(errno.EACCES, "Permission denied", "runs"), 2, "runs: permission denied"),
        (ModuleNotFoundError("lightning is missing"), 2, "lightning is missing"),
        (OSError(errno.ENOSPC, "No space left on device", "runs/x"), 1, "runs/x: no space left on device"),
        (MemoryError(), 1, "out of memory"),
        (AssertionError("impossible"), 1, "unexpected AssertionError: impossible"),
    ],
)
def test_every_error_has_its_code(error: Exception, code: int, line: str) -> None:
    assert explain(error) == (code, line)


def test_the_traceback_is_for_those_who_ask(
    api: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(path: Path) -> None:
        raise AssertionError("impossible")

    api.load = broken
    assert main(["info", "runs/x"]) == 1
    assert (
        capsys.readouterr().err
        == "qkvae: unexpected AssertionError: impossible (QKVAE_DEBUG=1 shows where)\n"
    )
    monkeypatch.setenv("QKVAE_DEBUG", "1")
    assert main(["info", "runs/x"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_and_a_reader_that_leaves(
    api: types.SimpleNamespace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def raising(error: BaseException) -> Callable[[Path], None]:
        def load(path: Path) -> None:
            raise error

        return load

    api.load = raising(KeyboardInterrupt())
    assert main(["info", "runs/x"]) == 130
    capsys.readouterr()
    api.load = raising(BrokenPipeError())
    monkeypatch.setattr(sys, "stdout", io.StringIO())  # has no file descriptor to be pointed elsewhere
    assert main(["info", "runs/x"]) == 141
    assert capsys.readouterr().err == ""
