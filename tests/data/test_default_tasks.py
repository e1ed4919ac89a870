"""The embedded data of classification and question answering: deterministic, distinct, and right."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.default_labelled import LANGUAGES, default_labelled
from qkvae.data.default_questions import default_questions
from qkvae.data.labelled import split_labelled
from qkvae.data.squad import split_questions


def test_phrases_name_one_language() -> None:
    languages: dict[str, set[str]] = {}
    found = default_labelled(4000, 0)
    for text, label in zip(found.texts, found.labels, strict=True):
        assert text == text.strip()
        assert text.isprintable()
        languages.setdefault(text.casefold(), set()).add(str(label))
    assert [(text, names) for text, names in languages.items() if len(names) > 1] == []
    assert len(languages) > 3500
    counts = Counter(found.labels)
    assert set(counts) == set(LANGUAGES.values())
    assert min(counts.values()) > 4000 / len(LANGUAGES) / 1.4


def test_known_phrases_are_there() -> None:
    found = default_labelled(4000, 0)
    said = dict(zip(found.texts, found.labels, strict=True))
    assert said["in 48 Stunden"] == "German"
    assert {str(said[text]) for text in said if "lipca" in text} == {"Polish"}
    assert {str(said[text]) for text in said if "juillet" in text} == {"French"}


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**40), st.integers(1, 9), st.integers(1, 9))
def test_items_depend_on_seed_and_index_alone(seed: int, few: int, more: int) -> None:
    longer, shorter = default_labelled(few + more, seed), default_labelled(few, seed)
    assert longer.select(range(few)) == shorter
    asked, less = default_questions(few + more, seed), default_questions(few, seed)
    assert asked.questions[:few] == less.questions
    assert asked.contexts[: len(less.contexts)] == less.contexts


def test_phrases_split_by_hash() -> None:
    train, valid = split_labelled(default_labelled(1000, 0), 0.1)
    assert not set(train.texts) & set(valid.texts)
    assert 60 < len(valid) < 140


def test_answers_stand_where_they_are_said_to() -> None:
    found = default_questions(2000, 0)
    assert len(set(found.contexts)) == 500
    assert len({each.id for each in found.questions}) == 2000
    assert len({(found.context(n), each.question) for n, each in enumerate(found.questions)}) > 1950
    for number, each in enumerate(found.questions):
        assert each.question.endswith("?")
        if not each.impossible:
            assert (found.answer(number),) == each.answers
    share = sum(each.impossible for each in found.questions) / 2000
    assert 0.2 < share < 0.3


def test_what_is_not_said_is_not_answered_and_facts_are_right() -> None:
    found = default_questions(4000, 1)
    for number, each in enumerate(found.questions):
        answer, context = found.answer(number), found.context(number)
        if each.question == "What is the currency of Italy?" and answer:
            assert answer == "Euro"
        if each.question.startswith("On which day does the week begin in "):
            place = each.question.removeprefix("On which day does the week begin in ").removesuffix("?")
            said = any(
                (f"in {place}." in part and "week begins" in part)
                or (f"n {place} " in part and "of the week" in part)
                for part in context.replace(". ", ".|").split("|")
            )
            assert said == (answer is not None)
            assert answer is None or answer in ("Monday", "Saturday", "Sunday", "Friday")


def test_questions_split_by_context() -> None:
    train, valid = split_questions(default_questions(800, 0), 0.1)
    contexts = [{part.context(n) for n in range(len(part))} for part in (train, valid)]
    assert not contexts[0] & contexts[1]
    assert len(valid) > 20


@pytest.mark.parametrize("make", [default_labelled, default_questions])
def test_none_is_refused(make: object) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match="count is 0, but must be at least 1"):
        make(0, 0)
