"""The best span is the best of all spans, over all windows, and exactly the context's characters."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tiny_questions import tiny, write_squad

from qkvae import losses
from qkvae.config import Answering, QuestionAnswering
from qkvae.data.squad import Question, Questions
from qkvae.data.tokenizer import Tokenizer
from qkvae.data.windows import Windows
from qkvae.models import Encoder, build
from qkvae.tasks import find_task
from qkvae.tasks.question_answering.check import check_questions
from qkvae.tasks.question_answering.corpus import (
    Encoded,
    encode_corpus,
    read_corpus,
    train_tokenizer,
    windows_of,
)
from qkvae.tasks.question_answering.ending import choose_margin
from qkvae.tasks.question_answering.evaluate import figures
from qkvae.tasks.question_answering.objective import AnswerObjective
from qkvae.tasks.question_answering.reader import Reader, above
from qkvae.tasks.question_answering.spans import Span, best_spans, joint, read_windows

LOGITS = st.integers(1, 12).flatmap(
    lambda n: arrays.arrays(np.float64, (2, n), elements=st.integers(-9, 9).map(float))
)
CONTEXT = "one two three four five six seven eight nine ten eleven twelve"
WORDS = Tokenizer.train([CONTEXT, "where ?"] * 2, "word", exact=False)


@settings(max_examples=80, deadline=None)
@given(LOGITS, st.integers(1, 14), st.integers(1, 5))
def test_first_and_last_are_chosen_together(logits: np.ndarray, longest: int, count: int) -> None:
    first, last = logits
    n = len(first)
    every = sorted(
        (first[i] + last[j] for i in range(n) for j in range(i, min(n, i + longest))), reverse=True
    )
    found = joint(first, last, longest, count)
    assert [score for *_, score in found] == every[:count]
    for i, j, score in found:
        assert i <= j < i + longest
        assert score == first[i] + last[j]


def windowed(max_length: int = 10) -> Windows:
    asked = Questions([CONTEXT], [Question("a", "where ?", 0, ("eleven",), (49, 55))])
    return windows_of(asked, WORDS, tiny(max_length=max_length, overlap=2).data)


def test_an_answer_is_found_in_whichever_window_it_stands() -> None:
    windows = windowed()
    assert len(windows) > 2
    scores = [np.zeros((len(ids), 2), np.float32) for ids in windows.sentences.ids]
    row = len(scores) - 1
    place = int(windows.starts[row])
    assert place > 0
    scores[row][place] = 5
    scores[0][0] = 3  # the first window: surely no answer here
    (best,) = best_spans(windows, scores, 0, 30)
    assert (best.text, best.start, best.end, best.score) == ("eleven", 49, 55, 10.0)


def test_a_place_in_two_windows_is_one_answer() -> None:
    windows = windowed()
    scores = [np.zeros((len(ids), 2), np.float32) for ids in windows.sentences.ids]
    found = best_spans(windows, scores, 0, 1, 100)
    assert sorted(span.start for span in found) == sorted({span.start for span in found})
    assert {span.text for span in found} == set(CONTEXT.split())
    assert all(CONTEXT[span.start : span.end] == span.text for span in found)


def prepared(config: QuestionAnswering) -> tuple[QuestionAnswering, Encoder, Tokenizer, Encoded]:
    corpus = read_corpus(config.data, 1)
    tokenizer = train_tokenizer(corpus.train, config.data)
    config = find_task("question-answering").filled(config, corpus, tokenizer)
    return config, build(config.model), tokenizer, encode_corpus(corpus, tokenizer, config.data)


def read_alone(model: Encoder, windows: Windows, row: int) -> torch.Tensor:
    """The scores of one window's tokens, without a batch."""
    ids = torch.from_numpy(windows.sentences.ids[row]).long()[None]
    segments = torch.from_numpy(windows.sentences[[row]].kinds())[None]
    with torch.no_grad():
        return model(ids, segments=segments)[0]


def test_the_loss_is_its_equation_window_by_window(tmp_path: Path) -> None:
    config, model, _, encoded = prepared(tiny(write_squad(tmp_path, contexts=12)))
    objective = AnswerObjective(model.eval(), encoded, config)
    batch, windows, expected = next(objective.batches(0)), encoded.train, 0.0
    for row in batch.sentences.tolist():
        scores = read_alone(model, windows, row)[None]
        span = torch.tensor([[int(windows.starts[row]), int(windows.ends[row])]])
        expected += losses.span(scores, span).item()
    assert objective.loss(batch).total.item() == pytest.approx(expected, rel=1e-4)
    parts = objective.parts(batch, 3)
    assert sum(objective.loss(part).total.item() for part in parts) == pytest.approx(expected, rel=1e-4)
    assert sum(objective.size(part) for part in parts) == objective.size(batch)


