"""A page of where a classifier of pictures, signals or clips looked, and whether that is true."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
_WORK = 1e11  # products that the examples of a report may cost: seconds on one core
_STEPS = 16  # of a curve

Grid = Float[Tensor, "c *size"]


@dataclass(frozen=True, kw_only=True)
class View:
    """What a page is about."""

    chances: Chances = one_of
    """How the run makes probabilities of what its model tells."""

    chosen: int | None = None
    """The class that the maps are for; the most probable one if not given."""

    block: int | None = None
    """The block, from 1, of whose Grad-CAM is asked whether it is true; the last if not given."""


_USUAL = View()


def look_at(
    model: Vision,
    read: Grid,
    shares: Grid,
    told: Sequence[tuple[str, float, int]],
    title: str,
    note: str,
    run: str,
    view: View = _USUAL,
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
        view: which class and block; and how the run makes probabilities.

    Raises:
        ValueError: there is no such block.
    """
    depth = model.settings.depth
    if view.block is not None and not 1 <= view.block <= depth:
        raise ValueError(f"block {view.block}, but the model has {depth}: choose 1 to {depth}")
    drawing = canvas(shares)
    ranked = sorted(told, key=lambda each: each[2] != view.chosen)  # those not chosen stay in their order
    (best, _, chosen), chances = ranked[0], view.chances
    block, named = (depth, "last block") if view.block is None else (view.block, f"block {view.block}")
    maps = {
        "occlusion": occlusion(model, read, chosen, chances=chances),
        f"Grad-CAM, {named}": grad_cam(model, read, chosen, block - 1),
        "attention rollout": rollout(model, read),
        "attention, last block": attention_maps(model, read)[-1].mean(0),
    }
    sections = (
        _told(drawing, told, title),
        _maps(drawing, maps, best, read.shape[1:]),
        _truth(model, read, maps, best, chosen, chances),
        _layers(model, read, drawing, ranked),
        _heads(model, read, drawing),
    )
    return SectionsPage(run=run, title=title, note=note, sections=sections)


@dataclass(frozen=True, kw_only=True)
class Example:
    """One grid of those that a report shows."""

    title: str
    """What it is, what was told of it and what is known."""

    read: Grid
    """What the model reads."""

    shares: Grid
    """The same as parts of white, to be drawn."""

    told: tuple[str, int]
    """The class that was told: its name and its number."""

    known: tuple[str, int] | None = None
    """The right class, where it is another one."""


def where_it_looked(model: Vision, examples: Sequence[Example], chances: Chances = one_of) -> Section:
    """What decided for the class told of each example, in short.

    What a large model would take too long for is left out, and the section says so: at first occlusion, then
    the curves, too.
    """
    count = torch.Size(model.input.count(examples[0].read[None])).numel()
    row = sum(p.numel() for p in model.parameters()) * count  # every patch meets every weight once, about
    curves = (3 + 1) * 2 * (_STEPS + 1)
    measured = row * curves * len(examples) <= _WORK
    occluded = row * (curves + count + 1) * len(examples) <= _WORK
    note = (
        "Yellow is much, blue is little, each map on a scale of its own. Patches are then covered, or shown "
        "on an empty ground, in the order of each map for the class that was told: a true one makes the "
        "class fall early (small area, covered) and rise early (large area, shown), and beats a random order."
    )
    lacking = "" if occluded else "Occlusion is" if measured else "Occlusion and the areas are"
    if lacking:
        note += (
            f" {lacking} left out: they take this model too long at {count:,} patches. `qkvae look` measures "
            "them for one input."
        )
    pictures = [_example(model, each, chances, occluded, measured) for each in examples]
    return Section(title="Where it looked", note=note, pictures=pictures)


def _example(model: Vision, each: Example, chances: Chances, occluded: bool, measured: bool) -> Picture:
    """Its maps side by side, and the areas below their curves."""
    name, chosen = each.told
    maps = {f"Grad-CAM for “{name}”": grad_cam(model, each.read, chosen)}
    maps["attention rollout"] = rollout(model, each.read)
    if occluded:
        maps[f"occlusion, “{name}”"] = occlusion(model, each.read, chosen, chances=chances)
    table = _areas(*_measured(model, each.read, maps, chosen, chances)) if measured else None
    if each.known:
        right, number = each.known
        maps[f"Grad-CAM for “{right}”, which is right"] = grad_cam(model, each.read, number)
    drawing = canvas(each.shares)
    shown = _shown(drawing, maps, each.read.shape[1:], each.title, wide=True, plain="as it was read")
    return Picture(drawing=shown, table=table)


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
    """What happens to the class while patches are covered in the order of each map, and in a random one."""
    deleted, inserted = _measured(model, read, maps, chosen, chances)
    return Section(
        title="Do these maps tell the truth?",
        note="Patches are covered, or shown on an empty ground, those first to which a map gives most. A "
        "true map makes the class fall early (small area) and rise early (large area), and beats a random "
        "order.",
        pictures=[
            Picture(drawing=_curves(deleted, f"p({best}) while patches are covered", "part covered")),
            Picture(drawing=_curves(inserted, f"p({best}) while patches are shown", "part shown")),
        ],
        tables=[_areas(deleted, inserted)],
    )


def _measured(
    model: Vision, read: Grid, maps: Mapping[str, Tensor], chosen: int, chances: Chances
) -> tuple[dict[str, Curve], dict[str, Curve]]:
    """The curves of deletion and of insertion by each map, and by a random order."""
    order = torch.rand(next(iter(maps.values())).shape, generator=torch.Generator().manual_seed(0))
    ranked = {**maps, "random order": order}
    return (
        {name: deletion(model, read, chosen, each, 0.0, _STEPS, chances) for name, each in ranked.items()},
        {name: insertion(model, read, chosen, each, 0.0, _STEPS, chances) for name, each in ranked.items()},
    )


def _areas(deleted: Mapping[str, Curve], inserted: Mapping[str, Curve]) -> Table:
    rows = [(name, round(deleted[name].area, 3), round(inserted[name].area, 3)) for name in deleted]
    return Table(headings=("map", "area, covered", "area, shown"), rows=rows)


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
    drawing: Canvas,
    maps: Mapping[str, Tensor],
    size: Sequence[int],
    title: str = "",
    wide: bool = False,
    plain: str = "",
) -> Markup:
    """The maps over the drawing, side by side, each with its name below; wide: over the whole page; plain:
    the name of the drawing itself, which is then the first.  Long ones, over the frames of a clip, stand one
    below the other."""
    parts: list[str] = []
    if plain:
        parts.append(f"<figure>{inline(drawing, plain)}<figcaption>{escape(plain)}</figcaption></figure>")
    for name, found in maps.items():
        flat = " (the same everywhere)" * bool(found.min() == found.max())
        told = f"<figcaption>{escape(name)}{flat}</figcaption>"
        parts.append(f"<figure>{inline(heated(drawing, found, size), name)}{told}</figure>")
    kind = "maps" + " all" * wide + " long" * (drawing.shape[1] > 4 * drawing.shape[0])
    head = f"<h3>{escape(title)}</h3>" if title else ""
    return Markup(f'{head}<div class="{kind}">{"".join(parts)}</div>')
