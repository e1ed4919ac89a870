"""Image classification, verb by verb; signals and clips are labelled by the same."""

from __future__ import annotations

from dataclasses import replace

from qkvae.config import ImageClassification, LinearClasses
from qkvae.data.check_pictures import check_pictures
from qkvae.data.findings import Report
from qkvae.data.pictures import Pictures
from qkvae.tasks.grids import (
    GridCorpus,
    GridData,
    decided,
    filled_grid,
    kind_of,
    read_corpus,
    read_grids,
    summary,
    two_readings,
)
from qkvae.tasks.image_classification.ending import finish
from qkvae.tasks.image_classification.evaluate import compare, evaluate, shown
from qkvae.tasks.image_classification.looking import look
from qkvae.tasks.image_classification.objective import ClassificationObjective
from qkvae.tasks.task import Task


def _filled(config: ImageClassification, corpus: GridCorpus, tokenizer: None) -> ImageClassification:
    config = filled_grid(config, corpus)
    head = config.model.head
    assert isinstance(head, LinearClasses)
    assert corpus.labels is not None
    head = replace(head, count=len(corpus.labels.names))
    return replace(config, model=replace(config.model, head=head))


def _doubts(train: Pictures, valid: Pictures | None, data: GridData) -> Report:
    return check_pictures(train, valid, decided(train))


def classification(name: str, data: GridData) -> Task:
    """The task of this name, whose examples are where ``data`` says, by default embedded."""
    kind = kind_of(data)
    return Task(
        name=name,
        embedded=kind.embedded,
        corpus=read_corpus,
        examples=read_grids,
        filled=_filled,
        encode=lambda config, corpus, tokenizer, reporter: corpus,
        summary=lambda corpus: summary(corpus, kind.noun),
        objective=lambda model, tokenizer, corpus, config: ClassificationObjective(model, corpus, config),
        finish=lambda run, corpus, reporter, seconds: finish(run, corpus, reporter),
        figures=lambda classifier, examples, config: evaluate(classifier, examples),
        shown=lambda classifier, examples, config: shown(classifier, examples),
        better=compare,
        readings=two_readings,
        look=look,
        aimed=look,
        doubts=_doubts,
    )


TASK = classification("image-classification", ImageClassification().data)
