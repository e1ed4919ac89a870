"""Text classification, verb by verb."""

from __future__ import annotations

from dataclasses import replace

from qkvae.config import Classes, LabelledData, TextClassification
from qkvae.data.check_labelled import check_labelled
from qkvae.data.findings import Report
from qkvae.data.labelled import Labelled
from qkvae.data.labelled_rows import STORY
from qkvae.data.labels import Labels
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import counted
from qkvae.tasks.reading import PAIRED, say_cuts
from qkvae.tasks.task import Task, fitting
from qkvae.tasks.text_classification.corpus import (
    Encoded,
    LabelledCorpus,
    encode_corpus,
    read_corpus,
    read_texts,
    train_tokenizer,
)
from qkvae.tasks.text_classification.ending import finish
from qkvae.tasks.text_classification.evaluate import compare, evaluate
from qkvae.tasks.text_classification.looking import look
from qkvae.tasks.text_classification.objective import ClassificationObjective
from qkvae.train.progress import Reporter


def _filled(config: TextClassification, corpus: LabelledCorpus, tokenizer: Tokenizer) -> TextClassification:
    config = fitting(config, tokenizer, config.data.max_length)
    head = config.model.head
    assert isinstance(head, Classes)
    head = replace(head, count=max(1, len(corpus.labels.names)))
    segments = 0 if corpus.train.pairs is None else PAIRED
    if segments and config.data.pair is None:  # nothing was asked for: only stories have pairs then
        columns = {"text": STORY.text, "label": STORY.label, "pair": STORY.pair}
        config = replace(config, data=replace(config.data, **columns))
    return replace(config, model=replace(config.model, head=head, segments=segments))


def _encode(
    config: TextClassification, corpus: LabelledCorpus, tokenizer: Tokenizer, reporter: Reporter
) -> Encoded:
    reporter.say("encoding the texts")
    encoded = encode_corpus(corpus, tokenizer, config.data)
    say_cuts(reporter, encoded.cut, encoded.valid_cut, config.data.max_length)
    return encoded


def _summary(corpus: LabelledCorpus) -> str:
    names = corpus.labels.names
    return f"{counted('texts')(corpus)}, {f'{len(names)} classes' if names else 'a number each'}"


def _doubts(train: Labelled, valid: Labelled | None, data: LabelledData) -> Report:
    labels = None if data.kind == "auto" else Labels.decide(train, data.kind)
    return check_labelled(train, valid, max_length=data.max_length, labels=labels)


TASK = Task(
    name="text-classification",
    embedded="phrases in nine languages",
    corpus=read_corpus,
    examples=read_texts,
    learn=train_tokenizer,
    filled=_filled,
    encode=_encode,
    summary=_summary,
    objective=lambda model, tokenizer, encoded, config: ClassificationObjective(model, encoded, config),
    finish=lambda run, encoded, reporter, seconds: finish(run, encoded, reporter),
    figures=lambda classifier, texts, config: evaluate(classifier, texts),
    better=compare,
    look=look,
    doubts=_doubts,
)
