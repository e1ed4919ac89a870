"""The embedded default of question answering: facts about countries from Unicode's CLDR, through Babel.

Currencies, official languages, first days of the week, shares of speakers and a country's own name for
itself stand in short texts; some questions have no answer there.
"""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

from babel import Locale, UnknownLocaleError, languages, numbers
from babel.core import get_global

from qkvae.data.defaults import Draw
from qkvae.data.squad import Question, Questions

PER_CONTEXT = 4
"""Questions about each text."""

ONE_IN = 4
"""One question in so many has no answer in its text."""

_ARTICLE = ("Islands", "Republic", "Emirates", "Netherlands", "Philippines", "Bahamas", "Maldives", "States")


@dataclass(frozen=True)
class _Topic:
    """A kind of fact: how it is said, and what can be asked about each of its slots."""

    name: str
    sentences: tuple[str, ...]
    questions: dict[str, tuple[str, ...]]


_TOPICS = {
    topic.name: topic
    for topic in (
        _Topic(
            "currency",
            (
                "The currency of {place} is the {currency} ({code}).",
                "In {place} people pay with the {currency}, whose code is {code}.",
            ),
            {
                "currency": ("What is the currency of {place}?", "With what do people pay in {place}?"),
                "code": ("What is the code of the currency of {place}?",),
            },
        ),
        _Topic(
            "official",
            ("The official language of {place} is {language}.", "{language} is official in {place}."),
            {"language": ("What is the official language of {place}?", "What is official in {place}?")},
        ),
        _Topic(
            "week",
            ("The week begins on {day} in {place}.", "In {place} {day} is the first day of the week."),
            {"day": ("On which day does the week begin in {place}?",)},
        ),
        _Topic(
            "share",
            (
                "About {share} of the people of {place} speak {language}.",
                "{language} is spoken by {share} of all people in {place}.",
            ),
            {
                "share": ("How many of the people of {place} speak {language}?",),
                "language": ("Which language do {share} of the people of {place} speak?",),
            },
        ),
        _Topic(
            "own name",
            (
                "In its own language {place} is called {name}.",
                "{name} is what people there call {place}.",
            ),
            {"name": ("What is {place} called in its own language?",)},
        ),
    )
}


@dataclass(frozen=True)
class _Fact:
    topic: _Topic
    slots: dict[str, str]
    """What is said, ``place`` among it."""


