"""How near what belongs together is, among everything that could be found."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.integer[Any]]
Floats = NDArray[np.floating[Any]]

_CHUNK = 256  # queries compared with all candidates at a time


def partner_ranks(
    queries: Floats, candidates: Floats, pairs: Ints, same: Ints | None = None
) -> NDArray[np.int64]:
    """The rank, from 1, of each query's nearest partner among the candidates by cosine, int64[queries].

    Its other partners do not count against it; a candidate that is as near does, so that vectors which are
    all the same find nothing.

    Args:
        queries: vectors, [queries, dim].
        candidates: vectors, [candidates, dim].
        pairs: which query and which candidate belong together, int[pairs, 2]; every query has a partner.
        same: which query and which candidate are the same text, int[count, 2]: it is not looked for.

    >>> texts = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.2]])
    >>> partner_ranks(texts[:2], texts, np.array([[0, 2], [1, 0]]), np.array([[0, 0], [1, 1]])).tolist()
    [1, 2]
    """
    known, wanted = _unit(candidates), _unit(queries)
    ranks = np.zeros(len(queries), np.int64)
    for begin in range(0, len(queries), _CHUNK):
        cosines = wanted[begin : begin + _CHUNK] @ known.T
        rows, columns = _inside(pairs, begin, len(cosines))
        best = np.full(len(cosines), -np.inf)
        np.maximum.at(best, rows, cosines[rows, columns])
        cosines[rows, columns] = -np.inf
        if same is not None:
            cosines[_inside(same, begin, len(cosines))] = -np.inf
        ranks[begin : begin + _CHUNK] = 1 + (cosines >= best[:, None]).sum(1)
    return ranks


def _inside(places: Ints, begin: int, count: int) -> tuple[Ints, Ints]:
    """Rows and columns of the places in ``count`` rows from ``begin`` on."""
    rows = places[:, 0] - begin
    there = (rows >= 0) & (rows < count)
    return rows[there], places[there, 1]


def _unit(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
