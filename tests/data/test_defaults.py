"""The embedded default: deterministic, one answer per phrase, and the answers are right."""

from __future__ import annotations

import re
import time
from datetime import datetime
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data import defaults
from qkvae.data.defaults import Draw, default_pairs
from qkvae.data.splits import split_pairs


@pytest.fixture(scope="module")
def many() -> dict[str, set[str]]:
    answers: dict[str, set[str]] = {}
    for seed in range(2):
        pairs = default_pairs(6000, seed)
        for source, target in zip(pairs.sources, pairs.targets, strict=True):
            answers.setdefault(source, set()).add(target)
    return answers


@cache
def said(form: str, draws: int = 8000) -> dict[str, str]:
    make = getattr(defaults, form)
    return dict(make(Draw(0, index)) for index in range(draws))


def test_every_phrase_has_one_answer(many: dict[str, set[str]]) -> None:
    assert [(source, targets) for source, targets in many.items() if len(targets) > 1] == []
    assert len(many) > 9000


def test_phrases_are_short_and_what_people_type(many: dict[str, set[str]]) -> None:
    for source, targets in many.items():
        for text in (source, *targets):
            assert 1 <= len(text.split()) <= 14
            assert text == text.strip()
            assert text.isprintable(), repr(text)
            assert len(text) < 90


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**40), st.integers(1, 20), st.integers(1, 20))
def test_a_pair_depends_on_seed_and_index_alone(seed: int, few: int, more: int) -> None:
    longer = default_pairs(few + more, seed)
    assert longer.select(range(few)) == default_pairs(few, seed)


def test_another_seed_says_something_else() -> None:
    first, second = default_pairs(2000, 0), default_pairs(2000, 1)
    assert first.fingerprint != second.fingerprint
    assert sum(a == b for a, b in zip(first.sources, second.sources, strict=True)) < 200


def test_unseen_phrases_are_unseen() -> None:
    train, valid = split_pairs(default_pairs(5000, 0), 0.1)
    assert not set(train.sources) & set(valid.sources)
    assert len(valid) > 300


@pytest.mark.parametrize(
    ("form", "source", "target"),
    [
        ("_time_in_words", "half past seven", "halb acht"),
        ("_time_in_words", "half past twelve", "halb eins"),
        ("_time_in_words", "one o'clock", "ein Uhr"),
        ("_time_in_words", "a quarter past seven", "Viertel nach sieben"),
        ("_time_in_words", "twenty-five to one in the evening", "fünf nach halb eins abends"),
        ("_time_in_words", "We eat at five to twelve.", "Wir essen um fünf vor zwölf."),
        ("_cardinal", "zero", "null"),
        ("_cardinal", "one", "eins"),
        ("_cardinal", "twenty-one", "einundzwanzig"),
        ("_ordinal", "the third week", "die dritte Woche"),
        ("_ordinal", "the seventh day", "der siebte Tag"),
        ("_year", "the year nineteen oh-five", "das Jahr neunzehnhundertfünf"),
        ("_year", "the year twenty twenty-four", "das Jahr zweitausendvierundzwanzig"),
        ("_span", "from Monday to Friday", "von Montag bis Freitag"),
        ("_money_in_words", "two euros and fifty cents", "zwei Euro und fünfzig Cent"),
        ("_money", "€12.50", "12,50 €"),
        ("_percentage", "12.5%", "12,5 %"),
        ("_measure", "1 hour", "1 Stunde"),
        ("_measure", "The road is 5 kilometers long.", "Die Straße ist 5 Kilometer lang."),
        ("_distance_in_time", "in 30 days", "in 30 Tagen"),
        ("_distance_in_time", "The shop closed 1 year ago.", "Der Laden hat vor 1 Jahr geschlossen."),
    ],
)
def test_known_answers(form: str, source: str, target: str) -> None:
    assert said(form)[source] == target


def test_dates_are_the_same_day_on_both_sides() -> None:
    months = dict(defaults._months())
    for source, target in said("_date_in_full", 500).items():
        assert (
            datetime.strptime(source, "%A, %B %d, %Y").strftime("%A, %B %d, %Y").replace(" 0", " ") == source
        )
        weekday, month, day, year = re.fullmatch(r"(\w+), (\w+) (\d+), (\d+)", source).groups()  # type: ignore[union-attr]
        assert target == f"{dict(defaults._weekdays())[weekday]}, {day}. {months[month]} {year}"
    for source, target in said("_date_short", 500).items():
        if source[0].isdigit():
            assert datetime.strptime(source, "%m/%d/%y") == datetime.strptime(target, "%d.%m.%y")


def test_clock_times_are_the_same_minute_on_both_sides() -> None:
    for source, target in said("_time_in_digits", 500).items():
        if source[0].isdigit():
            assert datetime.strptime(source, "%I:%M %p") == datetime.strptime(target, "%H:%M")


def test_quick() -> None:
    start = time.process_time()
    default_pairs(4000, 7)
    assert time.process_time() - start < 5  # about 0.6 s; without the caches over 5


def test_count_below_one() -> None:
    with pytest.raises(ValueError, match="count is 0"):
        default_pairs(0, 0)
