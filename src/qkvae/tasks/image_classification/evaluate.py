"""What a classifier is worth on pictures whose labels are known."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from qkvae.data.pictures import Pictures
from qkvae.inspect.sections import Section
from qkvae.tasks.grids import kind_of
from qkvae.tasks.image_classification.classifier import GridClassifier
from qkvae.tasks.image_classification.shown import sampled
from qkvae.tasks.label_figures import better, by_class, figures, targets
from qkvae.tasks.label_sections import GIVEN, label_sections


def evaluate(classifier: GridClassifier, examples: Pictures) -> dict[str, Any]:
    """`figures`, of each class its F₁ and as what its examples were taken, and how many examples there are.

    Raises:
        ValueError: a label that the run does not know; a size or channels that it cannot read.
    """
    return _measured(classifier, examples, targets(classifier.labels, examples), classifier.read(examples))


def shown(classifier: GridClassifier, examples: Pictures) -> tuple[dict[str, Any], list[Section]]:
    """The same figures, and the sections of a page that shows confusions, mistakes and calibration.

    Raises:
        ValueError: what `evaluate` raises.
    """
    labels, noun = classifier.labels, kind_of(classifier.data).noun
    known, told = targets(labels, examples), classifier.read(examples)
    sections = label_sections(labels, known, told, noun, sampled(examples), GIVEN)
    return _measured(classifier, examples, known, told), sections


def _measured(classifier: GridClassifier, examples: Pictures, known: Tensor, told: Tensor) -> dict[str, Any]:
    labels, noun = classifier.labels, kind_of(classifier.data).noun
    found = {**figures(labels, known, told), f"{noun}s": len(examples)}
    return found | by_class(labels, known, told)


def compare(
    first: GridClassifier,
    second: GridClassifier,
    readings: tuple[Pictures, Pictures],
    samples: int = 1000,
) -> dict[str, Any]:
    """Which of two classifiers is better on the same examples, as each of them reads them.

    Raises:
        ValueError: what `better` and `evaluate` raise.
    """
    one, other = (
        (each.labels, targets(each.labels, examples), each.read(examples))
        for each, examples in zip((first, second), readings, strict=True)
    )
    return better(one, other, samples)
