"""From a file in SQuAD's format to a reader, through the verbs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_questions import tiny, write_squad

from qkvae import api
from qkvae.cli import main
from qkvae.run import Run
from qkvae.tasks.question_answering import ending
from qkvae.train import loop


def train(config: Any, out: Path) -> Any:
    return api.train("question-answering", config, out=out, quiet=True)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``test.json`` and a run that has begun to learn; not to be changed."""
    folder = tmp_path_factory.mktemp("questions")
    write_squad(folder, "test.json", 10)
    train(tiny(write_squad(folder), steps=12), folder / "run")
    return folder


@pytest.mark.slow
def test_what_is_asked_is_learned(tmp_path: Path) -> None:
    test = write_squad(tmp_path, "test.json", 20)
    run = train(tiny(write_squad(tmp_path, contexts=300), steps=400), tmp_path / "run")
    found = run.evaluate(test)
    assert found["f1"] > 0.9
    assert found["no_answer_accuracy"] > 0.8


def test_at_the_command_line(once: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run, test = str(once / "run"), str(once / "test.json")
    page = tmp_path / "page.txt"
    page.write_text("The sky is blue. The cat is black.", encoding="utf-8")
    asked = ["use", run, "--context", str(page), "Which colour has the cat?", "--margin=-1000", "--json"]
    assert main(asked) == 0
    record = json.loads(capsys.readouterr().out)
    (answer,) = record["answers"]
    assert page.read_text(encoding="utf-8")[answer["start"] : answer["end"]] == answer["text"]
    assert main(["eval", run, test, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert {"exact_match", "f1", "no_answer_accuracy", "questions"} <= found.keys()
    assert main(["compare", run, run, test, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metric"] == "f1"
    assert main(["data", "check", "question-answering", test]) == 0
    assert "40 questions about 10 texts; 10 of them have no answer" in capsys.readouterr().out
    assert main(["use", run, "Which colour?"]) == 2
    assert "give --context FILE" in capsys.readouterr().err


def test_when_not_to_answer_is_chosen_and_kept(once: Path) -> None:
    run = api.load(once / "run")
    assert isinstance(run.run.resolved["generation"]["margin"], float)
    assert run.config.generation.margin == run.run.resolved["generation"]["margin"]


def test_where_every_question_has_an_answer_one_is_always_given(tmp_path: Path) -> None:
    run = train(tiny(write_squad(tmp_path, contexts=12, impossible=False), steps=1), tmp_path / "run")
    assert "generation" not in run.run.resolved
    assert run.use("Which colour?\tThe sky is blue.")


def test_a_reader_that_answers_nothing_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tiny(write_squad(tmp_path, contexts=12), steps=1)
    for margin, warned in ((1e3, True), (-1e3, False)):
        monkeypatch.setattr(ending, "choose_margin", lambda questions, spans, margin=margin: margin)
        api.train("question-answering", config, out=tmp_path / "run", overwrite=True)
        assert ("warning: it answers no question" in capsys.readouterr().err) is warned


def test_pages(once: Path, tmp_path: Path) -> None:
    assert "What it answers" in (once / "run" / "report.html").read_text(encoding="utf-8")
    page = api.load(once / "run").look("Which colour?\tThe sky is blue.", tmp_path / "look.html")
    assert "Which colour?" in page.read_text(encoding="utf-8")


def test_misplaced_answers_are_counted_and_not_trained_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = Path(write_squad(tmp_path, contexts=12))
    whole = json.loads(path.read_text(encoding="utf-8"))
    whole["data"][0]["paragraphs"][0]["qas"][0]["answers"][0]["answer_start"] += 1
    path.write_text(json.dumps(whole), encoding="utf-8")
    run = api.train("question-answering", tiny(str(path), steps=1), out=tmp_path / "run")
    said = capsys.readouterr().err
    name = whole["data"][0]["paragraphs"][0]["qas"][0]["id"]
    assert f"1 answers do not stand at their answer_start and are not trained on ({name})" in said
    assert run.run.passport["left_out"] in (0, 1)  # it may have fallen into the validation part


def test_the_embedded_default_needs_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qkvae.tasks.question_answering import corpus

    monkeypatch.setattr(corpus, "_DEFAULT_COUNT", 200)
    run = train(tiny(steps=1, max_length=96), tmp_path / "run")
    assert run.run.passport["training"]["without_answer"] > 0


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(write_squad(tmp_path, contexts=12), steps=4)
    train(config, tmp_path / "whole")
    kept = loop.Loop._after_step

    def after_step(self: loop.Loop, meter: object) -> None:
        kept(self, meter)  # type: ignore[arg-type]
        if self.step == 2:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(loop.Loop, "_after_step", after_step)
        with pytest.raises(Killed):
            train(config, tmp_path / "killed")
    api.resume(tmp_path / "killed", quiet=True)
    whole, killed = (Run.open(tmp_path / name).load_model() for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
