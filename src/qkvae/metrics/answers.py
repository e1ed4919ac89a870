"""Exact match and F₁ of answers to questions, as SQuAD defines them, from 0 to 1.

Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1; with questions that have no answer, Rajpurkar et al.
2018, arXiv:1806.03822: "no answer" is the empty text, and right only if it is what is known.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)


def normalised_answer(text: str) -> str:
    """What two answers must share to count as the same: no case, no ASCII punctuation, no articles.

    >>> normalised_answer("The  Sky-blue, colour!")
    'skyblue colour'
    """
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(answer: str, accepted: Sequence[str]) -> float:
    """1 if the answer is one of the accepted ones, else 0; none accepted means that there is no answer.

    >>> exact_match("the sky", ["Sky", "heaven"]), exact_match("sky", []), exact_match("", [])
    (1.0, 0.0, 1.0)
    """
    mine = normalised_answer(answer)
    return float(any(mine == normalised_answer(each) for each in accepted or ("",)))


def f1(answer: str, accepted: Sequence[str]) -> float:
    """The best F₁ with an accepted answer: 2 p r / (p + r) of the words that both have.

    >>> round(f1("the blue sky", ["a sky", "heaven"]), 4)
    0.6667
    """
    return max(_overlap(normalised_answer(answer), normalised_answer(each)) for each in accepted or ("",))


def _overlap(answer: str, known: str) -> float:
    mine, theirs = answer.split(), known.split()
    if not mine or not theirs:
        return float(mine == theirs)
    shared = sum((Counter(mine) & Counter(theirs)).values())
    return 2 * shared / (len(mine) + len(theirs))
