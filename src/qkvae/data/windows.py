"""Question and context as rows of at most ``length`` tokens: long contexts in overlapping windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qkvae.data.encoded import Sentences
from qkvae.data.pairs import EXAMPLES, Note
from qkvae.data.ragged import Ints, Ragged
from qkvae.data.squad import Questions
from qkvae.data.tokenizer import Tokenizer


@dataclass(frozen=True, eq=False)
class Windows:
    """Rows ``first question last context-window last``; a row holds one question and one window.

    A span is given by the places of its first and last token in the row; place 0, the first token, stands for
    "no answer in this window".
    """

    sentences: Sentences
    """The rows; their second text is the window of the context."""

    question: Ints
    """Which question each row asks, int64[rows]; the rows of one question follow each other."""

    begins: Ints
    """Which token of the context each window begins with, int64[rows]."""

    starts: Ints
    """Place of the answer's first token in each row, 0 if it is not wholly in the window, int64[rows]."""

    ends: Ints
    """Place of its last token, included, int64[rows]."""

    contexts: list[str]
    """The texts that are asked about."""

    context: Ints
    """Which of them each row holds a part of, int64[rows]."""

    offsets: list[NDArray[np.int64]]
    """Characters [start, end) of every token of each context, int64[tokens, 2]."""

    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return len(self.question)

    def characters(self, row: int, start: int, end: int) -> tuple[int, int] | None:
        """The characters of the context that tokens ``start`` … ``end`` (included) of a row cover.

        White space at both ends is left out: with byte-level tokens it belongs to the word after it.  None
        for place 0, "no answer".

        Raises:
            ValueError: a place that holds no token of the context, or an end before the start.
        """
        if start == end == 0:
            return None
        first = int(self.sentences.second[row])
        last = first + self.held(row) - 1
        if not first <= start <= end <= last:
            raise ValueError(f"row {row}: places {start} to {end} must be in the context: {first} to {last}")
        number = int(self.context[row])
        text, offsets = self.contexts[number], self.offsets[number]
        shift = int(self.begins[row]) - first
        left, right = int(offsets[start + shift, 0]), int(offsets[end + shift, 1])
        inner = text[left:right]
        if not inner.strip():
            return left, right
        return left + len(inner) - len(inner.lstrip()), right - len(inner) + len(inner.rstrip())

    def text(self, row: int, start: int, end: int) -> str:
        """Those characters; empty for "no answer"."""
        span = self.characters(row, start, end)
        return "" if span is None else self.contexts[int(self.context[row])][slice(*span)]

    def held(self, row: int) -> int:
        """Tokens of the context in a row."""
        return len(self.sentences.ids[row]) - int(self.sentences.second[row]) - 1

    def rows_of(self, question: int) -> range:
        """The rows of a question."""
        return range(*np.searchsorted(self.question, [question, question + 1]).tolist())


def cut_windows(
    questions: Questions,
    tokenizer: Tokenizer,
    length: int,
    overlap: int | None = None,
    *,
    first: int,
    last: int,
    between: int = 1,
) -> Windows:
    """Rows of at most ``length`` tokens that together hold every token of every context.

    Consecutive windows of a context share ``overlap`` tokens, so that an answer of at most overlap + 1 tokens
    stands wholly in one of them.  A question of more than half of ``length`` is cut, and a note says so; so
    do notes for answers that no window holds whole, and for answers whose ends fall inside a token (the
    tokens that cover them are learned, a little more than the answer).

    Args:
        questions: what is asked about what.
        tokenizer: its ``pieces`` tell where each token stands.
        length: most tokens of a row, special tokens included.
        overlap: tokens that neighbours share; a quarter of ``length`` if not given, or as far as room allows.
        first: id of the token that begins a row and stands for "no answer", ``<cls>``.
        last: id of the token that ends the question and the window, ``<sep>``.
        between: how many of them stand between the two.

    Raises:
        ValueError: length is below 8, or overlap below 0 or half of ``length`` or more.

    >>> from qkvae.data.squad import Question
    >>> context = "one two three four five six seven eight nine ten"
    >>> asked = Questions([context], [Question("a", "five ?", 0, ("five",), (19, 23))])
    >>> words = Tokenizer.train([context] * 2, kind="word", exact=False)
    >>> windows = cut_windows(asked, words, length=9, overlap=2, first=1, last=2)
    >>> windows.sentences.ids.lengths.tolist(), windows.starts.tolist()
    ([9, 9, 9, 9], [0, 6, 4, 0])
    >>> windows.text(1, 6, 6), windows.characters(1, 6, 6)
    ('five', (19, 23))
    """
    if length < 8:
        raise ValueError(f"length is {length}, but question and context need at least 8 tokens")
    overlap = length // 4 if overlap is None else overlap
    if not 0 <= overlap < length // 2:
        raise ValueError(f"overlap is {overlap}, but must be at least 0 and below half of length {length}")
    return _Cutter(questions, tokenizer, length, overlap).windows(first, last, between)


