"""After the last step: measure, choose the threshold, and write the report and the model card."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from markupsafe import Markup
from torch import Tensor

from qkvae.config.names import many
from qkvae.inspect.charts import Series, bar_chart, line_chart
from qkvae.inspect.mosaic import as_image, grid, scattered
from qkvae.inspect.sections import Picture, Section, Table
from qkvae.run import Run
from qkvae.tasks.ending import Ending, tell_figures, write_pages
from qkvae.tasks.reading import evenly
from qkvae.tasks.vae.coder import Coder
from qkvae.tasks.vae.corpus import Encoded, told_numbers
from qkvae.tasks.vae.drawing import REACH, interpolated, plane, reconstructed, telling, traversed
from qkvae.tasks.vae.evaluate import figures
from qkvae.tasks.vae.forms import TableForm
from qkvae.tasks.vae.measure import kl_per_dimension, posterior_means, scores
from qkvae.tasks.vae.text_form import TextForm
from qkvae.tasks.vae.text_sections import text_sections
from qkvae.train.progress import Reporter

JUDGED = 2_000
"""Training data by which the threshold is chosen."""

_THRESHOLD = 0.99  # part of them that is usual
_SHOWN = 64  # samples
_PAIRS = 16  # reconstructions
_MAPPED = 400  # data on the map
_LATENTS = 8  # rows of traversals
_STEPS = 11
_ENDS = 5  # pictures with ways between them
_ROWS = 12  # rows of a table that are shown
_CHANGED = 3  # latents whose changes of a row are shown
_EXAMPLES = {"picture": "picture.png", "row": "new.csv", "text": "A sentence."}
_LIMITS = (
    "It knows data like those it was trained on, and tells of any other as if they were such data.",
    "A high score says that a datum is unusual among the training data, not that it is wrong.",
    "What it draws is made up, and repeats whatever bias its data hold.",
)


def finish(run: Run, encoded: Encoded, reporter: Reporter) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    coder = Coder.from_run(run)
    part = encoded.valid_part
    judged = part.select(evenly(len(part), JUDGED).tolist())
    samples = coder.generation.samples_or_default
    found = figures(coder, judged, samples)
    threshold = coder.threshold = usual_below(
        encoded, lambda x, labels: scores(coder.model, x, labels, samples)
    )
    run.update_resolved({"threshold": threshold})
    headline = {name: float(found[name]) for name in ("nll", "elbo", "distortion", "kl", "active_units")}
    noun = encoded.form.noun
    shown = tell_figures(run, reporter, headline, len(judged), noun)
    reporter.say(f"{coder.said_of_threshold()}")
    advice = {"kl": headline["kl"], "active_units": headline["active_units"]}
    write_pages(
        run,
        Ending(
            shown={**shown, "threshold": round(threshold, 4)},
            sections=_sections(coder, encoded),
            does=f"Draws, encodes and scores {noun}s",
            example=_EXAMPLES[noun],
            limits=_LIMITS,
            split=f"split off by hash of the {noun}",
            examples=(len(encoded.train), len(part)),
            parameters=sum(p.numel() for p in coder.model.parameters()),
            figures={name: headline[name] for name in ("nll", "elbo", *advice)},
            where=f"{many(len(judged), f'validation {noun}')}, {samples} importance samples",
        ),
    )


def usual_below(encoded: Encoded, scored: Callable[[Tensor, Tensor | None], Tensor]) -> float:
    """The score that nearly all training data stay below; ``scored`` tells those of data and their labels."""
    rows = torch.from_numpy(evenly(len(encoded.train), JUDGED))
    labels = None if encoded.train_labels is None else encoded.train_labels[rows]
    found = scored(encoded.form.numbers(encoded.train[rows]), labels)
    return float(np.quantile(found.numpy(), _THRESHOLD))


def _sections(coder: Coder, encoded: Encoded) -> list[Section]:
    rows = torch.from_numpy(evenly(len(encoded.valid), _MAPPED))
    x = told_numbers(encoded.form, encoded.valid[rows], coder.config, (coder.seed, 2**31))
    labels = None if encoded.valid_labels is None else encoded.valid_labels[rows]
    means = posterior_means(coder.model, x, labels)
    kl = kl_per_dimension(coder.model, x, labels)
    if isinstance(encoded.form, TextForm):
        return [*text_sections(coder, encoded.form, x), _map(coder, x, means), use_of_latents(kl)]
    if isinstance(encoded.form, TableForm):
        return [
            _drawn_rows(coder, encoded.form, x),
            _map(coder, x, means),
            _changed_rows(coder, encoded.form, x),
            use_of_latents(kl),
        ]
    shown = encoded.form.numbers(encoded.valid[rows])
    return [
        *_pictures(coder, shown, x, labels, means),
        use_of_latents(kl),
    ]


def _pictures(coder: Coder, shown: Tensor, x: Tensor, labels: Tensor | None, means: Tensor) -> list[Section]:
    """Samples, reconstructions, the map, traversals, and a way from one picture to another."""
    model, classes = coder.model, 0 if coder.labels is None else len(coder.labels.names)
    asked = torch.arange(_SHOWN) * classes // _SHOWN if classes else None
    drawn = coder.drawn(_SHOWN, asked, exactly=False, seed=coder.seed)
    pairs = min(_PAIRS, len(x))
    first = None if labels is None else labels[:pairs]
    both = torch.cat([x[:pairs], reconstructed(model, x[:pairs], first)])
    which = telling(model, x, labels, _LATENTS)
    moved = traversed(model, x[:1], None if labels is None else labels[:1], which, _STEPS)
    sections = [
        _pictured("Drawn anew", "What the model expects of latents drawn from its prior.", grid(drawn, 16)),
        _pictured(
            "Reconstructions",
            "Above as the model read them, below what their latents keep.",
            grid(both, pairs),
        ),
        _pictured(
            "The map of the latents",
            f"{many(len(shown), 'validation picture')} where their latents lie, in the two directions in "
            "which they vary most.",
            scattered(shown, plane(means)),
        ),
        _pictured(
            "What single latents mean",
            f"One picture, and in each row one of the latents that tell most ({', '.join(map(str, which))}), "
            "moved from -3 to 3.",
            grid(moved.flatten(0, 1), _STEPS),
        ),
    ]
    if len(x) > 1:
        ends = None if labels is None else labels[:_ENDS]
        ways = interpolated(model, x[:_ENDS], ends, _STEPS).flatten(0, 1)
        note = "The straight way between the latents of validation pictures."
        sections.append(_pictured("From one to another", note, grid(ways, _STEPS)))
    return sections


def _pictured(title: str, note: str, canvas: Any) -> Section:
    return Section(title=title, note=note, pictures=[Picture(drawing=as_image(canvas, note))])


def _drawn_rows(coder: Coder, form: TableForm, x: Tensor) -> Section:
    """New rows, and what is kept of real ones."""
    drawn = coder.drawn(_ROWS, None, exactly=True, seed=coder.seed)
    names = [column.name for column in form.scaling.columns]
    kept = form.cells(coder.reconstructed(x[:_ROWS], None))
    pairs = [row for both in zip(form.cells(x[:_ROWS]), kept, strict=True) for row in both]
    marks = ("read", "kept")
    return Section(
        title="Rows",
        note="Drawn anew; and rows of the validation part with what their latents keep of them.",
        tables=[
            Table(title="Drawn anew", headings=names, rows=form.cells(drawn)),
            Table(
                title="Reconstructions",
                headings=("", *names),
                rows=[(marks[place % 2], *row) for place, row in enumerate(pairs)],
            ),
        ],
    )


def _changed_rows(coder: Coder, form: TableForm, x: Tensor) -> Section:
    """What each of some latents changes in a row."""
    which = telling(coder.model, x, None, _CHANGED)
    moved = traversed(coder.model, x[:1], None, which, _STEPS)
    at = [f"{place:.1f}" for place in _floats(torch.linspace(-REACH, REACH, _STEPS))]
    names = [column.name for column in form.scaling.columns]
    return Section(
        title="What single latents mean",
        note="One row, in which one of the latents that tell most is moved from -3 to 3.",
        tables=[
            Table(
                title=f"Latent {latent}",
                headings=("at", *names),
                rows=[(place, *row) for place, row in zip(at, form.cells(rows), strict=True)],
            )
            for latent, rows in zip(which, moved, strict=True)
        ],
    )


def _map(coder: Coder, x: Tensor, means: Tensor) -> Section:
    """Where rows or texts lie, the strange ones apart."""
    noun = coder.form.noun
    at = plane(means)
    found = scores(coder.model, x, None, coder.generation.samples_or_default)
    strange = torch.tensor([bool(coder.is_strange(score)) for score in _floats(found)])
    series = [
        Series(name=name, xs=_floats(at[which, 0]), ys=_floats(at[which, 1]), joined=False)
        for name, which in (("usual", ~strange), ("strange", strange))
    ]
    drawing = line_chart(
        series, title=f"Latents of {noun}s", x_label="first direction", y_label="second direction"
    )
    return Section(
        title="The map of the latents",
        note=f"The {noun}s of the validation part in the two directions in which their latents vary most; "
        "strange are those above the threshold.",
        pictures=[Picture(drawing=Markup(drawing))],
    )


def use_of_latents(kl: Tensor) -> Section:
    """How much each latent tells."""
    order = cast("list[int]", kl.argsort(descending=True)[:40].tolist())
    bars = [(f"latent {place}", max(0.0, float(kl[place]))) for place in order]  # a sampled KL may be below
    drawing = bar_chart(bars, title="KL of each latent", unit="nats")
    return Section(
        title="What the latents tell",
        note="Nats that each latent tells of a datum, the 40 most telling ones; near 0 it is asleep.",
        pictures=[Picture(drawing=Markup(drawing))],
    )


def _floats(numbers: Tensor) -> list[float]:
    return cast("list[float]", numbers.tolist())
