"""What vectors of texts are worth: do their cosines follow known grades, and is a partner the nearest?"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae import metrics
from qkvae.data.labelled import Labelled
from qkvae.data.vectors import Floats
from qkvae.metrics.labels import correlation_of, correlation_sums
from qkvae.metrics.retrieval import partner_ranks
from qkvae.tasks.embedder import Embedder
from qkvae.tasks.feature_extraction.corpus import TOGETHER, both_texts, grades, is_graded, text_numbers


def metric_of(known: NDArray[np.float32] | None) -> str:
    """The figure that decides which weights are best."""
    return "retrieval_accuracy" if known is None else "pearson"


def cosines(first: Floats, second: Floats) -> Floats:
    """The cosine of each pair of vectors; 0 where one is zero.

    >>> cosines(np.array([[3, 4]], np.float32), np.array([[4, 3]], np.float32))[0].round(2)
    np.float32(0.96)
    """
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return (first * second).sum(1) / np.where(lengths > 0, lengths, 1)


def figures(
    first: Floats, second: Floats, texts: Labelled, known: NDArray[np.float32] | None
) -> dict[str, float]:
    """Every figure of the vectors of some pairs.

    - graded pairs: ``pearson`` and ``spearman`` of cosines and grades
    - ``retrieval_accuracy``: for how many texts the nearest of all second texts is its partner; ``mrr``: the
      mean of 1/rank of the nearest partner.  Of graded pairs those above `TOGETHER` are partners, and the
      figures are missing if there are none.
    """
    found: dict[str, float] = {}
    if known is not None:
        told = cosines(first, second)
        found = {"pearson": metrics.pearson(known, told), "spearman": metrics.spearman(known, told)}
    ranks = _ranks(first, second, texts, known)
    if len(ranks):
        found |= {"retrieval_accuracy": float((ranks == 1).mean()), "mrr": float((1 / ranks).mean())}
    return found


def _ranks(
    first: Floats, second: Floats, texts: Labelled, known: NDArray[np.float32] | None
) -> NDArray[np.int64]:
    """The rank of each first text's nearest partner among all second texts; every text counts once."""
    numbers = text_numbers(both_texts(texts)).reshape(-1, 2)
    partners = numbers if known is None else numbers[known >= TOGETHER]
    candidates, at = np.unique(numbers[:, 1], return_index=True)
    queries, rows = np.unique(numbers[:, 0], return_index=True)
    asked = np.isin(queries, partners[:, 0])
    queries, rows = queries[asked], rows[asked]
    pairs = np.stack(
        [np.searchsorted(queries, partners[:, 0]), np.searchsorted(candidates, partners[:, 1])], 1
    )
    same = np.intersect1d(queries, candidates)
    itself = np.stack([np.searchsorted(queries, same), np.searchsorted(candidates, same)], 1)
    return partner_ranks(first[rows], second[at], pairs, itself)


def evaluate(embedder: Embedder, texts: Labelled, scale: tuple[float, float] | None) -> dict[str, Any]:
    """`figures`; ``pairs`` says how many there are, ``cut`` how many of the texts were not read to the end.

    Raises:
        ValueError: there is a grade that is no number.
    """
    first, second, cut = _vectors(embedder, texts)
    return {**figures(first, second, texts, _known(texts, scale)), "pairs": len(texts), "cut": cut}


def compare(
    one: Embedder, other: Embedder, texts: Labelled, scale: tuple[float, float] | None, samples: int = 1000
) -> dict[str, Any]:
    """Which of two makes the better vectors of these pairs, by a paired bootstrap.

    Of graded pairs it compares the Pearson correlation, of others how often the partner is nearest.
    """
    known, sums = _known(texts, scale), list[NDArray[Any]]()
    for each in (one, other):
        first, second, _ = _vectors(each, texts)
        if known is not None:
            sums.append(correlation_sums(known, cosines(first, second)))
        else:
            right = (_ranks(first, second, texts, None) == 1).astype(np.int64)
            sums.append(np.stack([right, np.ones_like(right)], 1))
    score = metrics.mean_of if known is None else correlation_of
    return {**metrics.paired_bootstrap(metric_of(known), sums[0], sums[1], score, samples)}


def _vectors(embedder: Embedder, texts: Labelled) -> tuple[Floats, Floats, int]:
    vectors, cut = embedder.texts(both_texts(texts))
    return vectors[0::2], vectors[1::2], int(cut.sum())


def _known(texts: Labelled, scale: tuple[float, float] | None) -> NDArray[np.float32] | None:
    """The grades of these pairs on the scale of the training, or on their own if it knew none."""
    if not is_graded(texts):
        return None
    if scale is None:
        own = grades(texts, (0.0, 1.0))
        scale = float(own.min()), float(own.max())
    return grades(texts, scale)
