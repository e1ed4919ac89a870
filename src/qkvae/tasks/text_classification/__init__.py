"""Text classification: from labelled texts to a classifier.

What only one verb needs is imported when it is called: labelling a text should start at once.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qkvae.config import Classes, LabelledData, TextClassification
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.task import Task
from qkvae.tasks.text_classification.classifier import Classifier

if TYPE_CHECKING:
    from qkvae.data.findings import Report
    from qkvae.tasks.text_classification.corpus import Corpus, Encoded
    from qkvae.tasks.text_classification.objective import ClassificationObjective
    from qkvae.train.progress import Reporter


class TextClassificationTask:
    """See `qkvae.tasks.task.Task`."""

    name = "text-classification"

    def read(self, config: TextClassification, reporter: Reporter) -> Corpus:
        from qkvae.tasks.text_classification.corpus import read_corpus

        paths = (*config.data.paths, *config.data.valid)
        reporter.say(f"reading {', '.join(paths)}" if paths else "writing phrases in nine languages")
        return read_corpus(config.data, config.training.seed)

    def learn(self, config: TextClassification, corpus: Corpus, reporter: Reporter) -> Tokenizer:
        from qkvae.tasks.text_classification.corpus import train_tokenizer

        reporter.say("learning a vocabulary from the training texts")
        return train_tokenizer(corpus.train, config.data)

    def filled(self, config: TextClassification, corpus: Corpus, tokenizer: Tokenizer) -> TextClassification:
        head = config.model.head
        assert isinstance(head, Classes)
        model = replace(
            config.model,
            head=replace(head, count=max(1, len(corpus.labels.names))),
            segments=0 if corpus.train.pairs is None else 2,
            max_length=max(config.model.max_length, config.data.max_length),
            vocab=len(tokenizer),
        )
        return replace(config, model=model)

    def encode(
        self, config: TextClassification, corpus: Corpus, tokenizer: Tokenizer, reporter: Reporter
    ) -> Encoded:
        from qkvae.tasks.reading import say_cuts
        from qkvae.tasks.text_classification.corpus import encode_corpus

        reporter.say("encoding the texts")
        encoded = encode_corpus(corpus, tokenizer, config.data)
        say_cuts(reporter, encoded.cut, encoded.valid_cut, config.data.max_length)
        return encoded

    def summary(self, corpus: Corpus, tokenizer: Tokenizer) -> str:
        what = f"{len(corpus.labels.names)} classes" if corpus.labels.names else "a number each"
        return (
            f"{len(corpus.train):,} training and {len(corpus.valid):,} validation texts, {what}, "
            f"vocabulary of {len(tokenizer):,} tokens"
        )

    def objective(
        self, config: TextClassification, model: Encoder, tokenizer: Tokenizer, examples: Encoded
    ) -> ClassificationObjective:
        from qkvae.tasks.text_classification.objective import ClassificationObjective

        return ClassificationObjective(model, examples, config)

    def finish(self, run: Run, examples: Encoded, reporter: Reporter, seconds: float | None) -> None:
        from qkvae.tasks.text_classification.ending import finish

        finish(run, examples, reporter)

    def answerer(self, run: Run) -> Classifier:
        return Classifier.from_run(run)

    def evaluate(
        self, answerer: Classifier, config: TextClassification, data: LabelledData
    ) -> dict[str, Any]:
        from qkvae.tasks.text_classification.corpus import read_texts
        from qkvae.tasks.text_classification.evaluate import evaluate

        texts = read_texts(data, data.paths, like=config.data, minimum=1)
        return {**evaluate(answerer, texts), "notes": [str(note) for note in texts.notes]}

    def compare(self, first: Classifier, second: Classifier, data: LabelledData) -> dict[str, Any]:
        from qkvae.tasks.text_classification.corpus import read_texts
        from qkvae.tasks.text_classification.evaluate import compare

        texts = read_texts(data, data.paths, like=first.data, minimum=1)
        return {**compare(first, second, texts), "notes": [str(note) for note in texts.notes]}

    def look(self, answerer: Classifier, text: str, path: Path, name: str) -> Path:
        from qkvae.inspect.look import write_look
        from qkvae.tasks.text_classification.looking import look

        return write_look(path, look(answerer, text, name))

    def check(self, data: LabelledData) -> Report:
        from qkvae.data.check_labelled import check_labelled
        from qkvae.data.labels import Labels
        from qkvae.tasks.text_classification.corpus import read_texts

        train = read_texts(data, data.paths)
        valid = read_texts(data, data.valid, minimum=1) if data.valid else None
        labels = None if data.kind == "auto" else Labels.decide(train, data.kind)
        return check_labelled(train, valid, max_length=data.max_length, labels=labels)


TASK: Task = TextClassificationTask()
