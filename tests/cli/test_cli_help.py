"""Help answers at once, and every verb explains itself."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from qkvae.cli import VERBS, main
from qkvae.cli.terminal import table, to_json
from qkvae.config import TASKS


def qkvae(*words: str, code: str = "") -> subprocess.CompletedProcess[str]:
    program = f"import sys; from qkvae.cli import main; code = main({list(words)!r}); {code}; sys.exit(code)"
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, encoding="utf-8", check=False
    )


@pytest.mark.parametrize("words", [(), ("train", "translation"), ("data", "check", "translation"), ("use",)])
def test_help_imports_nothing_heavy(words: tuple[str, ...]) -> None:
    heavy = "print([m for m in ('torch', 'numpy', 'tokenizers', 'sacrebleu', 'jinja2') if m in sys.modules])"
    done = qkvae(*words, "--help", code=heavy)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("verb", [name for name in VERBS if name not in ("train", "data")])
def test_every_verb_explains_itself_with_an_example(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([verb, "--help"]) == 0
    page = " ".join(capsys.readouterr().out.split())
    assert f"qkvae {verb} {'models' if verb == 'import' else 'runs'}/" in page
    assert "[default: None]" not in page


@pytest.mark.parametrize("task", TASKS)
def test_every_task_explains_itself_with_an_example(task: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", task, "--help"]) == 0
    page = capsys.readouterr().out
    assert f"qkvae train {task} " in page
    said = {"vae": "Units of each dense layer", "vq-vae": "Channels at each halving"}
    assert f"--model.{'widths' if task in said else 'dim'}" in page
    assert said.get(task, "Size of the residual stream.") in page
    assert main(["data", "check", task, "--help"]) == 0
    assert f"qkvae data check {task} " in capsys.readouterr().out


@pytest.mark.slow
def test_help_answers_at_once() -> None:
    qkvae("--help")
    seconds = []
    for _ in range(5):
        begun = time.perf_counter()
        qkvae("--help")
        seconds.append(time.perf_counter() - begun)
    assert min(seconds) <= 0.3


def test_tables_and_json_are_for_whom_they_are_for() -> None:
    assert table({"a": True, "b": None, "c": [1, 2.0]}) == "a  yes\nb  -\nc  1, 2"
    assert json.loads(to_json({"a": [float("nan"), 1.5], "b": {"c": float("inf")}})) == {
        "a": [None, 1.5],
        "b": {"c": None},
    }
