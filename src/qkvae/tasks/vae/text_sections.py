"""What a report shows of a text VAE: texts drawn anew, kept, changed, and on the way between two."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from qkvae.inspect.sections import Section, Table
from qkvae.tasks.vae.coder import Coder
from qkvae.tasks.vae.drawing import REACH, interpolated, telling, traversed
from qkvae.tasks.vae.text_form import TextForm

_DRAWN = 12
_KEPT = 12
_PAIRS = 3
_STEPS = 6
_LATENTS = 6


def text_sections(coder: Coder, form: TextForm, x: Int[Tensor, "count n"]) -> list[Section]:
    """The sections, with validation texts where texts are needed."""
    drawn = form.texts(coder.drawn(_DRAWN, None, exactly=False, seed=coder.seed))
    read, kept = form.texts(x[:_KEPT]), form.texts(coder.reconstructed(x[:_KEPT], None))
    return [
        Section(
            title="Drawn anew",
            note="The most probable text for latents drawn from the prior.",
            tables=[Table(headings=("text",), rows=[(text,) for text in drawn])],
        ),
        Section(
            title="Reconstructions",
            note="Texts of the validation part, and what their latents keep of them.",
            tables=[Table(headings=("read", "kept"), rows=list(zip(read, kept, strict=True)))],
        ),
        Section(
            title="From one to another",
            note="The straight way between the latents of texts of the validation part.",
            tables=[_way(coder, form, x[place : place + 2]) for place in range(min(_PAIRS, len(x) - 1))],
        ),
        changed_section(coder, form, x[:1], telling(coder.model, x, None, _LATENTS)),
    ]


def changed_section(coder: Coder, form: TextForm, x: Int[Tensor, "1 n"], which: list[int]) -> Section:
    """What each of these latents changes in one text."""
    (read,), moved = form.texts(x), traversed(coder.model, x, None, which, 3)
    rows = [(latent, *form.texts(texts)) for latent, texts in zip(which, moved, strict=True)]
    return Section(
        title="What single latents mean",
        note=f"{read}: each row is one of the latents that tell most, moved from {-REACH:g} to {REACH:g}.",
        tables=[Table(headings=("latent", f"{-REACH:g}", "0", f"{REACH:g}"), rows=rows)],
    )


def _way(coder: Coder, form: TextForm, x: Int[Tensor, "2 n"]) -> Table:
    (texts,) = interpolated(coder.model, x, None, _STEPS)
    rows = [(f"{place / (_STEPS - 1):.1f}", text) for place, text in enumerate(form.texts(texts))]
    return Table(headings=("share of the second", "text"), rows=rows)
