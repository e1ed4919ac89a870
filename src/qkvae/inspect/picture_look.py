"""A page of where a classifier of pictures, signals or clips looked, and whether that is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from markupsafe import Markup, escape
from torch import Tensor

from qkvae.inspect.charts import Series, bar_chart, line_chart
from qkvae.inspect.covering import Chances, Curve, deletion, insertion, occlusion, one_of
from qkvae.inspect.picture_maps import attention_maps, grad_cam, rollout
from qkvae.inspect.sections import Picture, Section, Table
from qkvae.inspect.sections_page import SectionsPage
from qkvae.inspect.thumbnails import Canvas, canvas, heated, inline
from qkvae.models import Vision

_BARS = 10  # classes whose probabilities are drawn
_CLASSES = 3  # for which Grad-CAM is drawn

Grid = Float[Tensor, "c *size"]


def look_at(
    model: Vision,
    read: Grid,
    shares: Grid,
    told: Sequence[tuple[str, float, int]],
    title: str,
    note: str,
    run: str,
    chances: Chances = one_of,
) -> SectionsPage:
    """The page for one grid.

    Args:
        model: ends in classes.
        read: what the model reads.
        shares: the same as parts of white, to be drawn.
        told: each class with its probability and its number, most probable first.
        title: what was read, for the heading.
        note: a sentence below it.
        run: name of the run.
        chances: how the run makes probabilities of what the model tells.
    """
    drawing, (best, _, chosen) = canvas(shares), told[0]
    maps = {
        "occlusion": occlusion(model, read, chosen, chances=chances),
        "Grad-CAM, last block": grad_cam(model, read, chosen),
        "attention rollout": rollout(model, read),
        "attention, last block": attention_maps(model, read)[-1].mean(0),
    }
    sections = (
        _told(drawing, told, title),
        _maps(drawing, maps, best, read.shape[1:]),
        _truth(model, read, maps, best, chosen, chances),
        _layers(model, read, drawing, told),
        _heads(model, read, drawing),
    )
    return SectionsPage(run=run, title=title, note=note, sections=sections)


def _told(drawing: Canvas, told: Sequence[tuple[str, float, int]], title: str) -> Section:
    bars = [(name, p) for name, p, _ in told[:_BARS]]
    rows = [(name, round(p, 4)) for name, p, _ in told]
    table = Table(title="all classes", headings=("class", "probability"), rows=rows, folded=True)
    chart = Markup(bar_chart(bars, title="Probabilities told"))
    pictures = [Picture(drawing=inline(drawing, title)), Picture(drawing=chart, table=table)]
    return Section(title="What was read, and what was told", pictures=pictures)


def _maps(drawing: Canvas, maps: Mapping[str, Tensor], best: str, size: Sequence[int]) -> Section:
    return Section(
        title=f"What decided for “{best}”",
        note="Yellow is much, blue is little, each map on a scale of its own. Occlusion is measured: how "
        "much less probable the class is when a patch is covered. The others are quicker guesses at it.",
        pictures=[Picture(drawing=_shown(drawing, maps, size, wide=True))],
    )


def _truth(
    model: Vision, read: Grid, maps: Mapping[str, Tensor], best: str, chosen: int, chances: Chances
) -> Section:
    """What happens to the class while patches are covered in the order of each map, and of none."""
    order = torch.rand(next(iter(maps.values())).shape, generator=torch.Generator().manual_seed(0))
    ranked = {**maps, "any order": order}
    deleted = {name: deletion(model, read, chosen, each, chances=chances) for name, each in ranked.items()}
    inserted = {name: insertion(model, read, chosen, each, chances=chances) for name, each in ranked.items()}
    rows = [(name, round(deleted[name].area, 3), round(inserted[name].area, 3)) for name in ranked]
    return Section(
        title="Do these maps tell the truth?",
        note="Patches are covered, or shown on an empty ground, those first to which a map gives most. A "
        "true map makes the class fall early (small area) and rise early (large area), and beats any order.",
        pictures=[
            Picture(drawing=_curves(deleted, f"p({best}) while patches are covered", "part covered")),
            Picture(drawing=_curves(inserted, f"p({best}) while patches are shown", "part shown")),
        ],
        tables=[Table(headings=("map", "area, covered", "area, shown"), rows=rows)],
    )


def _curves(curves: Mapping[str, Curve], title: str, x_label: str) -> Markup:
    lines = [
        Series(name=name, xs=curve.shares.numpy().tolist(), ys=curve.probabilities.numpy().tolist())
        for name, curve in curves.items()
    ]
    return Markup(line_chart(lines, title=title, x_label=x_label, y_label="probability", zero=True))


def _layers(model: Vision, read: Grid, drawing: Canvas, told: Sequence[tuple[str, float, int]]) -> Section:
    """Grad-CAM of what every block reads, for the best classes."""
    rows: list[Picture] = []
    for name, p, number in told[:_CLASSES]:
        blocks = {
            f"block {block + 1}": grad_cam(model, read, number, block)
            for block in range(model.settings.depth)
        }
        rows.append(Picture(drawing=_shown(drawing, blocks, read.shape[1:], f"{name} ({p:.1%})")))
    return Section(
        title="Grad-CAM for each block and class",
        note="Patches whose features, as the block reads them, speak for the class.",
        pictures=rows,
    )


def _heads(model: Vision, read: Grid, drawing: Canvas) -> Section:
    rows: list[Picture] = []
    for number, block in enumerate(attention_maps(model, read), 1):
        heads = {f"head {head}": each for head, each in enumerate(block, 1)}
        rows.append(Picture(drawing=_shown(drawing, heads, read.shape[1:], f"block {number}")))
    pooled = model.settings.head.pooling
    seen = "the class token" if pooled == "class" else "the mean of all patches"
    return Section(
        title="Attention of every head",
        note=f"How much {seen} looked at each patch. What is looked at need not decide.",
        pictures=rows,
    )


def _shown(
    drawing: Canvas, maps: Mapping[str, Tensor], size: Sequence[int], title: str = "", wide: bool = False
) -> Markup:
    """The maps over the drawing, side by side, each with its name below; wide: over the whole page.  Long
    ones, over the frames of a clip, stand one below the other."""
    parts: list[str] = []
    for name, found in maps.items():
        flat = " (the same everywhere)" * bool(found.min() == found.max())
        told = f"<figcaption>{escape(name)}{flat}</figcaption>"
        parts.append(f"<figure>{inline(heated(drawing, found, size), name)}{told}</figure>")
    kind = "maps" + " all" * wide + " long" * (drawing.shape[1] > 4 * drawing.shape[0])
    head = f"<h3>{escape(title)}</h3>" if title else ""
    return Markup(f'{head}<div class="{kind}">{"".join(parts)}</div>')
