"""Question answering: from questions over texts to a reader that finds the answers.

What only one verb needs is imported when it is called: answering a question should start at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qkvae.config import QuestionAnswering, QuestionData
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.question_answering.reader import Reader
from qkvae.tasks.task import Task

if TYPE_CHECKING:
    from qkvae.data.findings import Report
    from qkvae.tasks.question_answering.corpus import Corpus, Encoded
    from qkvae.tasks.question_answering.objective import AnswerObjective
    from qkvae.train.progress import Reporter


class QuestionAnsweringTask:
    """See `qkvae.tasks.task.Task`."""

    name = "question-answering"

    def read(self, config: QuestionAnswering, reporter: Reporter) -> Corpus:
        from qkvae.tasks.question_answering.corpus import read_corpus

        paths = (*config.data.paths, *config.data.valid)
        reporter.say(f"reading {', '.join(paths)}" if paths else "writing questions about countries")
        corpus = read_corpus(config.data, config.training.seed)
        if corpus.left_out:
            reporter.say(f"note: {corpus.left_out:,} questions are left out: their answers stand nowhere")
        return corpus

    def learn(self, config: QuestionAnswering, corpus: Corpus, reporter: Reporter) -> Tokenizer:
        from qkvae.tasks.question_answering.corpus import train_tokenizer

        reporter.say("learning a vocabulary from the training questions and their texts")
        return train_tokenizer(corpus.train, config.data)

    def filled(self, config: QuestionAnswering, corpus: Corpus, tokenizer: Tokenizer) -> QuestionAnswering:
        longest = max(config.model.max_length, config.data.max_length)
        model = replace(config.model, segments=2, max_length=longest, vocab=len(tokenizer))
        return replace(config, model=model)

    def encode(
        self, config: QuestionAnswering, corpus: Corpus, tokenizer: Tokenizer, reporter: Reporter
    ) -> Encoded:
        from qkvae.tasks.question_answering.corpus import encode_corpus

        reporter.say("cutting the texts into windows")
        encoded = encode_corpus(corpus, tokenizer, config.data)
        for part, windows in (("training", encoded.train), ("validation", encoded.valid)):
            for note in windows.notes:
                reporter.say(f"note: {part}: {note}")
        return encoded

    def summary(self, corpus: Corpus, tokenizer: Tokenizer) -> str:
        return (
            f"{len(corpus.train):,} training and {len(corpus.valid):,} validation questions, "
            f"vocabulary of {len(tokenizer):,} tokens"
        )

    def objective(
        self, config: QuestionAnswering, model: Encoder, tokenizer: Tokenizer, examples: Encoded
    ) -> AnswerObjective:
        from qkvae.tasks.question_answering.objective import AnswerObjective

        return AnswerObjective(model, examples, config)

    def finish(self, run: Run, examples: Encoded, reporter: Reporter, seconds: float | None) -> None:
        from qkvae.tasks.question_answering.ending import finish

        finish(run, examples, reporter)

    def answerer(self, run: Run) -> Reader:
        return Reader.from_run(run)

    def evaluate(self, answerer: Reader, config: QuestionAnswering, data: QuestionData) -> dict[str, Any]:
        from qkvae.data.squad import read_squad
        from qkvae.tasks.question_answering.evaluate import evaluate

        questions = read_squad(data.paths, minimum=1)
        return {**evaluate(answerer, questions), "notes": [str(note) for note in questions.notes]}

    def compare(self, first: Reader, second: Reader, data: QuestionData) -> dict[str, Any]:
        from qkvae.data.squad import read_squad
        from qkvae.tasks.question_answering.evaluate import compare

        questions = read_squad(data.paths, minimum=1)
        return {**compare(first, second, questions), "notes": [str(note) for note in questions.notes]}

    def look(self, answerer: Reader, text: str, path: Path, name: str) -> Path:
        from qkvae.inspect.look import write_look
        from qkvae.tasks.question_answering.looking import look

        return write_look(path, look(answerer, text, name))

    def check(self, data: QuestionData) -> Report:
        from qkvae.data.squad import read_squad
        from qkvae.tasks.question_answering.check import check_questions

        train = read_squad(data.paths)
        return check_questions(
            train, read_squad(data.valid, minimum=1) if data.valid else None, data.max_length
        )


TASK: Task = QuestionAnsweringTask()
