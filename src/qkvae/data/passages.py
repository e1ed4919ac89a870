"""Long texts as passages that are read at once: cut where a sentence ends, or else between two words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from qkvae.data.byte_letters import SPACE
from qkvae.data.ragged import Ints, Ragged
from qkvae.data.tokenizer import Tokenizer

_SENTENCE_ENDS = tuple(".!?…。！？")


def running(texts: Iterable[str]) -> Iterator[str]:
    """Each text as one line: white space of any kind and length is one space.

    >>> list(running(["One line,\\n  and  another.\\n"]))
    ['One line, and another.']
    """
    return (" ".join(text.split()) for text in texts)


def cut_passages(texts: Ragged, tokenizer: Tokenizer, most: int) -> Ragged:
    """Texts in passages of at most ``most`` tokens, all of them, in their order; a short text is one passage.

    A passage ends after the last sentence that it can hold if it is more than half full then; else before
    the last word that begins in its second half; else where it is full.

    Args:
        texts: token ids of whole texts.
        tokenizer: whose tokens these are.
        most: tokens of a passage, special ones not counted.

    Raises:
        ValueError: ``most`` is below 1.

    >>> tokenizer = Tokenizer.train(["a b c d . e f ."] * 2, "word", exact=False)
    >>> passages = cut_passages(tokenizer.encode_batch(["a b c d. e f a b. c", "d"]), tokenizer, 7)
    >>> tokenizer.decode_batch(passages)
    ['a b c d.', 'e f a b. c', 'd']
    """
    if most < 1:
        raise ValueError(f"most is {most} tokens of a passage, but must be at least 1")
    shown = tokenizer.tokens(range(len(tokenizer)))
    words = np.array([tokenizer.kind == "word" or token.startswith(SPACE) for token in shown])
    ends = np.array([token.endswith(_SENTENCE_ENDS) for token in shown])
    starts: list[Ints] = []
    for row in np.flatnonzero(texts.lengths > most).tolist():
        ids = texts[row]
        begun = np.flatnonzero(words[ids[1:]]) + 1
        after = begun[ends[ids[begun - 1]]]
        starts.append(texts.starts[row] + _starts(len(ids), most, after, begun))
    whole = texts.starts if len(texts.flat) else texts.starts[:1]
    return Ragged(texts.flat, np.union1d(whole, np.concatenate([np.empty(0, np.int64), *starts])))


def _starts(length: int, most: int, *places: Ints) -> Ints:
    """Where the passages of a text begin but for the first; each of ``places`` is preferred to the next."""
    found: list[int] = []
    begin = 0
    while length - begin > most:
        full, half = begin + most, begin + most // 2
        best = [int(each[at - 1]) for each in places if (at := int(np.searchsorted(each, full, "right")))]
        begin = next((place for place in best if place > half), full)
        found.append(begin)
    return np.array(found, np.int64)
