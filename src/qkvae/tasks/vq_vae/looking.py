"""What goes on inside while a picture becomes codes and is told back."""

from __future__ import annotations

from typing import cast

import torch
from markupsafe import Markup
from torch import Tensor

from qkvae.inspect.charts import heat_map
from qkvae.inspect.mosaic import as_image, grid
from qkvae.inspect.sections import Picture, Section, Table
from qkvae.inspect.sections_page import SectionsPage
from qkvae.models import CodePrior
from qkvae.tasks.vq_vae.coder import CodeCoder


def look(coder: CodeCoder, path: str, name: str) -> SectionsPage:
    """Encode the first picture of this path, and show its codes, what they keep and how probable they are.

    Raises:
        ValueError: it is not such as the run was trained on.
    """
    part = coder.read([path]).select([0])
    x, labels = coder.numbers(part), coder.classes(part)
    told, ids = coder.told(x, labels), coder.encoded(x, labels)[0].view(coder.vq.grid)
    sections = [
        Section(
            title="What is kept",
            note="Left as the model read it, right what its codes keep.",
            pictures=[
                Picture(
                    drawing=as_image(grid(torch.cat([x, coder.reconstructed(x, labels)]), 2), "read and kept")
                )
            ],
        ),
        Section(
            title="Its codes",
            note="The number of the code at each place.",
            tables=[_table(ids)],
        ),
    ]
    if isinstance(coder.model, CodePrior):
        nats = -told.log_prior[0].view(coder.vq.grid)
        sections.append(_surprise(nats))
    return SectionsPage(
        run=name,
        title=path,
        note=f"−ln p ≤ {float(told.nll):.4f} nats: {-float(told.log_likelihood):.2f} to tell it by its "
        f"codes, {-float(told.log_prior.sum()):.2f} to tell the codes.",
        sections=sections,
    )


def _table(ids: Tensor) -> Table:
    codes = cast("list[list[int]]", ids.tolist())
    rows = [(f"row {place + 1}", *row) for place, row in enumerate(codes)]
    return Table(headings=("", *(str(place + 1) for place in range(ids.shape[1]))), rows=rows)


def _surprise(nats: Tensor) -> Section:
    """How much the code at each place tells that was not known from those before it."""
    rows, columns = ([str(place + 1) for place in range(size)] for size in nats.shape)
    drawing = heat_map(
        cast("list[list[float]]", nats.tolist()),
        rows=rows,
        columns=columns,
        title="Nats of each code",
        row_label="row",
        column_label="column",
    )
    return Section(
        title="What surprises",
        note="Nats that the code at each place tells, of those before it: rows from the top, each from the "
        "left.",
        pictures=[Picture(drawing=Markup(drawing))],
    )
