"""The embedded default of text classification: in which of nine languages is a phrase?

Nothing is downloaded: dates, distances in time and durations come from Unicode's CLDR through Babel, numbers
in words from num2words.  A phrase that reads the same in two of the languages is never given.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import lru_cache
from typing import Literal, get_args

from babel import dates, units
from num2words import num2words  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from qkvae.data.defaults import Draw
from qkvae.data.labelled import Label, Labelled

LANGUAGES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "it": "Italian",
    "es": "Spanish",
    "nl": "Dutch",
    "pt": "Portuguese",
    "pl": "Polish",
    "sv": "Swedish",
}
"""The languages by code, and what each is called: its label."""

_Unit = Literal["minute", "hour", "day", "week", "month", "year"]
_SECONDS: dict[_Unit, int] = {
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
    "month": 2_592_000,
    "year": 31_536_000,
}

Form = Callable[[Draw], tuple[str, ...]]
"""Draws a thing to say: what is said in each language, in their order."""


def default_labelled(count: int, seed: int) -> Labelled:
    """``count`` phrases with the names of their languages; phrase i depends on (seed, i) alone.

    Numbers and ordinal numbers in words, two numbers, dates in two styles, distances in time and durations,
    in
    English, German, French, Italian, Spanish, Dutch, Portuguese, Polish and Swedish.  Phrases repeat, small
    numbers more often than large ones: set unseen ones aside with ``labelled.split_labelled``.

    Raises:
        ValueError: count is below 1.

    >>> phrases = default_labelled(1000, seed=0)
    >>> phrases.select(range(3)) == default_labelled(3, seed=0).select(range(3))
    True
    """
    if count < 1:
        raise ValueError(f"count is {count}, but must be at least 1")
    texts: list[str] = []
    labels: list[Label] = []
    names = list(LANGUAGES.values())
    for index in range(count):
        draw = Draw(seed, index)
        language = draw.below(len(names))
        text = _alone(draw, language)
        texts.append(text)
        labels.append(names[language])
    return Labelled(texts, labels, paths=(f"default (seed {seed})",))


def _alone(draw: Draw, language: int) -> str:
    """A phrase that no other language says in the same way; nearly all are such at the first try."""
    while True:
        said = draw.one_of(_FORMS)(draw)
        if sum(text.casefold() == said[language].casefold() for text in said) == 1:
            return said[language]


def _each(make: Callable[[str], str]) -> tuple[str, ...]:
    """The same thing in every language, with CLDR's no-break spaces as the space that people type."""
    return tuple(make(language).replace("\u202f", " ").replace("\u00a0", " ") for language in LANGUAGES)


@lru_cache(maxsize=65536)
def _words(number: int, form: str) -> tuple[str, ...]:
    return _each(lambda language: str(num2words(number, lang=language, to=form)))


def _cardinal(draw: Draw) -> tuple[str, ...]:
    return _words(draw.below(draw.one_of((100, 1000, 1000, 100_000))), "cardinal")


def _ordinal(draw: Draw) -> tuple[str, ...]:
    return _words(draw.between(1, 199), "ordinal")


def _two_numbers(draw: Draw) -> tuple[str, ...]:
    first, second = (_words(draw.between(1, 99), "cardinal") for _ in range(2))
    return tuple(f"{one}, {other}" for one, other in zip(first, second, strict=True))


@lru_cache(maxsize=65536)
def _dated(days: int, style: Literal["full", "long"]) -> tuple[str, ...]:
    day = datetime.date(1970, 1, 1) + datetime.timedelta(days=days)
    return _each(lambda language: dates.format_date(day, style, locale=language))


def _date_in_full(draw: Draw) -> tuple[str, ...]:
    return _dated(draw.below(80 * 365), "full")


def _date_long(draw: Draw) -> tuple[str, ...]:
    return _dated(draw.below(80 * 365), "long")


@lru_cache(maxsize=4096)
def _from_now(number: int, unit: _Unit) -> tuple[str, ...]:
    distance = datetime.timedelta(seconds=number * _SECONDS[unit])
    never = 1e9  # the threshold beyond which 30 days would become a month
    return _each(
        lambda language: dates.format_timedelta(
            distance, granularity=unit, threshold=never, add_direction=True, locale=language
        )
    )


def _distance_in_time(draw: Draw) -> tuple[str, ...]:
    number, unit = draw.between(1, 50), draw.one_of(get_args(_Unit))
    return _from_now(number if draw.below(2) else -number, unit)


@lru_cache(maxsize=4096)
def _lasting(number: int, unit: _Unit) -> tuple[str, ...]:
    return _each(lambda language: units.format_unit(number, f"duration-{unit}", locale=language))


def _duration(draw: Draw) -> tuple[str, ...]:
    return _lasting(draw.between(1, 120), draw.one_of(get_args(_Unit)))


# each form as often as it stands here: more often where there is more to learn
_FORMS: tuple[Form, ...] = (
    *[_cardinal] * 4,
    *[_ordinal] * 2,
    *[_two_numbers] * 3,
    *[_date_in_full] * 3,
    *[_date_long] * 2,
    *[_distance_in_time] * 2,
    _duration,
)
