"""What a reader is worth on questions whose answers are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qkvae import metrics
from qkvae.data.squad import Questions
from qkvae.tasks.question_answering.reader import Reader, answered

__all__ = ["answered", "compare", "evaluate", "figures"]


def figures(questions: Questions, answers: Sequence[str]) -> dict[str, float]:
    """``exact_match`` and ``f1`` as SQuAD defines them, from 0 to 1, means over all questions.

    Where some questions have no answer: both of those that have one (``answerable_f1`` …), and
    ``no_answer_accuracy``, the part of the others for which none was given.

    Raises:
        ValueError: there are no questions.
    """
    scores = _scores(questions, answers)
    found = {"exact_match": float(scores[:, 0].mean()), "f1": float(scores[:, 1].mean())}
    impossible = np.array([each.impossible for each in questions.questions])
    if impossible.any() and not impossible.all():
        exact, f1 = scores[~impossible].mean(0).tolist()
        none = float(scores[impossible, 0].mean())
        found |= {"answerable_exact_match": exact, "answerable_f1": f1, "no_answer_accuracy": none}
    return found


def _scores(questions: Questions, answers: Sequence[str]) -> Any:
    """Exact match and F₁ of each question, float64[questions, 2]."""
    if not len(questions):
        raise ValueError("there are no questions to evaluate on: give at least one")
    pairs = zip(questions.questions, answers, strict=True)
    return np.array(
        [[f(text, each.answers) for f in (metrics.exact_match, metrics.f1)] for each, text in pairs]
    )


def evaluate(reader: Reader, questions: Questions) -> dict[str, Any]:
    """`figures`, how many ``questions`` there are, and of how many the end was not read (``cut``).

    Raises:
        ValueError: there are no questions.
    """
    answers = reader.answer(questions)
    found = figures(questions, [answer.text for answer in answers])
    return {**found, "questions": len(questions), "cut": sum(answer.cut for answer in answers)}


def compare(first: Reader, second: Reader, questions: Questions, samples: int = 1000) -> dict[str, Any]:
    """Which of two readers is better on these questions, by F₁ under a paired bootstrap.

    Raises:
        ValueError: there are no questions.
    """
    one, other = (
        _scores(questions, [answer.text for answer in each.answer(questions)])[:, 1]
        for each in (first, second)
    )
    sums = [np.stack([f1, np.ones_like(f1)], 1) for f1 in (one, other)]
    return {**metrics.paired_bootstrap("f1", sums[0], sums[1], metrics.mean_of, samples)}
