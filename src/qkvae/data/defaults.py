"""The embedded default: dates, times, numbers and amounts in English and German, with known answers.

Nothing is downloaded: names and patterns come from Unicode's CLDR through Babel, numbers in words from
num2words. Every English phrase has exactly one German answer, so exact match is a fair score.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Literal, TypeVar, get_args

from babel import dates, numbers, units
from num2words import num2words  # pyright: ignore[reportMissingTypeStubs, reportUnknownVariableType]

from qkvae.data.pairs import Pairs

T = TypeVar("T")
Phrase = tuple[str, str]
"""English, German."""

LANGUAGES = ("en", "de")


class Draw:
    """The choices behind one pair: a number of 512 bits, a pure function of (seed, index), spent digit by
    digit."""

    def __init__(self, seed: int, index: int) -> None:
        self._left = int.from_bytes(blake2b(f"{seed}:{index}".encode()).digest(), "little")

    def below(self, count: int) -> int:
        """One of 0 … count - 1."""
        self._left, value = divmod(self._left, count)
        return value

    def between(self, low: int, high: int) -> int:
        """One of low … high, both included."""
        return low + self.below(high - low + 1)

    def one_of(self, choices: Sequence[T]) -> T:
        """One of these."""
        return choices[self.below(len(choices))]


def default_pairs(count: int, seed: int) -> Pairs:
    """``count`` phrases in English with their German translations; pair i depends on (seed, i) alone.

    About 20 forms: dates in five styles, spans and clock times in digits and words, cardinal and ordinal
    numbers and years in words, sums of money, percentages, measures and distances in time; half of those that
    can stand in a short sentence do.  Phrases repeat, small numbers more often than large ones: set unseen
    ones aside with ``split_pairs``, which goes by the source.

    Raises:
        ValueError: count is below 1.

    >>> pairs = default_pairs(1000, seed=0)
    >>> pairs.select(range(3)) == default_pairs(3, seed=0).select(range(3))
    True
    """
    if count < 1:
        raise ValueError(f"count is {count}, but must be at least 1")
    sources: list[str] = []
    targets: list[str] = []
    for index in range(count):
        draw = Draw(seed, index)
        english, german = draw.one_of(_FORMS)(draw)
        sources.append(english)
        targets.append(german)
    return Pairs(sources, targets, paths=(f"default (seed {seed})",))


# ---- words and names, remembered because Babel and num2words are slow


@lru_cache(maxsize=65536)
def _words(number: int, language: str, form: str = "cardinal") -> str:
    return str(num2words(number, lang=language, to=form))


@cache
def _months() -> list[Phrase]:
    both = [dates.get_month_names("wide", locale=language) for language in LANGUAGES]
    return [(both[0][month], both[1][month]) for month in range(1, 13)]


@cache
def _weekdays() -> list[Phrase]:
    both = [dates.get_day_names("wide", locale=language) for language in LANGUAGES]
    return [(both[0][day], both[1][day]) for day in range(7)]


def _plain(text: str) -> str:
    """CLDR's no-break spaces as the space that people type."""
    return text.replace("\u202f", " ").replace("\u00a0", " ")


def _inflected(ordinal: str) -> str:
    """``dritte`` as it stands after ``am``: ``dritten``."""
    return ordinal + "n"


def _said(draw: Draw, phrase: Phrase, frames: Sequence[Phrase]) -> Phrase:
    """The phrase alone, or in one of the sentences: each is as likely as not."""
    if draw.below(2):
        return phrase
    english, german = draw.one_of(frames)
    return english.format(phrase[0]), german.format(phrase[1])


# ---- numbers


def _cardinal(draw: Draw) -> Phrase:
    number = draw.below(draw.one_of((100, 1000, 10_000)))
    return _words(number, "en"), _words(number, "de")


def _year(draw: Draw) -> Phrase:
    year = draw.between(1800, 2099)
    return "the year " + _words(year, "en", "year"), "das Jahr " + _words(year, "de", "year")


def _ordinal(draw: Draw) -> Phrase:
    number = draw.between(1, 199)
    english, german = draw.one_of((("day", "der {} Tag"), ("week", "die {} Woche"), ("year", "das {} Jahr")))
    return f"the {_words(number, 'en', 'ordinal')} {english}", german.format(_words(number, "de", "ordinal"))


# ---- dates


def _date(draw: Draw) -> datetime.date:
    return datetime.date(1970, 1, 1) + datetime.timedelta(days=draw.below(80 * 365))


