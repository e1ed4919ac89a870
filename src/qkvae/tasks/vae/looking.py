"""What goes on inside while a datum is encoded and told back."""

from __future__ import annotations

from typing import cast

import torch
from markupsafe import Markup
from torch import Tensor

from qkvae.inspect.charts import bar_chart
from qkvae.inspect.mosaic import as_image, grid
from qkvae.inspect.sections import Picture, Section, Table
from qkvae.inspect.sections_page import SectionsPage
from qkvae.losses.bounds import terms
from qkvae.tasks.vae.coder import Coder
from qkvae.tasks.vae.drawing import reconstructed, traversed
from qkvae.tasks.vae.forms import TableForm
from qkvae.tasks.vae.text_form import TextForm
from qkvae.tasks.vae.text_sections import changed_section

_LATENTS = 12
_STEPS = 11


@torch.no_grad()
def look(coder: Coder, path: str, name: str) -> SectionsPage:
    """Encode the first datum of this path, and show its latents, what they keep and what each changes.

    Raises:
        ValueError: it is not such as the run was trained on.
    """
    part = coder.read([path]).select([0])
    x, labels = coder.numbers(part), coder.classes(part)
    model = coder.model
    eps = torch.zeros(1, 1, model.settings.latent)
    found = terms(model, x, eps, labels)
    _, q = model.posterior.draw(model.features(x, labels), eps)
    score = float(coder.scores(part))
    mu, sigma = (each.reshape(-1, model.settings.latent)[0] for each in (q.mu, (q.logvar / 2).exp()))
    kl = found.kl[0]
    telling = kl if len(kl) == len(mu) else mu.abs()
    order = cast("list[int]", telling.argsort(descending=True)[:_LATENTS].tolist())
    rows = [(place, _short(mu[place]), _short(sigma[place])) for place in order]
    bars = [(f"latent {place}", max(0.0, float(kl[place]))) for place in order if len(kl) == len(mu)]
    chart = Picture(drawing=Markup(bar_chart(bars, title="KL of each latent", unit="nats")))
    changed = [changed_section(coder, coder.form, x, order)] if isinstance(coder.form, TextForm) else []
    return SectionsPage(
        run=name,
        title=path,
        note=f"Score {score:.4f} nats. At the mean of its latents it is told with "
        f"{-float(found.log_likelihood):.2f} nats, and the latents tell {float(found.kl.sum()):.2f}.",
        sections=[
            _kept(coder, x, labels, order),
            *changed,
            Section(
                title="Its latents",
                note="The posterior N(μ, σ²) of those that tell most of it; μ near 0 and σ near 1 is asleep.",
                tables=[Table(headings=("latent", "μ", "σ"), rows=rows)],
                pictures=[chart] if bars else [],
            ),
        ],
    )


def _kept(coder: Coder, x: Tensor, labels: Tensor | None, order: list[int]) -> Section:
    """The datum, what the latents keep of it, and what each of them changes."""
    kept = reconstructed(coder.model, x, labels)
    if isinstance(coder.form, TableForm):
        names = [column.name for column in coder.form.scaling.columns]
        (read,), (told,) = coder.form.cells(x), coder.form.cells(kept)
        rows = list(zip(names, read, told, strict=True))
        return Section(title="What is kept", tables=[Table(headings=("column", "read", "kept"), rows=rows)])
    if isinstance(coder.form, TextForm):
        (read,), (told,) = coder.form.texts(x), coder.form.texts(kept)
        return Section(title="What is kept", tables=[Table(headings=("read", "kept"), rows=[(read, told)])])
    moved = traversed(coder.model, x, labels, order, _STEPS).flatten(0, 1)
    return Section(
        title="What is kept, and what each latent changes",
        note="Left as the model read it, right what its latents keep; then each row moves one latent from -3 "
        "to 3.",
        pictures=[
            Picture(drawing=as_image(grid(torch.cat([x, kept]), 2), "read and kept")),
            Picture(drawing=as_image(grid(moved, _STEPS), f"latents {', '.join(map(str, order))}")),
        ],
    )


def _short(number: Tensor) -> float:
    return round(float(number), 4)
