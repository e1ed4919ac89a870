"""What a classifier is worth on texts whose labels are known."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from qkvae import metrics
from qkvae.data.labelled import Labelled
from qkvae.data.labels import LabelKind, Labels
from qkvae.metrics.labels import correlation_of, correlation_sums
from qkvae.tasks.text_classification.classifier import Classifier
from qkvae.tasks.text_classification.corpus import targets

METRICS: dict[LabelKind, str] = {"one": "accuracy", "several": "macro_f1", "number": "pearson"}
"""The figure that decides which weights are best, by what labels are."""


def figures(labels: Labels, known: Tensor, told: Tensor) -> dict[str, float]:
    """Every figure of what was told, against what is known.

    - one class each: ``accuracy``, ``macro_f1``, ``mcc`` (Matthews), ``nll`` (−ln p of the known class), and
      ``ece``, the expected calibration error over 15 bins
    - several: ``accuracy`` (texts with all decisions right), ``macro_f1``, ``nll`` (summed over the classes
      of a text), ``ece`` (of single decisions)
    - numbers: ``pearson``, ``spearman``, ``mse`` and ``mae`` in the numbers' own unit

    Args:
        known: as `corpus.targets` makes it.
        told: what the model's head tells, [texts, classes].
    """
    if labels.kind == "number":
        x, y = (side.double().numpy() * labels.scale for side in (known, told[:, 0]))
        return {
            "pearson": metrics.pearson(x, y),
            "spearman": metrics.spearman(x, y),
            "mse": float(np.square(x - y).mean()),
            "mae": float(np.abs(x - y).mean()),
        }
    confidence, right = decisions(labels, known, told)
    ece = metrics.expected_calibration_error(confidence.ravel(), right.ravel())
    if labels.kind == "several":
        nll = F.binary_cross_entropy_with_logits(told, known, reduction="sum")
        chosen = (told > 0).long().numpy()
        tables = [
            metrics.confusion(known[:, c].long().numpy(), chosen[:, c], 2) for c in range(told.shape[1])
        ]
        macro = float(np.mean([metrics.class_f1(table)[1] for table in tables]))
        found = {"accuracy": float(right.all(1).mean()), "macro_f1": macro}
    else:
        nll = F.cross_entropy(told, known, reduction="sum")
        table = metrics.confusion(known.numpy(), told.argmax(1).numpy(), told.shape[1])
        found = {
            "accuracy": metrics.accuracy(table),
            "macro_f1": float(metrics.class_f1(table).mean()),
            "mcc": metrics.matthews(table),
        }
    return {**found, "nll": float(nll) / len(known), "ece": ece}


def decisions(labels: Labels, known: Tensor, told: Tensor) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """How sure each decision is, and whether it is right: [texts], or [texts, classes] of several labels."""
    if labels.kind == "several":
        p = told.sigmoid()
        return torch.maximum(p, 1 - p).numpy(), ((told > 0) == (known > 0.5)).numpy()
    best = told.softmax(1).max(1)
    return best.values.numpy(), (best.indices == known).numpy()


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
    if labels.kind == "one":
        table = metrics.confusion(known.numpy(), told.argmax(1).numpy(), len(labels.names))
        found["f1"] = dict(zip(labels.names, metrics.class_f1(table).tolist(), strict=True))
        found["taken_as"] = {
            name: {labels.names[c]: int(row[c]) for c in np.flatnonzero(row).tolist()}
            for name, row in zip(labels.names, table, strict=True)
        }
    return found


def compare(first: Classifier, second: Classifier, texts: Labelled, samples: int = 1000) -> dict[str, Any]:
    """Which of two classifiers is better on these texts, by a paired bootstrap.

    Of classes it compares the accuracy, of numbers the Pearson correlation; the verdict may be "cannot tell".

    Raises:
        ValueError: the labels of the two are of different kinds; and what `evaluate` raises.
    """
    if first.labels.kind != second.labels.kind:
        raise ValueError(
            f"one run tells labels of kind {first.labels.kind} and the other of kind {second.labels.kind}: "
            "give two runs of one kind"
        )
    one, other = (_sums(each, texts) for each in (first, second))
    if first.labels.kind == "number":
        return {**metrics.paired_bootstrap("pearson", one, other, correlation_of, samples)}
    return {**metrics.paired_bootstrap("accuracy", one, other, metrics.mean_of, samples)}


def _sums(classifier: Classifier, texts: Labelled) -> NDArray[Any]:
    """What each text adds to the sums that the score is computed from."""
    known = targets(classifier.labels, texts)
    told, _ = classifier.read(texts.texts, texts.pairs)
    if classifier.labels.kind == "number":
        return correlation_sums(known.double().numpy(), told[:, 0].double().numpy())
    _, right = decisions(classifier.labels, known, told)
    whole = right.reshape(len(right), -1).all(1).astype(np.int64)
    return np.stack([whole, np.ones_like(whole)], 1)
