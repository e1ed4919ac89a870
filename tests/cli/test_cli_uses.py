"""What runs do instead of answering: flags declared by tasks, and no name of a task in the command line."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path

import pytest
from toy_use import Draw

import qkvae.cli.use as verb
from qkvae.cli import main
from qkvae.cli.flags import flags_of, with_flags
from qkvae.config import TASKS, Translation
from qkvae.tasks.uses import USES


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of translation can draw numbers, too, and of no other task."""
    monkeypatch.setattr(Translation, "USES", (*Translation.USES, Draw))
    monkeypatch.setitem(USES, Draw, "toy_use:draw")
    monkeypatch.setattr(verb, "_USES", (*verb._USES, Draw))
    monkeypatch.setattr(verb, "use", with_flags(verb._use, verb._flags()))


@pytest.mark.usefixtures("drawing")
def test_a_task_may_have_a_use_of_its_own(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["use", "run", "--draw", "3", "--twice"]) == 0
    told = capsys.readouterr()
    assert (told.out, told.err) == ("0\n2\n4\n", "of translation\n")
    assert main(["use", "run", "ab", "--draw", "1"]) == 0
    assert "the inputs were not read" in capsys.readouterr().err
    assert main(["use", "run", "ab", "--twice"]) == 2
    assert "--twice True has no effect without --draw" in capsys.readouterr().err
    assert main(["use", "run", "ab", "--draw", "3", "--embed"]) == 2
    assert "--embed and --draw exclude each other" in capsys.readouterr().err


@pytest.mark.usefixtures("drawing")
def test_a_run_of_another_task_refuses_it(
    trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Translation, "USES", ())
    assert main(["use", "run", "--draw", "3"]) == 2
    assert "--draw has no effect on a run of translation" in capsys.readouterr().err


def test_every_use_has_a_function_and_its_first_setting_asks_for_it() -> None:
    for kind in {use for task in TASKS.values() for use in task.USES}:
        assert kind in USES
        first = dataclasses.fields(kind)[0]
        assert not first.default, f"{kind.__name__}.{first.name} asks for it without being typed"
        assert all(flag.help.endswith(".") for flag in flags_of(kind))


def test_a_flag_means_one_thing() -> None:
    """`use` has the flags of all tasks, so none may be a number for one task and a switch for another."""
    hints: dict[str, typing.Any] = {}
    for task in TASKS.values():
        for kind in (type(task().generation), *task.USES):
            for flag in flags_of(kind):
                plain = typing.get_args(flag.hint) or (flag.hint,)
                is_switch = bool in plain
                assert hints.setdefault(flag.name, is_switch) is is_switch, flag.name