def default_questions(count: int, seed: int) -> Questions:
    """``count`` questions about short texts of facts, four about each; question i depends on (seed, i) alone.

    A text says two or three things about each of two to four countries.  One question in four asks what it
    does not say.  Set unseen texts aside with ``squad.split_questions``, which goes by the text.

    Raises:
        ValueError: count is below 1.

    >>> asked = default_questions(4, seed=1)
    >>> each = asked.questions[0]
    >>> each.impossible or asked.answer(0) == each.answers[0]
    True
    """
    if count < 1:
        raise ValueError(f"count is {count}, but must be at least 1")
    contexts: list[str] = []
    questions: list[Question] = []
    for number in range(-(-count // PER_CONTEXT)):
        # numbers below zero, so that texts and questions never draw alike
        told = _Told(Draw(seed, -1 - number))
        contexts.append(told.text)
        for place in range(PER_CONTEXT):
            index = number * PER_CONTEXT + place
            if index < count:
                questions.append(told.question(Draw(seed, index), f"{seed}-{index}", number, place))
    return Questions(contexts, questions, paths=(f"default (seed {seed})",))


class _Told:
    """A text that states some facts, and remembers where."""

    def __init__(self, draw: Draw) -> None:
        known = _countries()
        self._stated: list[tuple[_Fact, dict[str, tuple[int, int]]]] = []
        facts: list[_Fact] = []
        self._left: list[_Fact] = []
        names = list(known)
        for place in _few(draw, len(names), draw.between(2, 4)):
            own = known[names[place]]
            stated = _few(draw, len(own), min(len(own), draw.between(2, 3)))
            facts += [own[fact] for fact in stated]
            self._left += [fact for at, fact in enumerate(own) if at not in stated]
        text = ""
        for at in _few(draw, len(facts), len(facts)):
            fact = facts[at]
            text += " " if text else ""
            sentence, spans = _filled(draw.one_of(fact.topic.sentences), fact.slots)
            shift = len(text)
            here = {slot: (shift + start, shift + end) for slot, (start, end) in spans.items()}
            self._stated.append((fact, here))
            text += sentence
        self.text = text
        asked = [(at, slot) for at, (fact, _) in enumerate(self._stated) for slot in fact.topic.questions]
        self._asked = [asked[at] for at in _few(draw, len(asked), len(asked))]

    def question(self, draw: Draw, name: str, context: int, place: int) -> Question:
        """Question ``place`` about the text, answered by it or not."""
        if self._left and draw.below(ONE_IN) == 0:
            fact = draw.one_of(self._left)
            slot = draw.one_of(tuple(fact.topic.questions))
            return Question(name, _ask(draw, fact, slot), context, (), None)
        at, slot = self._asked[place % len(self._asked)]
        fact, spans = self._stated[at]
        start, end = spans[slot]
        return Question(name, _ask(draw, fact, slot), context, (self.text[start:end],), (start, end))


def _ask(draw: Draw, fact: _Fact, slot: str) -> str:
    question, _ = _filled(draw.one_of(fact.topic.questions[slot]), fact.slots)
    return question


def _few(draw: Draw, total: int, count: int) -> list[int]:
    """``count`` different ones of 0 … total - 1, in random order."""
    left = list(range(total))
    return [left.pop(draw.below(len(left))) for _ in range(count)]


def _filled(template: str, slots: dict[str, str]) -> tuple[str, dict[str, tuple[int, int]]]:
    """The template with its slots filled, its first letter a capital, and where each slot stands."""
    text, spans = "", dict[str, tuple[int, int]]()
    for literal, slot, _, _ in string.Formatter().parse(template):
        text += literal
        if slot is not None:
            spans[slot] = (len(text), len(text) + len(slots[slot]))
            text += slots[slot]
    return text[:1].upper() + text[1:], spans


# ---- what CLDR knows


def _names(names: object) -> Mapping[str, str]:
    """Babel's tables of names, which have no types."""
    return cast(Mapping[str, str], names)


@cache
def _countries() -> dict[str, list[_Fact]]:
    """The facts about every country of which at least four are known."""
    english, territories = Locale("en"), _names(Locale("en").territories)
    found: dict[str, list[_Fact]] = {}
    for code, name in sorted(territories.items()):
        plain = name.replace(" ", "").replace("’", "").isalpha() and "SAR" not in name
        if len(code) == 2 and code.isalpha() and plain:
            place = f"the {name}" if name.endswith(_ARTICLE) or name.startswith("United") else name
            facts = list(_facts(code, place, name, english))
            if len(facts) >= 4:
                found[code] = facts
    return found


def _facts(code: str, place: str, name: str, english: Locale) -> Iterator[_Fact]:
    currencies = numbers.get_territory_currencies(code)
    if len(currencies) == 1 and (currency := _names(english.currencies).get(str(currencies[0]))):
        slots = {"place": place, "currency": currency, "code": str(currencies[0])}
        yield _Fact(_TOPICS["currency"], slots)
    official = languages.get_official_languages(code)
    if len(official) == 1 and official[0] in english.languages:
        yield _Fact(_TOPICS["official"], {"place": place, "language": english.languages[official[0]]})
        yield from _local(official[0], code, place, name, english)
    spoken = {
        language: round(about["population_percent"])
        for language, about in get_global("territory_languages").get(code, {}).items()
        if 2 <= about["population_percent"] <= 98 and language in english.languages
    }
    if spoken:
        language = max(spoken, key=lambda each: (spoken[each], each))
        slots = {"place": place, "language": english.languages[language], "share": f"{spoken[language]}%"}
        yield _Fact(_TOPICS["share"], slots)


def _local(language: str, code: str, place: str, name: str, english: Locale) -> Iterator[_Fact]:
    """What the country's own locale says."""
    try:
        locale = Locale.parse(f"{language}_{code}")
    except (UnknownLocaleError, ValueError):
        return
    day = english.days["format"]["wide"][locale.first_week_day]
    yield _Fact(_TOPICS["week"], {"place": place, "day": day})
    own = _names(locale.territories).get(code, name)
    if own != name:
        yield _Fact(_TOPICS["own name"], {"place": place, "name": own})
