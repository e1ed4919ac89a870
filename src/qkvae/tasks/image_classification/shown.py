"""How examples with known labels are shown: as samples, and by where the model looked."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from markupsafe import Markup
from torch import Tensor

from qkvae.data.labels import Labels
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures
from qkvae.inspect.picture_look import Example, where_it_looked
from qkvae.inspect.sections import Sample, Section
from qkvae.inspect.thumbnails import canvas, inline
from qkvae.models import Vision
from qkvae.tasks.label_figures import decisions
from qkvae.tasks.labelling import chances

_EXAMPLES = 4  # by which is shown where the model looked
_MISTAKES = 3  # of them at most, where others are right


def sampled(examples: Pictures) -> Callable[[int, str], Sample]:
    """From the place of an example and what was told of it: how it is shown."""

    def sample(row: int, answer: str) -> Sample:
        parts = (("is", examples.where(row)), ("known", label_of(examples, row)), ("told", answer))
        return Sample(parts=parts, drawing=drawn(examples, row))

    return sample


def drawn(examples: Pictures, row: int) -> Markup:
    """One example as a small image."""
    shares = torch.from_numpy(examples.values[row].astype("float32")) / examples.white
    return inline(canvas(shares), examples.where(row))


def label_of(examples: Pictures, row: int) -> str:
    """What is known of an example."""
    label = (examples.labels or [""])[row]
    return label if isinstance(label, str) else ", ".join(label) or "none"


def looked(
    model: Vision, form: PictureFormat, labels: Labels, examples: Pictures, known: Tensor, told: Tensor
) -> Section:
    """Where the model looked at some of the examples, mistakes first."""
    shown: list[Example] = []
    for row in few(labels, known, told):
        shares = form.shares(torch.from_numpy(examples.values[row : row + 1].copy()))
        best = int(told[row].argmax())
        right = _missed(labels, known[row], told[row])
        p = float(chances(labels, told[row])[best])
        none = "none, but soonest " * (labels.kind == "several" and p < 0.5)
        answer = f"{none}{labels.names[best]} ({p:.1%})"
        shown.append(
            Example(
                title=f"{examples.where(row)}: {answer}, known {label_of(examples, row)}",
                read=form.normalised(shares)[0],
                shares=shares[0],
                told=(labels.names[best], best),
                known=None if right is None else (labels.names[right], right),
            )
        )
    return where_it_looked(model, shown, partial(chances, labels))


def few(labels: Labels, known: Tensor, told: Tensor) -> list[int]:
    """The mistakes that the model was surest of, then right answers, evenly spread.

    >>> labels = Labels("one", ("cat", "dog"), (2, 1), 3)
    >>> told = torch.tensor([[2.0, 0.0], [0.0, 3.0], [0.0, 1.0]])
    >>> few(labels, torch.tensor([0, 0, 1]), told)
    [1, 0, 2]
    """
    confidence, right = (each.reshape(len(told), -1) for each in decisions(labels, known, told))
    whole, sure = right.all(1), np.where(right, -1.0, confidence).max(1)
    correct = np.flatnonzero(whole)
    wrong = np.argsort(-sure, kind="stable")[: int((~whole).sum())]
    wrong = wrong[: _MISTAKES if len(correct) else _EXAMPLES]
    places = np.linspace(0, len(correct) - 1, min(_EXAMPLES - len(wrong), len(correct))).round().astype(int)
    return [*wrong.tolist(), *correct[places].tolist()]


def _missed(labels: Labels, known: Tensor, told: Tensor) -> int | None:
    """The right class that was not told, of several the least probable; None where there is none."""
    if labels.kind == "one":
        return None if int(known) == int(told.argmax()) else int(known)
    missed = (known > 0.5) & (told <= 0)
    return int(torch.where(missed, told, torch.inf).argmin()) if bool(missed.any()) else None