_DATED = (
    ("The letter is from {}.", "Der Brief ist vom {}."),
    ("The contract ends on {}.", "Der Vertrag endet am {}."),
)


def _date_in_full(draw: Draw) -> Phrase:
    day = _date(draw)
    return dates.format_date(day, "full", locale="en"), dates.format_date(day, "full", locale="de")


def _date_long(draw: Draw) -> Phrase:
    day = _date(draw)
    phrase = dates.format_date(day, "long", locale="en"), dates.format_date(day, "long", locale="de")
    return _said(draw, phrase, _DATED)


def _date_short(draw: Draw) -> Phrase:
    # both sides write the year with two digits, so the century that is lost is lost on both
    day = _date(draw)
    phrase = dates.format_date(day, "short", locale="en"), dates.format_date(day, "short", locale="de")
    return _said(draw, phrase, _DATED)


def _date_in_words(draw: Draw) -> Phrase:
    day, month = draw.between(1, 28), draw.one_of(_months())
    year = draw.between(1970, 2049)
    return (
        f"the {_words(day, 'en', 'ordinal')} of {month[0]} {year}",
        f"der {_words(day, 'de', 'ordinal')} {month[1]} {year}",
    )


def _date_with_weekday(draw: Draw) -> Phrase:
    day, month, weekday = draw.between(1, 28), draw.one_of(_months()), draw.one_of(_weekdays())
    phrase = (
        f"on {weekday[0]}, the {_words(day, 'en', 'ordinal')} of {month[0]}",
        f"am {weekday[1]}, dem {_inflected(_words(day, 'de', 'ordinal'))} {month[1]}",
    )
    frames = (("The course begins {}.", "Der Kurs fängt {} an."), ("We arrive {}.", "Wir kommen {} an."))
    return _said(draw, phrase, frames)


def _span(draw: Draw) -> Phrase:
    names = draw.one_of((_months(), _weekdays()))
    first = draw.below(len(names))
    last = (first + draw.between(1, len(names) - 1)) % len(names)
    phrase = f"from {names[first][0]} to {names[last][0]}", f"von {names[first][1]} bis {names[last][1]}"
    frames = (("The shop is open {}.", "Der Laden ist {} geöffnet."), ("She works {}.", "Sie arbeitet {}."))
    return _said(draw, phrase, frames)


# ---- times of day

_TIMED = (("The train leaves at {}.", "Der Zug fährt um {} ab."), ("We eat at {}.", "Wir essen um {}."))


def _time_in_digits(draw: Draw) -> Phrase:
    time = datetime.time(draw.below(24), draw.below(60))
    phrase = (
        _plain(dates.format_time(time, "short", locale="en")),
        _plain(dates.format_time(time, "short", locale="de")),
    )
    return _said(draw, phrase, _TIMED)


# minutes past the hour: how they are said, and which hour is named (German counts "half" to the hour ahead)
_MINUTES: tuple[tuple[str, int, str, int], ...] = (
    ("{} o'clock", 0, "{} Uhr", 0),
    ("five past {}", 0, "fünf nach {}", 0),
    ("ten past {}", 0, "zehn nach {}", 0),
    ("a quarter past {}", 0, "Viertel nach {}", 0),
    ("twenty past {}", 0, "zwanzig nach {}", 0),
    ("twenty-five past {}", 0, "fünf vor halb {}", 1),
    ("half past {}", 0, "halb {}", 1),
    ("twenty-five to {}", 1, "fünf nach halb {}", 1),
    ("twenty to {}", 1, "zwanzig vor {}", 1),
    ("a quarter to {}", 1, "Viertel vor {}", 1),
    ("ten to {}", 1, "zehn vor {}", 1),
    ("five to {}", 1, "fünf vor {}", 1),
)
_PARTS_OF_DAY = (
    ("", ""),
    (" in the morning", " morgens"),
    (" in the afternoon", " nachmittags"),
    (" in the evening", " abends"),
)


def _time_in_words(draw: Draw) -> Phrase:
    hour = draw.below(12)
    english, english_ahead, german, german_ahead = draw.one_of(_MINUTES)
    part = draw.one_of(_PARTS_OF_DAY)
    named = (hour + english_ahead) % 12 or 12, (hour + german_ahead) % 12 or 12
    # "ein Uhr", but "halb eins"
    german_hour = "ein" if named[1] == 1 and german == "{} Uhr" else _words(named[1], "de")
    phrase = english.format(_words(named[0], "en")) + part[0], german.format(german_hour) + part[1]
    return _said(draw, phrase, _TIMED)


