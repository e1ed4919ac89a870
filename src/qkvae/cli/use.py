"""``qkvae use RUN``: one answer line per input line, in order; or what else a run does."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qkvae.cli.flags import Flag, Settings, flags_of, with_flags
from qkvae.cli.inputs import inputs, is_typing, require_inputs
from qkvae.cli.terminal import Output, put, say, to_json
from qkvae.config import TASKS
from qkvae.config.uses import asking

if TYPE_CHECKING:
    from qkvae.loaded import LoadedRun
    from qkvae.tasks.task import Answer, Speaker

_USES = tuple(dict.fromkeys(use for kind in TASKS.values() for use in kind.USES))


def _use(run: Path, /, *input: str, file: Path | None = None, json: bool = False, settings: Settings) -> int:
    """Answer with a trained run: each INPUT, or each line of --file or stdin.

    With --nbest above 1, each answer is a line of input number, score and text, separated by tabs.  A text
    that is continued is shown while it is written where there is one input, and a run that learned from
    conversations answers as one: each input is what the user says next.

    Parameters
    ----------
    run
        Folder of the run.
    input
        Inputs: text, or the path of a picture or a table, as the run reads; the lines of stdin if none.
    file
        A file of one input per line (plain, .gz or .xz) instead.
    json
        One JSON line per input, with all that is known of the answer.
    """
    require_inputs(input, file)
    from qkvae import api

    loaded, groups = api.load(run), inputs(input, file)
    asked = _instead(settings, loaded.run.task)
    if asked is not None:
        _do(asked, loaded, groups, json)
        if (input or file) and inspect.getgeneratorstate(groups) == inspect.GEN_CREATED:
            say("note: the inputs were not read: nothing was asked of them")
        return 0
    generation = _generation(loaded.config.generation, settings, loaded.run.task) if settings else None
    alone = len(input) == 1 or is_typing(input, file)
    _answer(loaded, _Counted(groups), generation, json, alone)
    return 0


def _instead(typed: Settings, task: str) -> Any | None:
    """What was asked for instead of answers, if anything was.

    Raises:
        ValueError: two things were, runs of this task cannot, or a setting has no effect on what was.
    """
    own, answering = TASKS[task].USES, _names(type(TASKS[task]().generation))
    switches = {asking(use) for use in own}
    for name in (asking(use) for use in _USES):
        if typed.get(name) and name not in (*switches, *answering):
            raise ValueError(f"{_flag(name)} has no effect on a run of {task}: leave it out")
    asked = [use for use in own if typed.get(asking(use))]
    if len(asked) > 1:
        one, other = (_flag(asking(use)) for use in asked[:2])
        raise ValueError(f"{one} and {other} exclude each other: give one of them")
    for name, value in typed.items():
        knowing = [use for use in own if name in _names(use)]
        if asked and asked[0] not in knowing:
            told = f"with {_flag(asking(asked[0]))}"
        elif not asked and knowing and name not in answering:
            told = f"without {' or '.join(_flag(asking(use)) for use in knowing)}"
        else:
            continue
        raise ValueError(f"{_flag(name)} {value} has no effect {told}: leave it out")
    return asked[0](**typed) if asked else None


def _do(asked: Any, loaded: LoadedRun, groups: Iterable[list[str]], json: bool) -> None:
    """Do what was asked for instead of answering."""
    from qkvae.tasks.uses import find_use

    find_use(asked)(loaded.run, asked, groups, Output(json=json))


class _Counted:
    """Groups of inputs, and how many of those read hold nothing."""

    def __init__(self, groups: Iterable[list[str]]) -> None:
        self.empty, self._groups = 0, groups

    def __iter__(self) -> Iterator[list[str]]:
        for lines in self._groups:
            self.empty += sum(not line.strip() for line in lines)
            yield lines


def _answer(loaded: LoadedRun, counted: _Counted, generation: Any, json: bool, alone: bool) -> None:
    """Answer all inputs; those of somebody who waits for one answer are shown while they are written."""
    from qkvae.tasks.task import Speaker

    answerer, groups = loaded.answerer, iter(counted)
    number, empty, cut = 0, 0, list[Any]()
    batches: Iterable[Iterable[str]] = groups
    if isinstance(answerer, Speaker):
        every = itertools.chain.from_iterable(groups)
        if alone and not json:
            _speak(answerer, every, generation)
            return
        batches = [every] if answerer.in_turn else groups
    for lines in batches:
        for answer in loaded.use(lines, generation):
            number += 1
            empty += not answer.text.strip()
            if answer.cut:
                cut.append(answer)
            for line in [to_json(answer.record())] if json else answerer.lines(answer, number, generation):
                put(line)
    if told := answerer.said_of_cuts(cut):
        say(f"note: {told}")
    if unanswered := min(empty, counted.empty):
        what = "an input is" if unanswered == 1 else f"{unanswered:,} inputs are"
        say(f"note: {what} empty, and so is what is answered")


def _speak(answerer: Speaker, lines: Iterable[str], wanted: Any) -> None:
    """Show every answer while it is written."""
    for pieces in answerer.speak(lines, wanted):
        answer = _shown(pieces)
        put("")
        if answer.cut and (told := answerer.said_of_cuts([answer])):
            say(f"note: {told}")


def _shown(pieces: Generator[str, None, Answer]) -> Answer:
    """Print each piece at once; the answer comes back."""
    while True:
        try:
            print(next(pieces), end="", flush=True)
        except StopIteration as end:
            return end.value


def _generation(known: Any, typed: Settings, task: str) -> Any:
    """The run's settings with those typed in their place; who asks for a sample asks for no search.

    Raises:
        ValueError: the run's task has no such setting.
    """
    names = _names(type(known))
    for name in typed:
        if name not in names:
            has = ", ".join(map(_flag, names))
            raise ValueError(f"{_flag(name)} has no effect on a run of {task}: it has {has}")
    if typed.get("sample") and "beam" in names:
        typed = {"beam": 1, **typed}
    return dataclasses.replace(known, **typed)


def _names(kind: Any) -> list[str]:
    """The settings of a class, in their order."""
    return [field.name for field in dataclasses.fields(kind)]


def _flag(name: str) -> str:
    """How a setting is typed."""
    return f"--{name.replace('_', '-')}"


def _flags() -> list[Flag]:
    """The settings of ``generation`` of all tasks, and of what runs do instead.  What is not typed is as the
    run was trained to do it, so no default can be shown here."""
    kinds = [type(kind().generation) for kind in TASKS.values()]
    found = {flag.key: flag for kind in (*kinds, *_USES) for flag in flags_of(kind)}
    return [dataclasses.replace(flag, default=None) for flag in found.values()]


use = with_flags(_use, _flags())
