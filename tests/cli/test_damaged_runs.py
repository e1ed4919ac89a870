"""A run that is not whole is refused by every verb with one line and exit code 2, and stays as it is."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tiny_runs import TINY, tree

from qkvae.cli import main
from qkvae.config import TASKS, Translation

USE, LOOK, RESUME = ["use", "run", "abc"], ["look", "run", "abc"], ["resume", "run"]
EVAL = ["eval", "run", "train.en", "train.de"]


def spoil(name: str) -> Callable[[], None]:
    """Turn one bit of a file over, as a bad disk does."""

    def change() -> None:
        content = bytearray(Path("run", name).read_bytes())
        content[-9] ^= 1
        Path("run", name).write_bytes(content)

    return change


def cut(name: str) -> Callable[[], None]:
    return lambda: Path("run", name).write_bytes(Path("run", name).read_bytes()[:-50])


def remove(name: str) -> Callable[[], None]:
    return Path("run", name).unlink


def edit(**changes: object) -> Callable[[], None]:
    """Change settings in config.json; a name is group__field."""

    def change() -> None:
        path = Path("run/config.json")
        document = json.loads(path.read_text(encoding="utf-8"))
        for name, value in changes.items():
            *groups, field = name.split("__")
            place = document
            for group in groups:
                place = place[group]
            place[field] = value
        path.write_text(json.dumps(document), encoding="utf-8")

    return change


def no_json() -> None:
    Path("run/config.json").write_text('{"format": 1,', encoding="utf-8")


def both_states() -> None:
    for path in Path("run/state").iterdir():
        spoil(f"state/{path.name}")()


REFUSED: dict[str, tuple[Callable[[], None], list[list[str]], str]] = {
    "damaged weights": (
        spoil("model.safetensors"),
        [USE, EVAL, LOOK, RESUME],
        "model.safetensors is damaged (its checksum",
    ),
    "weights cut short": (cut("model.safetensors"), [USE, EVAL, RESUME], "model.safetensors is damaged ("),
    "missing weights": (remove("model.safetensors"), [USE, EVAL, RESUME], "model.safetensors is missing"),
    "damaged states": (both_states, [RESUME], "training.safetensors is damaged"),
    "missing tokenizer": (
        remove("tokenizer.json"),
        [USE, EVAL, LOOK, RESUME],
        "tokenizer.json is missing: copy it back",
    ),
    "damaged tokenizer": (
        cut("tokenizer.json"),
        [USE, EVAL, RESUME],
        "not the tokenizer that the run was trained with",
    ),
    "missing passport": (remove("data.json"), [RESUME], "data.json is missing"),
    "missing config": (remove("config.json"), [USE, EVAL, RESUME], "run is no run (it has no config.json)"),
    "config cut short": (no_json, [USE, EVAL, RESUME], "config.json, line 1, column 14: not JSON"),
    "another size": (
        edit(settings__model__encoder_depth=2),
        [USE, EVAL],
        "encoder_depth 1, but the run's config.json says 2",
    ),
    "another size, resumed": (
        edit(settings__model__encoder_depth=2),
        [RESUME],
        "model.encoder_depth is 2, but the training was begun with 1",
    ),
    "other steps": (
        edit(settings__training__steps=50),
        [RESUME],
        "training.steps is 50, but the training was begun with 8",
    ),
    "another rate": (
        edit(settings__optimizer__lr=0.1),
        [RESUME],
        "optimizer.lr is 0.1, but the training was begun with 0.004",
    ),
    "an unknown setting": (
        edit(settings__training__stepps=50),
        [USE, RESUME],
        'unknown setting "training.stepps": did you mean "steps"?',
    ),
    "an impossible setting": (edit(settings__model__block__heads=3), [USE, RESUME], "heads must divide dim"),
    "text for a number": (
        edit(settings__training__seed="one"),
        [USE, RESUME],
        "training.seed is 'one', but must be of type int",
    ),
    "an unknown task": (edit(task="gan"), [USE, EVAL, RESUME], 'unknown task "gan"'),
    "a later format": (edit(format=99), [USE, RESUME], "format 99"),
}


@pytest.fixture
def stopped(trained: Path) -> Path:
    """The run, stopped before its end: there is something to resume."""
    from qkvae.train import loop

    kept = loop.Loop._after_step

    def after_step(self: loop.Loop, meter: object) -> None:
        kept(self, meter)  # type: ignore[arg-type]
        if self.step == 5:
            self.interruption.asked = True

    asked = [
        "train",
        "translation",
        "train.en",
        "train.de",
        *TINY,
        "--steps",
        "8",
        "--save-every",
        "0.000001",
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop.Loop, "_after_step", after_step)
        assert main([*asked, "--quiet", "--overwrite", "--out", "run"]) == 130
    return trained


@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind: str, stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change, verbs, told = REFUSED[kind]
    change()
    before = tree(stopped)
    for words in verbs:
        capsys.readouterr()
        quietly = [*words, "--quiet"] if words == RESUME else words
        assert main(quietly) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("qkvae: ")
        assert captured.err.count("\n") == 1, captured.err
        assert told in captured.err
        assert tree(stopped) == before


def test_one_damaged_save_costs_a_minute_and_is_said(
    stopped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil("state/training.safetensors")()
    capsys.readouterr()
    assert main(["resume", "run"]) == 0
    assert (
        "note: run/state/training.safetensors is damaged: going on from the save before it"
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("verb", ["use", "eval", "look", "info", "resume", "prove", "compare"])
def test_a_folder_that_is_no_run(verb: str, trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("nothing").mkdir()
    more = {
        "use": ["abc"],
        "eval": ["train.en", "train.de"],
        "look": ["abc"],
        "compare": ["run", "train.en", "train.de"],
    }
    for folder, told in (
        ("nothing", "nothing is no run (it has no config.json)"),
        ("rum", 'no such run: in .: did you mean "run"?'),
    ):
        assert main([verb, folder, *more.get(verb, [])]) == 2
        captured = capsys.readouterr()
        assert told in captured.err
        assert captured.err.count("\n") == 1
        assert captured.out == ""
    assert not list(Path("nothing").iterdir())


def test_a_run_of_another_task(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Other(Translation):
        """Another task."""

    monkeypatch.setitem(TASKS, "other", Other)
    edit(task="other")()
    before = tree(trained)
    asked = ["train", "translation", "train.en", "train.de", "--replay", "run", "--quiet", "--out", "new"]
    assert main(asked) == 2
    assert (
        "run is a run of other, but translation is asked for: give a run of translation"
        in capsys.readouterr().err
    )
    assert tree(trained) == before


def test_the_data_have_changed(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = Path("train.en").read_text(encoding="utf-8")
    Path("train.en").write_text(text.replace("a", "e", 1), encoding="utf-8", newline="\n")
    before = tree(stopped)
    capsys.readouterr()
    assert main(["resume", "run", "--quiet"]) == 2
    assert "run was trained on data of fingerprint" in capsys.readouterr().err
    assert tree(stopped) == before


def test_a_finished_run_is_left_alone(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(trained)
    assert main(["resume", "run"]) == 0
    assert "run is finished: nothing is left to train" in capsys.readouterr().err
    assert tree(trained) == before


def test_a_set_up_that_was_cut_short_is_made_up_for(stopped: Path) -> None:
    """Killed between config.json and data.json: resuming begins from the start."""
    for path in (
        Path("run/tokenizer.json"),
        Path("run/data.json"),
        Path("run/model.safetensors"),
        *Path("run/state").iterdir(),
    ):
        path.unlink()
    assert main(["resume", "run", "--quiet"]) == 0
    assert main(["use", "run", "abc"]) == 0


def test_a_run_without_weights_says_how_to_go_on(stopped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("run/model.safetensors").unlink()
    capsys.readouterr()
    assert main(["use", "run", "abc"]) == 2
    assert "stopped before its first evaluation, go on with qkvae resume run" in capsys.readouterr().err
    assert main(["info", "run"]) == 0
