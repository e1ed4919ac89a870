"""After the last step: measure, choose the threshold, and write the report and the model card."""

from __future__ import annotations

import math
from typing import cast

import torch
from markupsafe import Markup

from qkvae.config.names import many
from qkvae.inspect.charts import Series, line_chart
from qkvae.inspect.mosaic import Canvas, as_image, grid
from qkvae.inspect.sections import Picture, Section
from qkvae.models import CodePrior
from qkvae.run import Run
from qkvae.tasks.ending import Ending, tell_figures, write_pages
from qkvae.tasks.reading import evenly
from qkvae.tasks.vae.corpus import Encoded, told_numbers
from qkvae.tasks.vae.ending import JUDGED, usual_below
from qkvae.tasks.vq_vae.coder import CodeCoder
from qkvae.tasks.vq_vae.evaluate import figures
from qkvae.train.progress import Reporter

_SHOWN = 64  # pictures drawn anew
_PAIRS = 16  # reconstructions
_CODES = 64  # codes that are shown
_LIMITS = (
    "It knows pictures like those it was trained on, and tells of any other as if they were such pictures.",
    "A high score says that a picture is unusual among the training pictures, not that it is wrong.",
    "What it draws is made up, and repeats whatever bias its data hold.",
)


def finish(run: Run, encoded: Encoded, reporter: Reporter) -> None:
    """Judge the weights that the run keeps, and write everything that people read."""
    coder = CodeCoder.from_run(run)
    part = encoded.valid_part
    judged = part.select(evenly(len(part), JUDGED).tolist())
    found = figures(coder, judged)
    threshold = coder.threshold = usual_below(encoded, lambda x, labels: coder.told(x, labels).nll)
    run.update_resolved({"threshold": threshold})
    writes = isinstance(coder.model, CodePrior)
    told = ("nll", "distortion", "kl") if writes else ("distortion", "code_perplexity", "codes_used")
    headline = {name: float(found[name]) for name in told}
    shown = tell_figures(run, reporter, headline, len(judged), "picture")
    reporter.say(f"{coder.said_of_threshold()}")
    write_pages(
        run,
        Ending(
            shown={**shown, "threshold": round(threshold, 4)},
            sections=_sections(coder, encoded),
            does=f"{'Draws, encodes' if writes else 'Encodes'} and scores pictures",
            example="picture.png",
            limits=_LIMITS if writes else _LIMITS[:2],
            split="split off by hash of the picture",
            examples=(len(encoded.train), len(part)),
            parameters=sum(p.numel() for p in coder.model.parameters()),
            figures=headline,
            where=many(len(judged), "validation picture"),
        ),
    )


def _sections(coder: CodeCoder, encoded: Encoded) -> list[Section]:
    rows = torch.from_numpy(evenly(len(encoded.valid), _PAIRS))
    x = told_numbers(encoded.form, encoded.valid[rows], coder.config, (coder.seed, 2**31))
    both = torch.cat([x, coder.reconstructed(x, None)])
    kept = _pictured(
        "Reconstructions", "Above as the model read them, below what their codes keep.", grid(both, len(x))
    )
    if not isinstance(coder.model, CodePrior):
        return [kept, *_book(coder, encoded)]
    classes = coder.model.settings.classes
    asked = torch.arange(_SHOWN) * classes // _SHOWN if classes else None
    drawn = coder.drawn(_SHOWN, asked, exactly=False, seed=coder.seed)
    note = "What the codes tell that the Transformer wrote."
    return [_pictured("Drawn anew", note, grid(drawn, 16)), kept]


def _book(coder: CodeCoder, encoded: Encoded) -> list[Section]:
    """How evenly the codes are used, and what the most used ones look like."""
    rows = torch.from_numpy(evenly(len(encoded.valid), JUDGED))
    x = told_numbers(encoded.form, encoded.valid[rows], coder.config, (coder.seed, 2**31))
    vq, counts = coder.vq, coder.told(x, None).counts
    share = cast("list[float]", (counts.sort(descending=True).values / counts.sum()).tolist())
    drawing = line_chart(
        [
            Series(
                name="share",
                xs=[float(k + 1) for k in range(len(share))],
                ys=share,
            ),
            Series(name="if all were alike", xs=[1.0, float(len(share))], ys=[1 / len(share)] * 2),
        ],
        title="Share of each code",
        x_label="codes, the most used first",
        y_label="share of all places",
        zero=True,
    )
    most = counts.argsort(descending=True)[: min(_CODES, int((counts > 0).sum()))]
    places = math.prod(vq.grid)
    with torch.no_grad():
        alone = vq.likelihood.mean(vq.decode_ids(most[:, None].expand(-1, places)))
    note = "Pictures of one code at every place, of the most used codes."
    return [
        Section(
            title="The book",
            note="How often each code is chosen on validation pictures.",
            pictures=[Picture(drawing=Markup(drawing))],
        ),
        _pictured("What codes look like", note, grid(alone, 16)),
    ]


def _pictured(title: str, note: str, canvas: Canvas) -> Section:
    return Section(title=title, note=note, pictures=[Picture(drawing=as_image(canvas, note))])
