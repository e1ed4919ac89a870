"""After the last step: measure, and write the report and the model card."""

from __future__ import annotations

import itertools

from markupsafe import Markup

from qkvae.config.names import many
from qkvae.data.pictures import Pictures
from qkvae.inspect.sections import Picture, Sample, Section
from qkvae.inspect.sections_page import SectionsPage
from qkvae.inspect.thumbnails import enlarged, inline, side_by_side
from qkvae.run import Run
from qkvae.tasks.ending import Ending, tell_figures, write_pages
from qkvae.tasks.grids import GridCorpus, asked
from qkvae.tasks.masked_image_modeling.evaluate import evaluate
from qkvae.tasks.masked_image_modeling.teller import Teller, Told
from qkvae.train.progress import Reporter

_SHOWN = 12
_SIDE, _LARGE = 96, 192  # pixels, to which a drawing of many, or of one picture, is enlarged
_PARTS = (0.1, 0.25, 0.5, 0.75)  # of the patches that are seen, on the page of one picture
_ORDER = "From left to right: what is seen, what is told, the picture itself."
_LIMITS = (
    "What it tells of a hidden place is likely, not true: nobody knows what is really there.",
    "It is made to be trained further, with --from, for a task with labels.",
    "It repeats whatever bias its data holds.",
)


def finish(run: Run, corpus: GridCorpus, reporter: Reporter) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    teller, valid = Teller.from_run(run), corpus.valid
    found = evaluate(teller, valid)
    count = found.pop("pictures")
    shown = tell_figures(run, reporter, found, count, "picture")
    some = valid.select(range(min(_SHOWN, len(valid))))
    note = f"Of pictures of the validation part {teller.seen:.0%} of the patches are seen. {_ORDER}"
    ending = Ending(
        shown=shown,
        sections=[
            Section(title="What was told of hidden patches", note=note, samples=_samples(teller, some))
        ],
        does="Tells hidden parts of pictures",
        example=valid.where(0) if valid.names else "some.png",
        limits=_LIMITS,
        split="split off by hash of the picture",
        examples=(len(corpus.train), len(valid)),
        parameters=sum(p.numel() for p in teller.model.parameters()),
        figures=found,
        where=many(count, "validation picture"),
        loss_unit="mean squared error",
    )
    write_pages(run, ending)


def look(teller: Teller, path: str, name: str) -> SectionsPage:
    """A page with what is told of the first picture of a file, the more of it is seen.

    Raises:
        ValueError, FileNotFoundError: there is no such file, or it cannot be read.
    """
    if not path.strip():
        raise ValueError("there is nothing to look at: give the path of a picture")
    one = asked(teller.data, teller.form, path.strip()).select([0])
    sections: list[Section] = []
    for seen in _PARTS:
        told = next(teller.tell(one, seen))
        note = f"The error of those hidden is {float(told.losses[0]):.4f}."
        drawing = _drawing(told, 0, _LARGE)
        title = f"{seen:.0%} of the patches are seen"
        sections.append(Section(title=title, note=note, pictures=[Picture(drawing=drawing)]))
    size = " × ".join(map(str, teller.form.size))
    note = f"Read at {size}. {_ORDER} What is seen once is seen in all that follow."
    return SectionsPage(run=name, title=path.strip(), note=note, sections=sections)


def _samples(teller: Teller, pictures: Pictures) -> list[Sample]:
    """What was seen, what was told and what is true, side by side."""
    told_of = [(told, row) for told in teller.tell(pictures) for row in range(len(told.losses))]
    return [
        Sample(
            drawing=_drawing(told, row, _SIDE),
            parts=(
                ("is", pictures.where(place)),
                ("seen", f"{teller.seen:.0%}"),
                ("loss", f"{float(told.losses[row]):.4f}"),
            ),
        )
        for place, (told, row) in zip(itertools.count(), told_of, strict=False)
    ]


def _drawing(told: Told, row: int, side: int) -> Markup:
    return inline(side_by_side([enlarged(each, side) for each in told.drawn(row)]), "seen, told, true")
