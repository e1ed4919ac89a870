"""What a classifier is worth on texts whose labels are known."""

from __future__ import annotations

from typing import Any

from qkvae.data.labelled import Labelled
from qkvae.tasks.label_figures import better, by_class, figures, targets
from qkvae.tasks.text_classification.classifier import Classifier


def evaluate(classifier: Classifier, texts: Labelled) -> dict[str, Any]:
    """`figures`, and of each class its F₁ and as what its texts were taken.

    ``texts`` says how many there are, ``cut`` how many of them were not read to the end.

    Raises:
        ValueError: a label that the run does not know; pairs where it reads single texts, or the other way
            round.
    """
    labels = classifier.labels
    known = targets(labels, texts)
    told, cut = classifier.read(texts.texts, texts.pairs)
    found: dict[str, Any] = {**figures(labels, known, told), "texts": len(texts), "cut": int(cut.sum())}
    return found | by_class(labels, known, told)


def compare(first: Classifier, second: Classifier, texts: Labelled, samples: int = 1000) -> dict[str, Any]:
    """Which of two classifiers is better on these texts.

    Raises:
        ValueError: what `better` and `evaluate` raise.
    """
    one, other = (
        (each.labels, targets(each.labels, texts), each.read(texts.texts, texts.pairs)[0])
        for each in (first, second)
    )
    return better(one, other, samples)