def test_windows_alone_and_packed_have_the_same_scores(tmp_path: Path) -> None:
    _, model, _, encoded = prepared(tiny(write_squad(tmp_path, contexts=12), max_length=16, overlap=4))
    windows = encoded.valid
    together = read_windows(model, windows)
    for row in range(len(windows)):
        assert np.abs(together[row] - read_alone(model.eval(), windows, row).numpy()).max() < 1e-5


def test_figures_with_and_without_answers() -> None:
    asked = [Question("a", "?", 0, ("blue sky",), (0, 8)), Question("b", "?", 0, (), None)]
    found = figures(Questions(["blue sky"], asked), ["sky", ""])
    assert found == pytest.approx(
        {
            "exact_match": 0.5,
            "f1": (2 / 3 + 1) / 2,
            "answerable_exact_match": 0,
            "answerable_f1": 2 / 3,
            "no_answer_accuracy": 1,
        }
    )
    assert set(figures(Questions(["blue sky"], asked[:1]), ["sky"])) == {"exact_match", "f1"}


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(-5, 5)), min_size=1, max_size=8))
def test_the_margin_chosen_is_as_good_as_any(rows: list[tuple[bool, bool, int]]) -> None:
    asked = [Question(str(n), "?", 0, ("blue",) if has else (), None) for n, (has, _, _) in enumerate(rows)]
    spans = [Span(0, 4, "blue" if right else "red", score) for _, right, score in rows]
    questions = Questions(["blue"], asked)

    def f1(margin: float) -> float:
        told = [each.text if above([each], margin) else "" for each in spans]
        return figures(questions, told)["f1"]

    best = max(f1(margin) for margin in (-6, *(score + half for _, _, score in rows for half in (-0.5, 0.5))))
    distinct = len({score for *_, score in rows}) == len(rows)
    chosen = f1(choose_margin(questions, spans))
    assert chosen == pytest.approx(best) if distinct else chosen <= best + 1e-9


def test_a_check_finds_what_is_odd() -> None:
    asked = [Question(str(n), "Which?", 0, ("blue",), (11, 15)) for n in range(3)]
    train = Questions(["The sky is blue."], [*asked, Question("lost", "What?", 0, ("red",), None)])
    kinds = {each.kind: each.count for each in check_questions(train, train.select([0])).findings}
    assert kinds == {"duplicates": 2, "not trained on": 1, "leaks": 1}


def reader(**data: object) -> Reader:
    torch.manual_seed(0)
    config = tiny(**data)  # type: ignore[arg-type]
    model = build(replace(config.model, depth=1, segments=4, vocab=len(WORDS)))
    return Reader(model.eval(), WORDS, config.data)


def test_a_context_comes_from_a_file_or_after_a_tab(tmp_path: Path) -> None:
    page = tmp_path / "page.txt"
    page.write_text(CONTEXT, encoding="utf-8")
    by_file = list(reader().stream(["where ?", ""], Answering(context=str(page))))
    (by_tab,) = reader().stream([f"where ?\t{CONTEXT}"])
    assert by_file[0].spans == by_tab.spans
    assert by_file[1].text == ""
    span = by_tab.record()["answers"][0]
    assert CONTEXT[span["start"] : span["end"]] == span["text"] == by_tab.text
    with pytest.raises(ValueError, match="no text to answer from"):
        list(reader().stream(["where ?"]))
    with pytest.raises(FileNotFoundError, match="is no file"):
        list(reader().stream(["where ?"], Answering(context="nowhere.txt")))


def test_several_answers_and_none() -> None:
    (answer,) = reader().stream([f"where ?\t{CONTEXT}"], Answering(nbest=3, longest=2))
    assert len(answer.spans) == 3
    assert all(len(span.text.split()) <= 2 for span in answer.spans)
    assert reader().lines(answer, 1, Answering(nbest=3))[0].startswith("1\t")
    (none,) = reader().stream([f"where ?\t{CONTEXT}"], Answering(margin=1e6))
    assert (none.text, none.record()["answers"]) == ("", [])
    assert reader().lines(none, 1) == [""]


def test_a_question_that_is_cut_is_said() -> None:
    one = reader(max_length=20)
    answers = list(one.stream([f"{'where ' * 9}\t{CONTEXT}", f"where ?\t{CONTEXT}"]))
    assert [answer.cut for answer in answers] == [True, False]
    assert "1 question has more than 8 tokens" in (one.said_of_cuts(answers) or "")
