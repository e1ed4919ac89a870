"""What a person sees while training, on a terminal and in a log."""

from __future__ import annotations

import io
import os
import sys

import pytest

from qkvae.train import progress
from qkvae.train.progress import Bar, Lines, Silent, make_reporter


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_which_one(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(make_reporter(quiet=True), Silent)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert type(make_reporter(quiet=False)) is Lines
    monkeypatch.setattr(sys, "stderr", Terminal())
    assert type(make_reporter(quiet=False)) is Bar


def test_a_log_gets_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    lines = Lines()
    for _ in range(100):
        lines.step(0.5, 2.25, "12,346 texts/s", 200.0)
        now[0] += 1.0
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 4
    assert said[0].startswith("50.0%  mean loss 2.250  12,346 texts/s  3 min left, done at ")


def test_the_bar_fits_the_terminal_and_ends_where_the_training_did(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(progress.shutil, "get_terminal_size", lambda: os.terminal_size((40, 24)))
    bar = Bar()
    for step in range(1, 11):
        bar.step(step / 10, 1.0, "5 tokens/s", 10.0 - step)
    bar.say("a sentence")
    bar.close()
    drawn = terminal.getvalue().replace("\033[K", "").split("\r")
    assert all(len(line.rstrip("\n")) < 40 for line in drawn)
    assert drawn[-1].startswith("█" * 24)
    assert drawn[-1].endswith("\n")
    assert "a sentence\n" in drawn
