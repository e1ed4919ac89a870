"""From text to a run that fills blanks, through the verbs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from tiny_blanks import SOUNDS, lines, tiny, write_rows

from qkvae import api
from qkvae.cli import main
from qkvae.run import Run
from qkvae.train import loop


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``test.tsv`` and a run that has learned; not to be changed."""
    folder = tmp_path_factory.mktemp("blanks")
    write_rows(folder, "test.tsv", 60, seed=1)
    api.train("fill-mask", tiny(write_rows(folder), steps=200), out=folder / "run", quiet=True)
    return folder


def test_what_stands_in_a_blank_is_learned(once: Path) -> None:
    run = api.load(once / "run")
    unseen = lines(40, seed=5)
    sounds = [line.split()[2].rstrip(",") for line in unseen]
    asked = [line.replace(sound, "[MASK]", 1) for line, sound in zip(unseen, sounds, strict=True)]
    told = [answer.blanks[0][0].word for answer in run.use(asked)]
    assert sum(one == other for one, other in zip(told, sounds, strict=True)) >= 38
    found = run.evaluate(once / "test.tsv")
    assert found["accuracy"] > 0.6
    assert found["texts"] == 60


def test_at_the_command_line(once: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, test = str(once / "run"), str(once / "test.tsv")
    assert main(["use", run, "The cat [MASK].", ""]) == 0
    first, second = capsys.readouterr().out.splitlines()
    text, word, p = first.split("\t")
    assert (text, second) == (f"The cat {word}.", "")
    assert word in SOUNDS.values()
    assert 0.1 < float(p) <= 1
    assert main(["use", run, "The [MASK] barks.", "A [MASK] [MASK]", "--best", "5"]) == 0
    rows = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
    assert [row[:2] for row in rows] == [["1", "1"], ["2", "1"], ["2", "2"]]
    assert all(len(row) == 12 for row in rows)
    assert "dog" in rows[0]
    assert main(["use", run, "The [MASK] barks.", "--best", "2", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["text"] == f"The {record['blanks'][0][0]['word']} barks."
    assert [len(words) for words in record["blanks"]] == [2]
    assert main(["eval", run, test, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["perplexity"] > 1
    assert main(["compare", run, run, test, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "cannot tell"
    assert main(["data", "check", "fill-mask", test]) == 0
    assert capsys.readouterr().out
    assert main(["info", run, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "fill-mask"


def test_what_cannot_be_answered_is_refused_in_one_line(
    once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(once / "run")
    for words, said in (
        (["use", run, "The cat purrs."], '"The cat purrs." holds no blank: write [MASK]'),
        (["use", run, "The [MASK].", "--best", "0"], "best is 0"),
        (["use", run, "The [MASK].", "--beam", "3"], "--beam has no effect on a run of fill-mask"),
        (["eval", run, str(tmp_path / "nothing.txt")], "nothing.txt"),
        (["look", run, " "], "there is no text to look at"),
        (["look", run, "cat " * 40], "has 40 tokens, but the run reads 14 at once"),
        (["train", "fill-mask", str(once / "test.tsv"), "--mask", "letters"], "letters"),
    ):
        assert main(words) == 2, words
        error = capsys.readouterr().err.strip()
        assert said in error.splitlines()[-1], error


def test_the_report_and_the_card_say_what_was_found(once: Path) -> None:
    report = (once / "run" / "report.html").read_text(encoding="utf-8")
    for part in ("What it fills in", "stood there", "Words by themselves and in company", "by itself"):
        assert part in report
    card = (once / "run" / "README.md").read_text(encoding="utf-8")
    assert "pipeline_tag: fill-mask" in card
    assert "| perplexity |" in card
    assert "The [MASK] of" in card


def test_a_page_shows_words_by_themselves_and_here(once: Path, tmp_path: Path) -> None:
    run = api.load(once / "run")
    page = run.look("The cat [MASK], but the dog barks.", tmp_path / "look.html").read_text(encoding="utf-8")
    assert "Words by themselves and here" in page
    assert "purrs" in page
    assert "Token by token" not in page
    plain = run.look("The cat purrs.", tmp_path / "look.html").read_text(encoding="utf-8")
    assert "(no blank to fill)" in plain


def test_every_promise_holds_on_a_trained_run(once: Path) -> None:
    assert not [row for row in api.load(once / "run").prove() if not row.holds]


class Killed(BaseException):
    """Stands for a kill: nothing catches it."""


def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tiny(write_rows(tmp_path), steps=8)
    api.train("fill-mask", config, out=tmp_path / "whole", quiet=True)
    kept = loop.Loop._after_step

    def after_step(self: loop.Loop, meter: object) -> None:
        kept(self, meter)  # type: ignore[arg-type]
        if self.step == 5:
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(loop.Loop, "_after_step", after_step)
        with pytest.raises(Killed):
            api.train("fill-mask", config, out=tmp_path / "killed", quiet=True)
    api.resume(tmp_path / "killed", quiet=True)
    whole, killed = (Run.open(tmp_path / name) for name in ("whole", "killed"))
    weights, others = whole.load_model(), killed.load_model()
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)
    assert whole.records()[-1] == killed.records()[-1]


def test_the_embedded_default_needs_no_data(tmp_path: Path) -> None:
    config = tiny("", steps=1, length=32)
    config = type(config)(
        **{**vars(config), "data": type(config.data)(tokenizer="word", min_frequency=9, valid_fraction=0.05)}
    )
    run = api.train("fill-mask", config, out=tmp_path / "run", quiet=True)
    assert len(next(iter(run.use(["a [MASK]"]))).blanks) == 1
