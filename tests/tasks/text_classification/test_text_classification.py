"""From a table to a classifier, through the verbs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_labels import tiny, write_rows

from qkvae import api
from qkvae.cli import main
from qkvae.config import Choosing, Learning
from qkvae.run import Run
from qkvae.train import loop


def train(config: Any, out: Path) -> Any:
    return api.train("text-classification", config, out=out, quiet=True)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``test.tsv`` and a run that has learned; not to be changed."""
    folder = tmp_path_factory.mktemp("labels")
    write_rows(folder, "test.tsv", 60, seed=1)
    train(tiny(write_rows(folder, count=300), steps=60), folder / "run")
    return folder


def test_what_decides_the_label_is_learned(once: Path) -> None:
    found = api.load(once / "run").evaluate(once / "test.tsv")
    assert found["accuracy"] > 0.9
    assert found["texts"] == 60


def test_at_the_command_line(once: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, test = str(once / "run"), str(once / "test.tsv")
    assert main(["use", run, "good a b", "awful c d"]) == 0
    lines = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [label for label, _ in lines] == ["pos", "neg"]
    assert all(0.5 <= float(p) <= 1 for _, p in lines)
    assert main(["use", run, "good a b", "--top", "2"]) == 0
    assert capsys.readouterr().out.split("\t")[::2] == ["pos", "neg"]
    assert main(["use", run, "good a b", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["labels"] == ["pos"]
    assert set(record["probabilities"]) == {"neg", "pos"}
    assert main(["eval", run, test, "--text", "0", "--label", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["macro_f1"] > 0.9
    assert main(["compare", run, run, test, "--text", "0", "--label", "1", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "cannot tell"
    assert main(["data", "check", "text-classification", test, "--text", "0", "--label", "1"]) == 0
    assert "2 classes" in capsys.readouterr().out
    assert main(["use", run, "good", "--threshold", "0.3"]) == 2
    assert "threshold 0.3 has no effect" in capsys.readouterr().err


def test_the_report_and_the_card_say_what_was_found(once: Path) -> None:
    report = (once / "run" / "report.html").read_text(encoding="utf-8")
    for part in ("What was taken for what", "Is it as right as it is sure?", "The most confident mistakes"):
        assert part in report
    card = (once / "run" / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: text-classification" in card
    assert "| accuracy |" in card


def test_a_page_shows_every_head(once: Path, tmp_path: Path) -> None:
    page = api.load(once / "run").look("good a b", tmp_path / "look.html").read_text(encoding="utf-8")
    assert "pos" in page
    assert "Token by token" not in page


def test_every_promise_holds_on_a_trained_run(once: Path) -> None:
    assert not [row for row in api.load(once / "run").prove() if not row.holds]


def test_pairs_and_numbers(tmp_path: Path) -> None:
    path = write_rows(tmp_path, count=300)
    run = train(tiny(path, steps=60, label="3", pair="2", kind="number"), tmp_path / "run")
    found = run.evaluate(path)
    assert found["pearson"] > 0.8
    high, low = (float(run.use(line)) for line in ("good a b\tthe same", "awful a b\tanother"))
    assert high > low + 1
    assert run.config.model.segments == 4
    assert run.config.model.head.count == 1


def test_several_labels(tmp_path: Path) -> None:
    path = tmp_path / "several.tsv"
    lines = [
        f"{' '.join(w for w, there in (('red', n % 2), ('round', n % 3 == 0)) if there)} thing {n}\t"
        f"{','.join(w for w, there in (('colour', n % 2), ('form', n % 3 == 0)) if there)}\n"
        for n in range(300)
    ]
    path.write_text("".join(lines), encoding="utf-8")
    learning = Learning(class_weights="balanced", word_dropout=0.1)
    run = train(tiny(str(path), steps=60, separator=",", learning=learning), tmp_path / "run")
    assert run.evaluate(path)["macro_f1"] > 0.9
    answers = list(run.use(["red round thing", "red thing", "thing"]))
    assert [set(answer.labels) for answer in answers] == [{"colour", "form"}, {"colour"}, set()]
    (first,) = run.use(["thing"], Choosing(top=1))
    assert len(first.labels) == 1


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    for number in range(60):
        name, word = ("pos", "good") if number % 2 else ("neg", "bad")
        (tmp_path / "films" / name).mkdir(parents=True, exist_ok=True)
        path = tmp_path / "films" / name / f"{number}.txt"
        path.write_text(f"a {word} film {number}", encoding="utf-8")
    run = train(tiny(str(tmp_path / "films"), text=None, label=None), tmp_path / "run")
    assert run.evaluate(tmp_path / "films")["texts"] == 60


def test_the_embedded_default_needs_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qkvae.tasks.text_classification import corpus

    monkeypatch.setattr(corpus, "_DEFAULT_COUNT", 400)
    run = train(tiny(text=None, label=None, steps=2), tmp_path / "run")
    assert run.use("twenty-one") in run.answerer.labels.names
    assert len(run.answerer.labels.names) == 9


def test_one_class_only_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one.tsv"
    path.write_text("".join(f"text {n}\tpos\n" for n in range(30)), encoding="utf-8")
    with pytest.raises(ValueError, match="all 30 labels are"):
        train(tiny(str(path)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_label_that_the_run_does_not_know_is_refused(once: Path, tmp_path: Path) -> None:
    path = tmp_path / "test.tsv"
    path.write_text("good a\tpos\nodd b\tneutral\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r'line 2: the label "neutral" is not among the 2 classes'):
        api.load(once / "run").evaluate(path)


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(write_rows(tmp_path), steps=8)
    train(config, tmp_path / "whole")
    kept = loop.Loop._after_step

    def after_step(self: loop.Loop, meter: object) -> None:
        kept(self, meter)  # type: ignore[arg-type]
        if self.step == 5:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(loop.Loop, "_after_step", after_step)
        with pytest.raises(Killed):
            train(config, tmp_path / "killed")
    api.resume(tmp_path / "killed", quiet=True)
    whole, killed = (Run.open(tmp_path / name).load_model() for name in ("whole", "killed"))
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
