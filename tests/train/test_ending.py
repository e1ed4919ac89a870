"""After the last step: the length penalty is chosen on validation data; what people read is written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qkvae import api
from qkvae.config import Block, Generation, Seq2Seq
from qkvae.data.batches import SentencePairs
from qkvae.data.pairs import Pairs
from qkvae.data.tokenizer import Tokenizer
from qkvae.generate import Hypothesis
from qkvae.models import build
from qkvae.run import Run
from qkvae.tasks.translation import ending
from qkvae.tasks.translation.corpus import Encoded
from qkvae.tasks.translation.ending import choose_length_penalty
from qkvae.train.ending import is_finished, reserved
from small_language import small_config, write_table

RIGHT = "a b c d e f g h"


@pytest.fixture
def known() -> tuple[Tokenizer, Encoded, list[Hypothesis]]:
    """70 sentences with two answers each: a short one, likelier as a whole, and the right one, likelier per
    token."""
    tokenizer = Tokenizer.train([RIGHT] * 2, kind="word", exact=False)
    texts = Pairs([RIGHT] * 70, [RIGHT] * 70)
    ids = tokenizer.encode_batch(texts.sources)
    pairs = SentencePairs(ids, ids)
    right = tuple(tokenizer.encode(RIGHT))
    answers = [Hypothesis(right[:2], -2.0, 3, 0.0), Hypothesis(right, -4.5, 9, 0.0)]
    return tokenizer, Encoded(pairs, pairs, texts, 0), answers


def test_few_steps_are_judged_on_few_pairs_and_progress_is_told(
    known: tuple[Tokenizer, Encoded, list[Hypothesis]], monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, encoded, answers = known
    monkeypatch.setattr(ending, "finished_hypotheses", lambda model, some, *_: [answers] * len(some))
    model = build(Seq2Seq(block=Block(dim=8, heads=2, hidden=8), vocab=len(tokenizer)))
    told = list[float]()
    few = ending.judged(len(encoded.valid), steps=4)
    settings = Generation(beam=2, batch=20)
    found = choose_length_penalty(model, tokenizer, encoded, settings, None, few, told.append)
    assert (found.sentences, told) == (40, [0.5, 1.0])


def choose(
    known: tuple[Tokenizer, Encoded, list[Hypothesis]],
    monkeypatch: pytest.MonkeyPatch,
    beam: int = 2,
    seconds: float | None = None,
) -> ending.Chosen:
    tokenizer, encoded, answers = known
    monkeypatch.setattr(ending, "finished_hypotheses", lambda model, some, *_: [answers] * len(some))
    model = build(Seq2Seq(block=Block(dim=8, heads=2, hidden=8), vocab=len(tokenizer)))
    return choose_length_penalty(model, tokenizer, encoded, Generation(beam=beam, batch=32), seconds)


def test_the_penalty_of_the_best_bleu_is_chosen(
    known: tuple[Tokenizer, Encoded, list[Hypothesis]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = choose(known, monkeypatch)
    # -2 / 3^p < -4.5 / 9^p from p = ln 2.25 / ln 3 = 0.74 on
    assert chosen.length_penalty == pytest.approx(0.8)
    assert chosen.bleu == pytest.approx(100.0)
    assert chosen.sentences == 70
    assert {each.ids for each in chosen.translations} == {known[2][1].ids}


def test_greedy_search_has_nothing_to_choose_from(
    known: tuple[Tokenizer, Encoded, list[Hypothesis]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose(known, monkeypatch, beam=1).length_penalty == Generation().length_penalty


def test_where_time_is_short_one_batch_is_judged(
    known: tuple[Tokenizer, Encoded, list[Hypothesis]], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = choose(known, monkeypatch, seconds=0.0)
    assert chosen.sentences == len(chosen.translations) == 32


def test_time_is_kept_for_it() -> None:
    assert reserved(None) == 0.0
    assert 0.01 * 1800 < reserved(30) < 0.1 * 1800


def test_all_that_people_read_is_written(tmp_path: Path) -> None:
    config = small_config(write_table(tmp_path))
    loaded = api.train("translation", config, out=tmp_path / "run", quiet=True, licence="CC0")
    run = Run.open(tmp_path / "run")
    assert is_finished(run)
    (final,) = [record for record in run.records() if record.get("event") == "final"]
    penalty = run.resolved["generation"]["length_penalty"]
    assert final["length_penalty"] == penalty == loaded.config.generation.length_penalty
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert "Licence of the data: CC0." in card
    assert f"| bleu | {final['bleu']:.4g}" in card or "| bleu |" in card
    report = (run.path / "report.html").read_text(encoding="utf-8")
    assert "http://" not in report.replace("http://www.w3.org", "")
    assert json.loads((run.path / "data.json").read_text(encoding="utf-8"))["fingerprint"] in report
    (run.path / "README.md").unlink()
    assert not is_finished(run)
