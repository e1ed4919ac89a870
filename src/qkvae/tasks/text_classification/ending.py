"""After the last step: measure, and write the report and the model card."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from qkvae.inspect.sections import Sample, Section
from qkvae.models import Encoder
from qkvae.run import Run
from qkvae.tasks.answering import kept_model
from qkvae.tasks.ending import Ending, tell_figures, write_pages
from qkvae.tasks.label_figures import figures
from qkvae.tasks.label_sections import carded, label_sections
from qkvae.tasks.reading import read_all
from qkvae.tasks.text_classification.corpus import Encoded
from qkvae.train.progress import Reporter

_MISTAKES = 15
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
        figures={name: found[name] for name in found if name in carded(encoded.labels)},
        where=f"{len(texts)} validation texts",
        loss_unit="half the squared error" if encoded.labels.kind == "number" else "nats",
    )
    write_pages(run, ending)


def _sections(encoded: Encoded, told: Tensor) -> list[Section]:
    if encoded.labels.kind == "number":
        return [_far_off(encoded, told)]

    def sample(row: int, answer: str) -> Sample:
        return Sample(parts=(*_parts(encoded, row), ("told", answer)))

    return label_sections(encoded.labels, encoded.valid_targets, told, "text", sample)


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
