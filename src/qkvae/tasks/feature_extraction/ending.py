"""After the last step: measure, and write the report and the model card."""

from __future__ import annotations

from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from qkvae.data.vectors import Floats, Vectors
from qkvae.inspect.charts import Series, line_chart
from qkvae.inspect.sections import Picture, Sample, Section, Table
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.answering import kept_model
from qkvae.tasks.ending import Ending, tell_figures, write_pages
from qkvae.tasks.feature_extraction.corpus import Encoded
from qkvae.tasks.feature_extraction.evaluate import cosines, figures
from qkvae.tasks.reading import evenly, read_all
from qkvae.train.progress import Reporter

_SHOWN = 15  # pairs, or texts with what is nearest to them
_NEAREST = 3
_BINS = 10
_LIMITS = (
    "It knows the kind of texts it was trained on; what else is alike it does not know.",
    "A cosine is no probability: compare it with that of other texts.",
    "It repeats whatever bias its data holds.",
)


def finish(run: Run, encoded: Encoded, reporter: Reporter) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    config: Any = run.config
    model: Encoder = kept_model(run)
    vectors = read_all(model, encoded.valid).numpy()
    first, second, texts = vectors[0::2], vectors[1::2], encoded.valid_texts
    found = figures(first, second, texts, encoded.valid_known)
    shown = tell_figures(run, reporter, found, len(texts), "pair")
    assert texts.pairs is not None
    ending = Ending(
        shown=shown,
        sections=_sections(encoded, first, second),
        does="Makes vectors of texts, whose cosines say how alike they are",
        example=f"{texts.texts[0]}\t{texts.pairs[0]}",
        limits=(*_LIMITS, f"Of a text only the first {config.data.max_length} tokens are read."),
        split="split off by hash of the first text",
        examples=(len(encoded.train) // 2, len(texts)),
        parameters=sum(p.numel() for p in model.parameters()),
        figures=found,
        where=f"{len(texts)} validation pairs",
        loss_unit="nats" if encoded.valid_known is None else "half the squared error",
    )
    write_pages(run, ending)


def _sections(encoded: Encoded, first: Floats, second: Floats) -> list[Section]:
    nearest = _nearest(encoded, first, second)
    if encoded.valid_known is None:
        return [nearest]
    told = cosines(first, second)
    return [_by_grade(encoded.valid_known, told), _far_off(encoded, encoded.valid_known, told), nearest]


def _by_grade(known: NDArray[np.float32], told: Floats) -> Section:
    """The mean cosine of pairs of about the same grade."""
    parts = [part for part in np.array_split(np.argsort(known, kind="stable"), _BINS) if len(part)]
    rows = [(round(float(known[p].mean()), 3), round(float(told[p].mean()), 3), len(p)) for p in parts]
    line = Series(name="mean cosine", xs=[row[0] for row in rows], ys=[row[1] for row in rows], marked=True)
    drawing = line_chart([line], title="Cosine by grade", x_label="grade, 0 to 1", y_label="cosine")
    table = Table(headings=("grade", "cosine", "pairs"), rows=rows)
    return Section(
        title="Do the cosines follow the grades?",
        note="Pairs of the validation part, in tenths by their grade.",
        pictures=[Picture(drawing=Markup(drawing), table=table)],
    )


def _far_off(encoded: Encoded, known: NDArray[np.float32], told: Floats) -> Section:
    """The pairs whose cosines are farthest from their grades."""
    texts = encoded.valid_texts
    assert texts.pairs is not None
    samples = [
        Sample(
            parts=(
                ("text", texts.texts[row]),
                ("and", texts.pairs[row]),
                ("known", f"{texts.labels[row]} ({known[row]:.2f} of the scale)"),
                ("told", f"{told[row]:.2f}"),
            )
        )
        for row in map(int, np.argsort(-np.abs(told - known), kind="stable")[:_SHOWN])
    ]
    return Section(title="Farthest from what is known", note="Are the grades right?", samples=samples)


def _nearest(encoded: Encoded, first: Floats, second: Floats) -> Section:
    """What is nearest to some texts, among the second texts of all validation pairs."""
    texts = encoded.valid_texts
    assert texts.pairs is not None
    places = {text: row for row, text in enumerate(texts.pairs)}
    known = Vectors(list(places), second[list(places.values())])
    samples: list[Sample] = []
    for row in map(int, evenly(len(texts), _SHOWN)):
        near = [
            (text, cosine)
            for text, cosine in known.neighbours(first[row], _NEAREST + 1)
            if text != texts.texts[row]
        ][:_NEAREST]
        told = " | ".join(f"{text} ({cosine:.2f})" for text, cosine in near)
        right = bool(near) and near[0][0] == texts.pairs[row]
        parts = (("text", texts.texts[row]), ("its partner", texts.pairs[row]), ("nearest", told))
        samples.append(Sample(parts=parts, right=right))
    return Section(
        title="What is nearest", note="Among the second texts of all validation pairs.", samples=samples
    )
