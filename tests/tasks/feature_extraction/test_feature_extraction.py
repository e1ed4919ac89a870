"""From pairs of texts to vectors, through the verbs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_similar import SAID, tiny, write_partners, write_rows

from qkvae import api
from qkvae.cli import main
from qkvae.config import Likeness, Saving
from qkvae.run import Run
from qkvae.train import loop

COLUMNS = ["--text", "first", "--pair", "second", "--label", "score"]


def train(config: Any, out: Path) -> Any:
    return api.train("feature-extraction", config, out=out, quiet=True)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``test.tsv`` and a run that has learned; not to be changed."""
    folder = tmp_path_factory.mktemp("similar")
    write_rows(folder, "test.tsv", 100, seed=1)
    train(tiny(write_rows(folder, count=300), steps=50), folder / "run")
    return folder


def test_what_is_alike_is_learned_from_grades(once: Path) -> None:
    run = api.load(once / "run")
    found = run.evaluate(once / "test.tsv")
    assert found["pearson"] > 0.8
    assert found["pairs"] == 100
    assert found["cut"] == 0
    vectors = run.embed(["old red car", "aged scarlet auto", "big dog"])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.2


def test_partners_are_found_after_learning_from_pairs(tmp_path: Path) -> None:
    config = tiny(
        write_partners(tmp_path, count=300),
        graded=False,
        steps=40,
        learning=Likeness(group=32, word_dropout=0.0),
    )
    found = train(config, tmp_path / "run").evaluate(tmp_path / "partners.tsv", text="first", pair="second")
    assert found["retrieval_accuracy"] > 0.3  # 1 in 90 by chance
    assert "pearson" not in found


def test_at_the_command_line(once: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, test = str(once / "run"), str(once / "test.tsv")
    assert main(["use", run, "big dog\tlarge hound", "big dog\tquick auto", "big dog"]) == 0
    alike, other, vector = capsys.readouterr().out.splitlines()
    assert float(alike) > float(other)
    assert len(vector.split(" ")) == 16
    assert main(["use", run, "big dog\tlarge hound", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["similarity"] == pytest.approx(float(alike), abs=1e-4)
    assert main(["eval", run, test, *COLUMNS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["spearman"] > 0.8
    assert main(["eval", run, test, "--json"]) == 0  # the columns are those of the training
    assert json.loads(capsys.readouterr().out)["spearman"] > 0.8
    assert main(["compare", run, run, test, *COLUMNS, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "cannot tell"
    assert main(["data", "check", "feature-extraction", test, *COLUMNS]) == 0
    assert "numbers of mean" in capsys.readouterr().out
    assert main(["data", "check", "feature-extraction", test, *COLUMNS[:4]]) == 0


def test_the_report_and_the_card_say_what_was_found(once: Path) -> None:
    report = (once / "run" / "report.html").read_text(encoding="utf-8")
    for part in ("Do the cosines follow the grades?", "Farthest from what is known", "What is nearest"):
        assert part in report
    card = (once / "run" / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: feature-extraction" in card
    assert "| pearson |" in card


def test_a_page_shows_every_head_and_every_promise_holds(once: Path, tmp_path: Path) -> None:
    run = api.load(once / "run")
    page = run.look("big dog\tlarge hound", tmp_path / "look.html").read_text(encoding="utf-8")
    assert "cosine with" in page
    assert not [row for row in run.prove() if not row.holds]


def test_what_is_not_read_to_the_end_is_said(tmp_path: Path) -> None:
    run = train(tiny(write_rows(tmp_path), max_length=8), tmp_path / "run").answerer
    answers = list(run.stream([" ".join(SAID) * 3, "big\t" + " ".join(SAID) * 3, "dog", ""]))
    assert [answer.cut for answer in answers] == [True, True, False, False]
    assert "2 texts have more than 8 tokens" in run.said_of_cuts(answers)


def test_the_embedded_default_needs_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from qkvae.tasks.feature_extraction import corpus

    monkeypatch.setattr(corpus, "_DEFAULT_COUNT", 400)
    run = train(tiny(steps=2), tmp_path / "run")
    assert -1 <= float(run.use("twenty-one\teinundzwanzig")) <= 1


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(write_partners(tmp_path), graded=False, steps=8)
    config = replace(config, saving=Saving(save_every=1e-6))
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
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
