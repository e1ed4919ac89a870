"""Words and punctuation marks: how a text is cut into them, and joined so that people can read it."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WORD = r"[\p{L}\p{M}\p{N}_]+"

WORD = "|".join(
    (
        r"\p{N}+(?:[.,:/]\p{N}+)+",  # 3.14, 1,000 and 12:30 are one word each
        r"\p{L}+['’](?:s|t|d|m|re|ve|ll)(?![\p{L}\p{M}\p{N}])",  # don't and we'll too
        r"\p{L}+['’](?=\p{L})",  # l'amico is the article l' and a noun
        rf"{_WORD}(?:-{_WORD})*",
        r"\.{2,}|-{2,}",
        r"[^\s\p{L}\p{M}\p{N}_]",
    )
)
"""What counts as one word, as a regular expression of the ``tokenizers`` library; white space parts words."""

_CLOSING = frozenset(".,;:!?%)]}»”…")
_OPENING = frozenset("([{«„¿¡$€£#@")
_TIGHT = frozenset("/")
_ELISION = re.compile(r"[^\W\d_]+['’]")


def join_words(words: Iterable[str]) -> str:
    """One text of words, with spaces where a reader expects them.

    Quotation marks that look alike on both sides open and close in turn; “ closes what „ has opened.

    >>> join_words(["He", "said", ":", '"', "l'", "amico", "(", "mine", ")", '"', "."])
    'He said: "l\\'amico (mine)".'
    """
    joiner = Joiner()
    return "".join(joiner.add(word) for word in words)


class Joiner:
    """Joins words as they come: what was written never changes.

    >>> joiner = Joiner()
    >>> [joiner.add(word) for word in ("well", ",", "yes")]
    ['well', ',', ' yes']
    """

    def __init__(self) -> None:
        self._opened: set[str] = set()
        self._tight = True

    def add(self, word: str) -> str:
        """The word, with a space before it if one belongs there."""
        closes, opens = word[0] in _CLOSING, word in _OPENING
        if word in ('"', "'") or (word == "“"):
            twin = "„" if word == "“" and "„" in self._opened else word
            closes = twin in self._opened
            opens = not closes
            (self._opened.remove if closes else self._opened.add)(twin)
        elif word == "„":
            self._opened.add(word)
        spaced = not (self._tight or closes or word in _TIGHT)
        self._tight = opens or word in _TIGHT or _ELISION.fullmatch(word) is not None
        return " " + word if spaced else word
