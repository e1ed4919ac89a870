"""The best span of a context: first and last token together, over all its windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from qkvae.data.packed import PackedSentences
from qkvae.data.windows import Windows
from qkvae.models import Encoder
from qkvae.tasks.reading import read_packed

_TOKENS = 8192  # of a batch: bounds the memory, decides nothing else

Scores = NDArray[np.float32]
"""Of one row: each token's logits as the first and as the last of an answer, float32[tokens, 2]."""


@dataclass(frozen=True)
class Span:
    """Characters [start, end) of a context as an answer."""

    start: int
    end: int
    text: str
    """Exactly these characters."""

    score: float
    """ln of how many times as probable it is as that its window holds no answer."""

    def record(self) -> dict[str, Any]:
        """What is printed as JSON."""
        return {"text": self.text, "start": self.start, "end": self.end, "score": self.score}


def read_windows(model: Encoder, windows: Windows) -> list[Scores]:
    """The scores of every row's tokens."""
    lengths = windows.sentences.ids.lengths
    longest = int(lengths.max(initial=1))
    device, was_training = next(model.parameters()).device, model.training
    found: list[Scores] = [np.empty((0, 2), np.float32)] * len(windows)
    model.eval()
    try:
        with torch.no_grad():
            for batch in PackedSentences(windows.sentences, longest, _TOKENS, seed=0).once():
                scores = read_packed(model, batch.to(device)).float().cpu().flatten(0, 1).numpy()
                rows, places = batch.sentences.numpy().tolist(), batch.places.numpy().tolist()
                for row, place in zip(rows, places, strict=True):
                    found[row] = scores[place : place + int(lengths[row])]
    finally:
        model.train(was_training)
    return found


def joint(first: NDArray[Any], last: NDArray[Any], longest: int, count: int) -> list[tuple[int, int, float]]:
    """The best ``count`` of all (i, j, first[i] + last[j]) with i ≤ j < i + longest, best first.

    Chosen apart, the best first and the best last token may not make a span at all.

    >>> joint(np.array([0.0, 3.0, 0.0]), np.array([4.0, 0.0, 2.0]), longest=2, count=2)
    [(1, 2, 5.0), (0, 0, 4.0)]
    """
    size, width = len(first), min(longest, len(first))
    table = np.full((size, width), -np.inf, np.float64)
    for length in range(width):
        table[: size - length, length] = first[: size - length] + last[length:]
    flat = table.ravel()
    order = np.argsort(-flat, kind="stable")[:count]
    return [
        (place // width, place // width + place % width, float(flat[place]))
        for place in order.tolist()
        if flat[place] > -np.inf
    ]


def best_spans(
    windows: Windows, scores: list[Scores], question: int, longest: int, count: int = 1
) -> list[Span]:
    """The best answers to a question over all windows of its context, best first; each place once.

    A span's score is first + last − (first and last of place 0), which stands for "no answer in this window":
    the ln of its odds against that, so that windows can be compared.
    """
    found: dict[tuple[int, int], Span] = {}
    for row in windows.rows_of(question):
        begin, held = int(windows.sentences.second[row]), windows.held(row)
        inside, none = scores[row][begin : begin + held], float(scores[row][0].sum())
        for i, j, score in joint(inside[:, 0], inside[:, 1], longest, count):
            place = windows.characters(row, begin + i, begin + j)
            assert place is not None
            text = windows.contexts[int(windows.context[row])][slice(*place)]
            if place not in found or found[place].score < score - none:
                found[place] = Span(*place, text, score - none)
    return sorted(found.values(), key=lambda span: -span.score)[:count]
