"""Windows: every token of the context is in one, and spans map back to the exact characters."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.squad import Question, Questions
from qkvae.data.tokenizer import Tokenizer
from qkvae.data.windows import Windows, cut_windows

SOME = "the sky over Köln is blue, and 😀 grass (in May) is green: 12,345 blades of it grow"
BPE = Tokenizer.train([SOME] * 3, vocab_size=300, exact=False)
WORDS = Tokenizer.train([SOME] * 3, kind="word", exact=False)
FIRST, LAST = 1, 2


def one(context: str, span: tuple[int, int] | None, question: str = "what is it ?") -> Questions:
    answers = () if span is None else (context[slice(*span)],)
    return Questions([context], [Question("q", question, 0, answers, span)])


def cut(questions: Questions, tokenizer: Tokenizer, length: int, overlap: int | None = None) -> Windows:
    return cut_windows(questions, tokenizer, length, overlap, first=FIRST, last=LAST)


PIECES = st.sampled_from([*SOME.split(), "é", "😀", "\n", "  ", "ünseen", "(", "12", "東京"])
CONTEXTS = st.lists(PIECES, min_size=1, max_size=40).map(" ".join)


@settings(deadline=None, max_examples=60)
@given(CONTEXTS, st.integers(20, 60), st.integers(0, 9), st.sampled_from([BPE, WORDS]))
def test_every_token_of_the_context_is_in_a_window(
    context: str, length: int, overlap: int, tokenizer: Tokenizer
) -> None:
    windows = cut(one(context, None), tokenizer, length, overlap)
    ids = tokenizer.encode(context)
    held: dict[int, int] = {}
    for row in range(len(windows)):
        tokens, second = windows.sentences.ids[row].tolist(), int(windows.sentences.second[row])
        assert len(tokens) <= length
        assert tokens[0] == FIRST
        assert tokens[second - 1] == tokens[-1] == LAST
        assert tokens[1 : second - 1] == tokenizer.encode("what is it ?")[: length // 2 - 2]
        held |= {int(windows.begins[row]) + at: token for at, token in enumerate(tokens[second:-1])}
    assert [held[at] for at in range(len(ids))] == ids
    assert windows.starts.tolist() == windows.ends.tolist() == [0] * len(windows)


@settings(deadline=None, max_examples=60)
@given(CONTEXTS, st.data(), st.sampled_from([BPE, WORDS]))
def test_answers_are_found_again_to_the_character(
    context: str, data: st.DataObject, tokenizer: Tokenizer
) -> None:
    words = context.split()
    if not words:
        return
    word = data.draw(st.sampled_from(words))
    start = context.index(word)
    windows = cut(one(context, (start, start + len(word))), tokenizer, 40, 15)
    found = [
        windows.text(row, int(windows.starts[row]), int(windows.ends[row]))
        for row in range(len(windows))
        if windows.starts[row]
    ]
    inexact = [note.kind for note in windows.notes]
    assert found or inexact == ["answer split"]
    for text in found:
        assert word in text
        if "answer inexact" not in inexact:
            assert text == word
    for row in range(len(windows)):
        span = windows.characters(row, int(windows.starts[row]), int(windows.ends[row]))
        assert span is None or context[slice(*span)] == windows.text(
            row, *map(int, (windows.starts[row], windows.ends[row]))
        )


def test_neighbours_overlap_and_an_answer_at_the_border_is_whole_in_one() -> None:
    context = " ".join(["the", "sky", "over"] * 20)
    start = len(" ".join(context.split()[:17])) + 1
    windows = cut(one(context, (start, start + len("over the sky"))), WORDS, 24, 5)
    begins = windows.begins.tolist()
    assert begins[:2] == [0, 12]
    assert begins[-1] + windows.held(len(windows) - 1) == 60
    whole = [row for row in range(len(windows)) if windows.starts[row]]
    assert [windows.text(row, int(windows.starts[row]), int(windows.ends[row])) for row in whole] == [
        "over the sky"
    ]
    assert windows.rows_of(0) == range(len(windows))
    assert list(windows.rows_of(1)) == []


def test_what_cannot_be_learned_exactly_is_said() -> None:
    inside = cut(one("greenhouse grass", (0, 5)), WORDS, 20)
    assert [note.kind for note in inside.notes] == ["answer inexact"]
    assert inside.text(0, int(inside.starts[0]), int(inside.ends[0])) == "greenhouse"
    long = " ".join(["sky"] * 40)
    split = cut(one(long, (0, len(long))), WORDS, 20)
    assert [note.kind for note in split.notes] == ["answer split"]
    assert not split.starts.any()
    asked = cut(one("the sky", (4, 7), "what " * 30), WORDS, 20)
    assert str(asked.notes[0]) == "1 question was cut to 8 tokens (q)"


def test_places_outside_the_context_and_lengths_that_leave_no_room() -> None:
    windows = cut(one("the sky is blue", (4, 7)), WORDS, 20)
    second = int(windows.sentences.second[0])
    assert windows.text(0, second, second + 3) == "the sky is blue"
    assert windows.text(0, 0, 0) == ""
    for start, end in ((1, 2), (second, second + 4), (second + 1, second)):
        with pytest.raises(ValueError, match="must be in the context"):
            windows.characters(0, start, end)
    with pytest.raises(ValueError, match="need at least 8 tokens"):
        cut(one("the sky", None), WORDS, 7)
    with pytest.raises(ValueError, match="overlap is 10"):
        cut(one("the sky", None), WORDS, 20, 10)
