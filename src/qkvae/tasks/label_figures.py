"""What told labels are worth where the labels are known: of texts, pictures, signals."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from qkvae import metrics
from qkvae.data.labels import Examples, LabelKind, Labels
from qkvae.metrics.labels import correlation_of, correlation_sums
from qkvae.tasks.labelling import chances

METRICS: dict[LabelKind, str] = {"one": "accuracy", "several": "macro_f1", "number": "pearson"}
"""The figure that decides which weights are best, by what labels are."""


def targets(labels: Labels, part: Examples) -> Tensor:
    """What a model should answer: classes, a row of 0 and 1 each, or numbers as (y − mean) / σ."""
    encoded = torch.from_numpy(labels.encode(part))
    return (encoded - labels.mean) / labels.scale if labels.kind == "number" else encoded


def figures(labels: Labels, known: Tensor, told: Tensor) -> dict[str, float]:
    """Every figure of what was told, against what is known.

    - one class each: ``accuracy``, ``macro_f1``, ``mcc`` (Matthews), ``nll`` (−ln p of the known class), and
      ``ece``, the expected calibration error over 15 bins; ``macro_f1`` is of the classes known or told
    - several: ``accuracy`` (texts with all decisions right), ``macro_f1`` (of all classes, 0 for one that is
      never known or told), ``nll`` (summed over the classes of a text), ``ece`` (of single decisions)
    - numbers: ``pearson``, ``spearman``, ``mse`` and ``mae`` in the numbers' own unit

    Args:
        known: as `targets` makes it.
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
        macro = float(np.mean([metrics.class_f1(table)[1] for table in yes_or_no(known, told)]))
        found = {"accuracy": float(right.all(1).mean()), "macro_f1": macro}
    else:
        nll = F.cross_entropy(told, known, reduction="sum")
        table = metrics.confusion(known.numpy(), told.argmax(1).numpy(), told.shape[1])
        found = {
            "accuracy": metrics.accuracy(table),
            "macro_f1": metrics.macro_f1(table),
            "mcc": metrics.matthews(table),
        }
    return {**found, "nll": float(nll) / len(known), "ece": ece}


def decisions(labels: Labels, known: Tensor, told: Tensor) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """How sure each decision is, and whether it is right: [texts], or [texts, classes] of several labels."""
    if labels.kind == "several":
        p = chances(labels, told)
        return torch.maximum(p, 1 - p).numpy(), ((told > 0) == (known > 0.5)).numpy()
    best = chances(labels, told).max(1)
    return best.values.numpy(), (best.indices == known).numpy()


def yes_or_no(known: Tensor, told: Tensor) -> list[NDArray[Any]]:
    """Of several labels the confusion table of each class: no and yes, known by told."""
    yes, answered = (known > 0.5).long().numpy(), (told > 0).long().numpy()
    return [metrics.confusion(yes[:, place], answered[:, place], 2) for place in range(told.shape[1])]


def by_class(labels: Labels, known: Tensor, told: Tensor) -> dict[str, Any]:
    """Of one class each: the F₁ of every class (``f1``), and as what its examples were taken (``taken_as``).
    Of several the F₁ alone; of numbers nothing."""
    if labels.kind == "number":
        return {}
    if labels.kind == "several":
        tables = zip(labels.names, yes_or_no(known, told), strict=True)
        return {"f1": {name: float(metrics.class_f1(table)[1]) for name, table in tables}}
    table = metrics.confusion(known.numpy(), told.argmax(1).numpy(), len(labels.names))
    taken_as = {
        name: {labels.names[c]: int(row[c]) for c in np.flatnonzero(row).tolist()}
        for name, row in zip(labels.names, table, strict=True)
    }
    return {
        "f1": dict(zip(labels.names, metrics.class_f1(table).tolist(), strict=True)),
        "taken_as": taken_as,
    }


def better(
    first: tuple[Labels, Tensor, Tensor], second: tuple[Labels, Tensor, Tensor], samples: int = 1000
) -> dict[str, Any]:
    """Which of two runs is better on the same examples, by a paired bootstrap.

    Of classes it compares the accuracy, of numbers the Pearson correlation; the verdict may be "cannot tell".

    Args:
        first, second: the labels of a run, what it should tell and what it tells.

    Raises:
        ValueError: the labels of the two are of different kinds.
    """
    kinds = first[0].kind, second[0].kind
    if kinds[0] != kinds[1]:
        raise ValueError(
            f"one run tells labels of kind {kinds[0]} and the other of kind {kinds[1]}: give two runs of one "
            "kind"
        )
    one, other = _sums(*first), _sums(*second)
    if kinds[0] == "number":
        return {**metrics.paired_bootstrap("pearson", one, other, correlation_of, samples)}
    return {**metrics.paired_bootstrap("accuracy", one, other, metrics.mean_of, samples)}


def _sums(labels: Labels, known: Tensor, told: Tensor) -> NDArray[Any]:
    """What each example adds to the sums that the score is computed from."""
    if labels.kind == "number":
        return correlation_sums(known.double().numpy(), told[:, 0].double().numpy())
    _, right = decisions(labels, known, told)
    whole = right.reshape(len(right), -1).all(1).astype(np.int64)
    return np.stack([whole, np.ones_like(whole)], 1)
