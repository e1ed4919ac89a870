"""After the last step: measure, and write the report and the model card."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from torch import Tensor

from qkvae import metrics
from qkvae.inspect.charts import Series, heat_map, line_chart
from qkvae.inspect.sections import Picture, Sample, Section, Table
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.answering import kept_model
from qkvae.tasks.ending import Ending, tell_figures, write_pages
from qkvae.tasks.reading import read_all
from qkvae.tasks.text_classification.corpus import Encoded
from qkvae.tasks.text_classification.evaluate import METRICS, decisions, figures
from qkvae.train.progress import Reporter

_MISTAKES = 15
_PICTURED = 12  # classes that a picture of the confusions can hold
_LIMITS = (
    "It knows the kind of texts it was trained on, and gives any other text one of the same labels.",
    "A high probability is no proof: see the calibration and the most confident mistakes in report.html.",
    "It repeats whatever bias its data holds.",
)


def finish(run: Run, encoded: Encoded, reporter: Reporter) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    config: Any = run.config
    model: Encoder = kept_model(run)
    told = read_all(model, encoded.valid)
    found = figures(encoded.labels, encoded.valid_targets, told)
    shown = tell_figures(run, reporter, found, len(encoded.valid), "text")
    texts = encoded.valid_texts
    ending = Ending(
        shown=shown,
        sections=_sections(encoded, told),
        does="Labels pairs of texts" if texts.pairs else "Labels texts",
        example=texts.texts[0] if texts.pairs is None else f"{texts.texts[0]}\t{texts.pairs[0]}",
        limits=(*_LIMITS, f"Of a text only the first {config.data.max_length} tokens are read."),
        split="split off by hash of the text",
        examples=(len(encoded.train), len(encoded.valid)),
        parameters=sum(p.numel() for p in model.parameters()),
        figures={name: found[name] for name in found if name in _carded(encoded)},
        where=f"{len(texts)} validation texts",
    )
    write_pages(run, ending)


def _carded(encoded: Encoded) -> tuple[str, ...]:
    """The figures that the model card tells."""
    return (METRICS[encoded.labels.kind], "macro_f1", "mcc", "spearman", "ece")


def _sections(encoded: Encoded, told: Tensor) -> list[Section]:
    if encoded.labels.kind == "number":
        return [_far_off(encoded, told)]
    sections = [_confident_mistakes(encoded, told), _calibration(encoded, told)]
    return [_confusions(encoded, told), *sections] if encoded.labels.kind == "one" else sections


def _confusions(encoded: Encoded, told: Tensor) -> Section:
    """As what the texts of each class were taken."""
    names = encoded.labels.names
    counts = metrics.confusion(encoded.valid_targets.numpy(), told.argmax(1).numpy(), len(names))
    f1 = metrics.class_f1(counts)
    rows = [
        (name, int(counts[place].sum()), int(counts[place, place]), round(float(f1[place]), 4))
        for place, name in enumerate(names)
    ]
    table = Table(headings=("class", "texts", "right", "F1"), rows=rows)
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
        note="Texts of the validation part, which the training never saw.",
        tables=[table],
        pictures=pictures,
    )


def _confident_mistakes(encoded: Encoded, told: Tensor) -> Section:
    """The wrong answers that the model was surest of."""
    confidence, right = decisions(encoded.labels, encoded.valid_targets, told)
    sure = np.where(right, -1.0, confidence).reshape(len(told), -1)
    order = np.argsort(-sure.ravel(), kind="stable")[: min(_MISTAKES, int((~right).sum()))]
    samples: list[Sample] = []
    for row, place in np.stack(np.unravel_index(order, sure.shape), 1).tolist():
        several = encoded.labels.kind == "several"
        label = encoded.labels.names[place if several else int(told[row].argmax())]
        verb = "not " if several and told[row, place] < 0 else ""
        answer = f"{verb}{label} ({sure[row, place]:.1%} sure)"
        samples.append(Sample(parts=(*_parts(encoded, row), ("told", answer))))
    note = "None of the validation texts was labelled wrongly." if not samples else "Are the labels right?"
    return Section(title="The most confident mistakes", note=note, samples=samples)


def _calibration(encoded: Encoded, told: Tensor) -> Section:
    """Whether answers are right as often as the model is sure of them."""
    confidence, right = decisions(encoded.labels, encoded.valid_targets, told)
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


def _far_off(encoded: Encoded, told: Tensor) -> Section:
    """The numbers that are farthest from the known ones."""
    labels = encoded.labels
    distance = (told[:, 0] - encoded.valid_targets).abs()
    farthest: list[int] = distance.argsort(descending=True)[:_MISTAKES].numpy().tolist()
    samples = [
        Sample(
            parts=(*_parts(encoded, row), ("told", f"{float(told[row, 0]) * labels.scale + labels.mean:.4g}"))
        )
        for row in farthest
    ]
    return Section(title="Farthest from what is known", note="Are the numbers right?", samples=samples)


def _parts(encoded: Encoded, row: int) -> tuple[tuple[str, str], ...]:
    texts, label = encoded.valid_texts, encoded.valid_texts.labels[row]
    known = label if isinstance(label, str) else ", ".join(label) or "none"
    second = () if texts.pairs is None else (("and", texts.pairs[row]),)
    return (("text", texts.texts[row]), *second, ("known", known))
