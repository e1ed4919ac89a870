"""Question answering, verb by verb."""

from __future__ import annotations

from dataclasses import replace

from qkvae.config import QuestionAnswering
from qkvae.data.squad import read_squad
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import counted
from qkvae.tasks.question_answering.check import check_questions
from qkvae.tasks.question_answering.corpus import (
    Encoded,
    QuestionCorpus,
    encode_corpus,
    read_corpus,
    train_tokenizer,
)
from qkvae.tasks.question_answering.ending import finish
from qkvae.tasks.question_answering.evaluate import compare, evaluate
from qkvae.tasks.question_answering.looking import look
from qkvae.tasks.question_answering.objective import AnswerObjective
from qkvae.tasks.reading import PAIRED
from qkvae.tasks.task import Task, fitting
from qkvae.train.progress import Reporter


def _filled(config: QuestionAnswering, corpus: QuestionCorpus, tokenizer: Tokenizer) -> QuestionAnswering:
    config = fitting(config, tokenizer, config.data.max_length)
    return replace(config, model=replace(config.model, segments=PAIRED))


def _encode(
    config: QuestionAnswering, corpus: QuestionCorpus, tokenizer: Tokenizer, reporter: Reporter
) -> Encoded:
    if corpus.left_out:
        reporter.say(f"note: {corpus.left_out:,} questions are left out: their answers stand nowhere")
    reporter.say("cutting the texts into windows")
    encoded = encode_corpus(corpus, tokenizer, config.data)
    for part, windows in (("training", encoded.train), ("validation", encoded.valid)):
        for note in windows.notes:
            reporter.say(f"note: {part}: {note}")
    return encoded


TASK = Task(
    name="question-answering",
    embedded="facts about countries",
    corpus=read_corpus,
    examples=lambda data, paths, like, minimum: read_squad(paths, minimum=minimum),
    learn=train_tokenizer,
    filled=_filled,
    encode=_encode,
    summary=counted("questions"),
    objective=lambda model, tokenizer, encoded, config: AnswerObjective(model, encoded, config),
    finish=lambda run, encoded, reporter, seconds: finish(run, encoded, reporter),
    figures=lambda reader, questions, config: evaluate(reader, questions),
    better=compare,
    look=look,
    doubts=lambda train, valid, data: check_questions(train, valid, data.max_length),
)
