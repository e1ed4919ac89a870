"""After the last step: measure, and write the report and the model card."""

from __future__ import annotations

from typing import Any

from qkvae.config.names import many
from qkvae.data.pictures import Pictures
from qkvae.models import Vision
from qkvae.run import Run
from qkvae.tasks.answering import kept_model
from qkvae.tasks.ending import Ending, tell_figures, write_pages
from qkvae.tasks.grids import GridCorpus, kind_of, tell_all
from qkvae.tasks.image_classification.shown import looked, sampled
from qkvae.tasks.label_figures import figures, targets
from qkvae.tasks.label_sections import carded, label_sections
from qkvae.train.progress import Reporter

_LIMITS = (
    "It knows the kind of {noun}s it was trained on, and gives any other one of the same labels.",
    "A high probability is no proof: see the calibration and the most confident mistakes in report.html.",
    "Every {noun} is brought to {size} first: what is smaller than that shows is not seen.",
    "It repeats whatever bias its data holds.",
)


def finish(run: Run, corpus: GridCorpus, reporter: Reporter) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    config: Any = run.config
    noun, valid, labels = kind_of(config.data).noun, corpus.valid, corpus.labels
    assert labels is not None
    model: Vision = kept_model(run)
    known, told = targets(labels, valid), tell_all(model, valid, corpus.form)
    found = figures(labels, known, told)
    shown = tell_figures(run, reporter, found, len(valid), noun)

    size = " × ".join(map(str, corpus.form.size))
    ending = Ending(
        shown=shown,
        sections=[
            *label_sections(labels, known, told, noun, sampled(valid)),
            looked(model, corpus.form, labels, valid, known, told),
        ],
        does=f"Labels {noun}s",
        example=_example(valid),
        limits=tuple(limit.format(noun=noun, size=size) for limit in _LIMITS),
        split=f"split off by hash of the {noun}",
        examples=(len(corpus.train), len(valid)),
        parameters=sum(p.numel() for p in model.parameters()),
        figures={name: found[name] for name in found if name in carded(labels)},
        where=many(len(valid), f"validation {noun}"),
    )
    write_pages(run, ending)


def _example(valid: Pictures) -> str:
    """A file to try a run with: signals and clips stand several in one."""
    if valid.noun != "picture":
        return "some.npy"
    return valid.where(0) if valid.names else "some.png"