# ---- amounts

_PRICED = (("The ticket costs {}.", "Die Karte kostet {}."), ("I paid {}.", "Ich habe {} bezahlt."))


def _money(draw: Draw) -> Phrase:
    amount = draw.below(draw.one_of((20, 300))) + draw.below(20) / 20
    currency = draw.one_of(("EUR", "USD", "GBP"))
    phrase = (
        _plain(numbers.format_currency(amount, currency, locale="en")),
        _plain(numbers.format_currency(amount, currency, locale="de")),
    )
    return _said(draw, phrase, _PRICED)


def _money_in_words(draw: Draw) -> Phrase:
    # from two up: "one" would be inflected
    whole, cents = draw.between(2, 99), draw.one_of((0, 10, 20, 25, 50, 75, 80, 95))
    english, german = draw.one_of((("euros", "Euro"), ("dollars", "Dollar"), ("francs", "Franken")))
    phrase = f"{_words(whole, 'en')} {english}", f"{_words(whole, 'de')} {german}"
    if cents and english != "francs":
        phrase = (
            f"{phrase[0]} and {_words(cents, 'en')} cents",
            f"{phrase[1]} und {_words(cents, 'de')} Cent",
        )
    return _said(draw, phrase, _PRICED)


def _percentage(draw: Draw) -> Phrase:
    share = (draw.below(100) + draw.below(10) / 10) / 100
    english, german = (
        _plain(numbers.format_percent(round(share, 3), locale=language, decimal_quantization=False))
        for language in LANGUAGES
    )
    return _said(draw, (english, german), (("Prices rose by {}.", "Die Preise sind um {} gestiegen."),))


_UNITS = (
    "duration-hour",
    "duration-minute",
    "duration-day",
    "length-kilometer",
    "length-meter",
    "mass-kilogram",
)


def _measure(draw: Draw) -> Phrase:
    number, unit = draw.between(1, 120), draw.one_of(_UNITS)
    english, german = (_plain(units.format_unit(number, unit, locale=language)) for language in LANGUAGES)
    frames = {
        "duration": (("The trip takes {}.", "Die Fahrt dauert {}."),),
        "length": (("The road is {} long.", "Die Straße ist {} lang."),),
        "mass": (("The box weighs {}.", "Die Kiste wiegt {}."),),
    }
    return _said(draw, (english, german), frames[unit.split("-")[0]])


_Unit = Literal["minute", "hour", "day", "week", "month", "year"]
_SECONDS: dict[_Unit, int] = {
    "minute": 60,
    "hour": 3600,
    "day": 86_400,
    "week": 604_800,
    "month": 2_592_000,
    "year": 31_536_000,
}


def _distance_in_time(draw: Draw) -> Phrase:
    number, unit = draw.between(1, 50), draw.one_of(get_args(_Unit))
    ago = draw.below(2) == 1
    english, german = (_from_now(-number if ago else number, unit, language) for language in LANGUAGES)
    if ago:
        return _said(draw, (english, german), (("The shop closed {}.", "Der Laden hat {} geschlossen."),))
    return _said(draw, (english, german), (("The shop opens {}.", "Der Laden macht {} auf."),))


@lru_cache(maxsize=4096)
def _from_now(number: int, unit: _Unit, language: str) -> str:
    """``in 3 days``, ``3 days ago`` (negative).  The threshold keeps 30 days from becoming a month."""
    distance = datetime.timedelta(seconds=number * _SECONDS[unit])
    never = 1e9
    return dates.format_timedelta(
        distance, granularity=unit, threshold=never, add_direction=True, locale=language
    )


# each form as often as it stands here: more often where there is more to learn
_FORMS: tuple[Callable[[Draw], Phrase], ...] = (
    *[_cardinal] * 5,
    *[_year] * 2,
    *[_ordinal] * 3,
    *[_date_in_full] * 3,
    *[_date_long] * 3,
    *[_date_short] * 3,
    *[_date_in_words] * 3,
    *[_date_with_weekday] * 3,
    *[_span] * 2,
    *[_time_in_digits] * 3,
    *[_time_in_words] * 4,
    *[_money] * 3,
    *[_money_in_words] * 3,
    *[_percentage] * 2,
    *[_measure] * 2,
    *[_distance_in_time] * 2,
)