class _Cutter:
    """The work behind ``cut_windows``: every context is encoded once, however many questions ask about it."""

    def __init__(self, questions: Questions, tokenizer: Tokenizer, length: int, overlap: int) -> None:
        self._questions, self._tokenizer = questions, tokenizer
        self._length, self._overlap = length, overlap
        self._ids: dict[int, NDArray[np.int32]] = {}
        self._offsets = [np.zeros((0, 2), np.int64)] * len(questions.contexts)
        self._cut: list[str] = []
        self._split: list[str] = []
        self._inexact: list[str] = []

    def windows(self, first: int, last: int, between: int) -> Windows:
        asked: list[NDArray[np.int32]] = []
        parts: list[NDArray[np.int32]] = []
        rows: list[tuple[int, int, int, int, int]] = []
        encoded = self._tokenizer.encode_batch([each.question for each in self._questions.questions])
        for number, each in enumerate(self._questions.questions):
            question = encoded[number]
            if len(question) > self._length // 2 - 2:
                self._cut.append(each.id)
                question = question[: self._length // 2 - 2]
            ids, offsets = self._tokens(each.context)
            room = self._length - len(question) - 2 - between
            answer = self._answer(number, offsets)
            placed = False
            for begin in _begins(len(ids), room, min(self._overlap, room - 1)):
                part = ids[begin : begin + room]
                shift = len(question) + 1 + between - begin
                inside = answer is not None and begin <= answer[0] and answer[1] < begin + len(part)
                places = (answer[0] + shift, answer[1] + shift) if answer and inside else (0, 0)
                placed |= inside
                asked.append(question)
                parts.append(part)
                rows.append((number, each.context, begin, places[0], places[1]))
            if answer is not None and not placed:
                self._split.append(each.id)
        table = np.array(rows, np.int64).reshape(-1, 5).T.copy()
        sentences = Sentences.framed(_ragged(asked), _ragged(parts), first=first, last=last, between=between)
        return Windows(
            sentences,
            question=table[0],
            context=table[1],
            begins=table[2],
            starts=table[3],
            ends=table[4],
            contexts=self._questions.contexts,
            offsets=self._offsets,
            notes=self._notes(),
        )

    def _tokens(self, context: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        if context not in self._ids:
            pieces = self._tokenizer.pieces(self._questions.contexts[context])
            self._ids[context] = np.array([piece.id for piece in pieces], np.int32)
            places = [(piece.start, piece.end) for piece in pieces]
            self._offsets[context] = np.array(places, np.int64).reshape(-1, 2)
        return self._ids[context], self._offsets[context]

    def _answer(self, number: int, offsets: NDArray[np.int64]) -> tuple[int, int] | None:
        """The first and last token that share a character with the answer."""
        span = self._questions.questions[number].span
        if span is None:
            return None
        touching = np.flatnonzero((offsets[:, 0] < span[1]) & (offsets[:, 1] > span[0]))
        name = self._questions.questions[number].id
        if not len(touching):
            self._split.append(name)
            return None
        found = int(touching[0]), int(touching[-1])
        covered = self._questions.context(number)[offsets[found[0], 0] : offsets[found[1], 1]]
        if covered.strip() != (self._questions.answer(number) or "").strip():
            self._inexact.append(name)
        return found

    def _notes(self) -> tuple[Note, ...]:
        kinds = (
            ("question cut", self._cut, f"questions were cut to {self._length // 2 - 2} tokens"),
            ("answer split", self._split, "answers stand whole in no window and are learned as none"),
            ("answer inexact", self._inexact, "answers begin or end inside a token, which is learned whole"),
        )
        return tuple(Note(kind, len(ids), what, tuple(ids[:EXAMPLES])) for kind, ids, what in kinds if ids)


def _begins(tokens: int, room: int, overlap: int) -> list[int]:
    """Where windows of ``room`` tokens begin; the last one ends with the last token."""
    begins = list(range(0, max(tokens - overlap, 1), room - overlap))
    begins[-1] = max(0, min(begins[-1], tokens - room))
    return begins


def _ragged(rows: list[NDArray[np.int32]]) -> Ragged:
    flat = np.concatenate(rows) if rows else np.empty(0, np.int32)
    return Ragged.from_lengths(flat.astype(np.int32), np.array([len(row) for row in rows], np.int64))
