"""What a report shows of told labels: as what each class was taken, mistakes, calibration."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from markupsafe import Markup
from torch import Tensor

from qkvae import metrics
from qkvae.data.labels import Labels
from qkvae.inspect.charts import Series, heat_map, line_chart
from qkvae.inspect.sections import Picture, Sample, Section, Table
from qkvae.tasks.label_figures import METRICS, decisions, yes_or_no

_MISTAKES = 15
_PICTURED = 12  # classes that a picture of the confusions can hold
_UNSEEN = "of the validation part, which the training never saw"
GIVEN = "of the data that were given"
"""What is looked at where a run is measured on them."""


def carded(labels: Labels) -> tuple[str, ...]:
    """The figures that the model card tells."""
    return (METRICS[labels.kind], "macro_f1", "mcc", "spearman", "ece")


def label_sections(
    labels: Labels,
    known: Tensor,
    told: Tensor,
    noun: str,
    sample: Callable[[int, str], Sample],
    which: str = _UNSEEN,
) -> list[Section]:
    """All of them, of classes.

    Args:
        noun: what is labelled.
        sample: as for `confident_mistakes`.
        which: of the nouns are looked at, as the end of a sentence.
    """
    first = confusions if labels.kind == "one" else each_class
    return [
        first(labels, known, told, noun, which),
        confident_mistakes(labels, known, told, noun, sample),
        calibration(labels, known, told),
    ]


def each_class(labels: Labels, known: Tensor, told: Tensor, noun: str, which: str) -> Section:
    """Of several labels: how often each was right, wrongly told and missed."""
    tables = zip(labels.names, yes_or_no(known, told), strict=True)
    rows = [
        (name, *map(int, (t[1].sum(), t[1, 1], t[0, 1], t[1, 0])), round(float(metrics.class_f1(t)[1]), 4))
        for name, t in tables
    ]
    headings = ("class", f"{noun}s", "told rightly", "told wrongly", "missed", "F1")
    note = f"{noun.capitalize()}s {which}."
    return Section(title="How each class was told", note=note, tables=[Table(headings=headings, rows=rows)])


def confusions(labels: Labels, known: Tensor, told: Tensor, noun: str, which: str) -> Section:
    """As what the examples of each class were taken."""
    names = labels.names
    counts = metrics.confusion(known.numpy(), told.argmax(1).numpy(), len(names))
    f1 = metrics.class_f1(counts)
    rows = [
        (name, int(counts[place].sum()), int(counts[place, place]), round(float(f1[place]), 4))
        for place, name in enumerate(names)
    ]
    table = Table(headings=("class", f"{noun}s", "right", "F1"), rows=rows)
    pictures: list[Picture] = []
    if len(names) <= _PICTURED:
        share = counts / np.maximum(counts.sum(1, keepdims=True), 1)
        drawing = heat_map(
            share.tolist(),
            rows=names,
            columns=names,
            title="Part of each class by what it was taken for",
            row_label="known",
            column_label="told",
        )
        counted = [(name, *row) for name, row in zip(names, counts.tolist(), strict=True)]
        pictures.append(
            Picture(drawing=Markup(drawing), table=Table(headings=("known", *names), rows=counted))
        )
    return Section(
        title="What was taken for what",
        note=f"{noun.capitalize()}s {which}.",
        tables=[table],
        pictures=pictures,
    )


def confident_mistakes(
    labels: Labels, known: Tensor, told: Tensor, noun: str, sample: Callable[[int, str], Sample]
) -> Section:
    """The wrong answers that the model was surest of.

    Args:
        sample: from the place of an example and what was told of it: how it is shown.
    """
    confidence, right = decisions(labels, known, told)
    sure = np.where(right, -1.0, confidence).reshape(len(told), -1)
    order = np.argsort(-sure.ravel(), kind="stable")[: min(_MISTAKES, int((~right).sum()))]
    samples: list[Sample] = []
    for row, place in np.stack(np.unravel_index(order, sure.shape), 1).tolist():
        several = labels.kind == "several"
        label = labels.names[place if several else int(told[row].argmax())]
        verb = "not " if several and told[row, place] < 0 else ""
        samples.append(sample(row, f"{verb}{label} ({sure[row, place]:.1%} sure)"))
    note = f"None of the {noun}s was labelled wrongly." if not samples else "Are the labels right?"
    return Section(title="The most confident mistakes", note=note, samples=samples)


def calibration(labels: Labels, known: Tensor, told: Tensor) -> Section:
    """Whether answers are right as often as the model is sure of them."""
    confidence, right = decisions(labels, known, told)
    bins = metrics.calibration(confidence.ravel(), right.ravel())
    sure, correct = [each.confidence for each in bins], [each.accuracy for each in bins]
    lines = [
        Series(name="right", xs=sure, ys=correct, marked=True),
        Series(name="as sure as right", xs=[sure[0], sure[-1]], ys=[sure[0], sure[-1]]),
    ]
    drawing = line_chart(lines, title="Calibration", x_label="probability told", y_label="part right")
    rows = [(round(each.confidence, 4), round(each.accuracy, 4), each.count) for each in bins]
    table = Table(headings=("probability told", "part right", "answers"), rows=rows)
    return Section(
        title="Is it as right as it is sure?",
        note="Answers of about the same probability, and how many of them are right.",
        pictures=[Picture(drawing=Markup(drawing), table=table)],
    )
