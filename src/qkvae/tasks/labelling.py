"""From what a model tells of an input to its labels: of texts, pictures, signals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float
from torch import Tensor

from qkvae.config import Choosing
from qkvae.data.labels import Labels
from qkvae.data.pairs import Note


@dataclass(frozen=True)
class Answer:
    """What was told of one input."""

    source: str
    """The input."""

    labels: tuple[str, ...]
    """The labels told, most probable first; none for an empty input, or where none is probable enough."""

    probabilities: Mapping[str, float]
    """Of every label, most probable first; none of a number."""

    number: float | None = None
    """The number told, where labels are numbers."""

    cut: bool = False
    """Whether something of the input was not read, or not as it is: of a text the end, because it has more
    tokens than the run reads."""

    notes: tuple[Note, ...] = ()
    """What was handled while its file was read, told with the first answer to it."""

    @property
    def text(self) -> str:
        """The best label, the labels by commas, or the number."""
        return ", ".join(self.labels) if self.number is None else f"{self.number:.4g}"

    def record(self) -> dict[str, Any]:
        """Source and labels with the probabilities of all, or the number."""
        if self.number is not None:
            return {"source": self.source, "number": self.number}
        return {"source": self.source, "labels": self.labels, "probabilities": self.probabilities}


def refuse(labels: Labels, settings: Choosing) -> None:
    """Refuse settings that have no effect on labels of this kind.

    Raises:
        ValueError: there is one.
    """
    if settings.threshold is not None and labels.kind != "several":
        raise ValueError(
            f"threshold {settings.threshold} has no effect on a run that gives every input one label: "
            "leave it out"
        )
    if settings.top is not None and labels.kind == "number":
        raise ValueError(f"top {settings.top} has no effect on a run that tells numbers: leave it out")


def chances(labels: Labels, told: Float[Tensor, "*rows classes"]) -> Float[Tensor, "*rows classes"]:
    """The probability of each class: by itself where an input may have several, otherwise as one of all.

    >>> import torch
    >>> chances(Labels("several", ("cat", "dog")), torch.zeros(2))
    tensor([0.5000, 0.5000])
    """
    return told.sigmoid() if labels.kind == "several" else told.softmax(-1)


def told_of(labels: Labels, source: str, row: Tensor, settings: Choosing, cut: bool = False) -> Answer:
    """The answer to an input of which the model's head tells this row of numbers.

    >>> import torch
    >>> told_of(Labels("one", ("cat", "dog")), "a.jpg", torch.tensor([0.0, 2.0]), Choosing()).text
    'dog'
    """
    if labels.kind == "number":
        return Answer(source, (), {}, float(row[0]) * labels.scale + labels.mean, cut)
    several = labels.kind == "several"
    p = chances(labels, row)
    order: list[int] = p.argsort(descending=True, stable=True).numpy().tolist()
    all_of_them = {labels.names[place]: float(p[place]) for place in order}
    names = list(all_of_them)
    if several and settings.top is None:
        least = 0.5 if settings.threshold is None else settings.threshold
        names = [name for name in names if all_of_them[name] >= least]
    else:
        names = names[: settings.top or 1]
    return Answer(source, tuple(names), all_of_them, cut=cut)


def line_of(answer: Answer) -> str:
    """Each label told and its probability, or the number, all separated by tabs."""
    if answer.number is not None:
        return answer.text
    return "\t".join(f"{label}\t{answer.probabilities[label]:.4f}" for label in answer.labels)
