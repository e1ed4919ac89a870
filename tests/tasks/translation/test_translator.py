"""Text in, text out: order, empty lines, what is cut, and how much is read ahead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from qkvae.config import Block, Generation, Seq2Seq, Translation
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import build
from qkvae.run import Run
from qkvae.tasks.translation.translator import Answer, Translator

TEXTS = ["two dogs play in the snow", "a man reads", "the snow", "a dog and a man play and play and play"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.train(TEXTS * 3, vocab_size=300, exact=False)


@pytest.fixture
def translator(tokenizer: Tokenizer) -> Translator:
    torch.manual_seed(0)
    block = Block(dim=16, heads=2, hidden=32)
    settings = Seq2Seq(block=block, encoder_depth=1, decoder_depth=1, vocab=len(tokenizer), max_length=12)
    return Translator(build(settings), tokenizer, Generation(beam=2, max_length=6, batch=2))


def test_answers_come_in_the_order_of_the_lines(translator: Translator) -> None:
    lines = [TEXTS[0], "", TEXTS[1], "   ", TEXTS[2]]
    answers = translator.translate(lines)
    assert [answer.source for answer in answers] == lines
    for line, answer in zip(lines, answers, strict=True):
        alone = translator.translate([line])[0]
        assert alone.texts == answer.texts
        assert alone.scores == pytest.approx(answer.scores, abs=1e-5)
        assert len(answer.texts) == len(answer.scores) == 1
    assert (answers[1].texts, answers[3].texts, answers[1].hypotheses) == (("",), ("",), ())


def test_texts_are_the_decoded_tokens(translator: Translator) -> None:
    for answer in translator.translate(TEXTS, Generation(beam=3, nbest=3, max_length=5)):
        assert answer.texts == tuple(translator.tokenizer.decode(each.ids) for each in answer.hypotheses)
        assert list(answer.scores) == sorted(answer.scores, reverse=True)
        assert len(answer.texts) == 3


def test_no_lines_no_answers(translator: Translator) -> None:
    assert translator.translate([]) == []
    assert list(translator.stream([])) == []
    assert [answer.texts for answer in translator.translate(["", "\t"])] == [("",), ("",)]


def test_a_stream_answers_as_one_call_does(translator: Translator) -> None:
    lines = [*TEXTS, "", *TEXTS]
    expected = [answer.texts for answer in translator.translate(lines)]
    assert [answer.texts for answer in translator.stream(lines)] == expected
    assert [answer.texts for answer in translator.stream(iter(lines))] == expected


@pytest.mark.parametrize("batch", [1, 2])
def test_a_stream_reads_no_more_than_a_batch_ahead(translator: Translator, batch: int) -> None:
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for text in TEXTS:
            read += 1
            yield text

    answers = translator.stream(lines(), replace(translator.generation, batch=batch))
    for answered, _ in enumerate(answers, 1):
        assert read <= -(-answered // batch) * batch


def test_what_is_cut_is_told(translator: Translator) -> None:
    long, short = " ".join(["snow"] * 40), "snow"
    answers = translator.translate([long, short], Generation(beam=1, max_length=3))
    assert answers[0].source_cut
    assert not answers[1].source_cut
    assert answers[0].cut
    assert answers[1].cut == answers[1].hypotheses[0].cut
    said = translator.said_of_cuts([replace(answers[0]), Answer("x", ("y",), (0.0,))])
    assert said == "1 input was longer than the model takes: its end was not read"
    assert translator.said_of_cuts([Answer("x", ("y",), (0.0,))]) is None


def test_an_answer_is_never_longer_than_the_model_can_write(tokenizer: Tokenizer) -> None:
    block = Block(dim=16, heads=2, hidden=32, positions="learned")
    settings = Seq2Seq(block=block, encoder_depth=1, decoder_depth=1, vocab=len(tokenizer), max_length=8)
    translator = Translator(build(settings), tokenizer, Generation(beam=2, max_length=100))
    for answer in translator.translate(TEXTS):
        assert answer.hypotheses[0].length <= 8


def test_another_tokenizer_is_refused(translator: Translator) -> None:
    other = Tokenizer.train(["a b"] * 2, kind="word", exact=False)
    with pytest.raises(ValueError, match=r"tokenizer has 6 tokens, but the model \d+"):
        Translator(translator.model, other)


def test_a_run_translates_as_its_model_does(translator: Translator, tmp_path: Path) -> None:
    config = Translation(model=translator.model.settings, generation=translator.generation)
    run = Run.create(tmp_path / "run", "translation", config)
    run.save_model(translator.model.state_dict())
    run.save_tokenizer(translator.tokenizer)
    run.update_resolved({"generation": {"length_penalty": 0.4}})
    loaded = Translator.from_run(Run.open(tmp_path / "run"))
    assert loaded.generation == replace(translator.generation, length_penalty=0.4)
    expected = translator.translate(TEXTS, loaded.generation)
    assert [answer.texts for answer in loaded.translate(TEXTS)] == [answer.texts for answer in expected]
