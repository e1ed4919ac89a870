"""``qkvae use RUN``: one answer line per input line, in order."""

from __future__ import annotations

import dataclasses
import itertools
import sys
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from qkvae.cli.embed import Wanted, refuse_terminal, tell_neighbours, write_vectors
from qkvae.cli.flags import Flag, Settings, flags_of, with_flags
from qkvae.cli.inputs import inputs
from qkvae.cli.terminal import put, say, to_json
from qkvae.config import TASKS

if TYPE_CHECKING:
    from qkvae.tasks.task import Answer, Speaker


def _use(
    run: Path,
    /,
    *text: str,
    file: Path | None = None,
    json: bool = False,
    embed: bool = False,
    neighbours: Path | None = None,
    pool: Literal["mean", "first", "last"] | None = None,
    level: Literal["sentence", "token"] | None = None,
    out: Path | None = None,
    count: int | None = None,
    settings: Settings,
) -> int:
    """Answer with a trained run: each TEXT, or each line of --file or stdin.

    With --nbest above 1, each answer is a line of input number, score and text, separated by tabs.  A text
    that is continued is shown while it is written where there is one input, and a run that learned from
    conversations answers as one: each input is what the user says next.

    Parameters
    ----------
    run
        Folder of the run.
    text
        Inputs; the lines of stdin if none.
    file
        A file of one input per line (plain, .gz or .xz) instead.
    json
        One JSON line per input, with all that is known of the answer.
    embed
        Instead of answers the vectors of the inputs, as a NumPy array to a pipe or to --out.
    neighbours
        Instead of answers the lines of this file that are nearest to each input: number, cosine, line.
    pool
        With --embed and --neighbours: what stands for a text; as the run was trained, or the mean.
    level
        With --embed: one vector for each input (sentence) or for each of its tokens (token).
    out
        With --embed: a file .npy, .npz or .parquet instead of stdout.
    count
        With --neighbours: how many lines; 10 if not given.
    """
    wanted = Wanted(embed=embed, neighbours=neighbours, pool=pool, level=level, out=out, count=count)
    if wanted:
        refuse_terminal(wanted, json)
        for name in settings:
            flag, verb = f"--{name.replace('_', '-')}", "--embed" if embed else "--neighbours"
            raise ValueError(f"{flag} has no effect with {verb}: leave it out")
    if text and file:
        raise ValueError(f"TEXT and --file {file} exclude each other: give one of them")
    if file is not None and not file.is_file():
        raise FileNotFoundError(f"{file} is no file")

    typing = not text and file is None and sys.stdin.isatty()
    if typing:
        say("type one input per line; an end of file (Ctrl-D, on Windows Ctrl-Z and Enter) ends")

    from qkvae import api
    from qkvae.tasks.task import Speaker

    loaded = api.load(run)
    if wanted:
        work = write_vectors if wanted.embed else tell_neighbours
        return work(loaded.embedder, inputs(text, file), wanted, json)
    generation = _generation(loaded.config.generation, settings, loaded.task.name) if settings else None
    answerer = loaded.answerer
    number, cut = 0, list[Any]()
    groups: Iterable[Iterable[str]] = inputs(text, file)
    if isinstance(answerer, Speaker):
        every = itertools.chain.from_iterable(groups)
        if (typing or len(text) == 1) and not json:
            return _speak(answerer, every, generation)
        groups = [every] if answerer.in_turn else groups
    for lines in groups:
        for answer in loaded.use(lines, generation):
            number += 1
            if answer.cut:
                cut.append(answer)
            for line in [to_json(answer.record())] if json else answerer.lines(answer, number, generation):
                put(line)
    if told := answerer.said_of_cuts(cut):
        say(f"note: {told}")
    return 0


def _speak(answerer: Speaker, lines: Iterable[str], wanted: Any) -> int:
    """Show every answer while it is written."""
    for pieces in answerer.speak(lines, wanted):
        answer = _shown(pieces)
        put("")
        if answer.cut and (told := answerer.said_of_cuts([answer])):
            say(f"note: {told}")
    return 0


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
    names = [field.name for field in dataclasses.fields(known)]
    for name in typed:
        if name not in names:
            flags = ", ".join(f"--{each.replace('_', '-')}" for each in names)
            raise ValueError(f"--{name.replace('_', '-')} has no effect on a run of {task}: it has {flags}")
    if typed.get("sample") and "beam" in names:
        typed = {"beam": 1, **typed}
    return dataclasses.replace(known, **typed)


def _flags() -> list[Flag]:
    """The settings of ``generation`` of all tasks.  What is not typed is as the run was trained to do it, so
    no default can be shown here."""
    found = {flag.key: flag for kind in TASKS.values() for flag in flags_of(type(kind().generation))}
    return [dataclasses.replace(flag, default=None) for flag in found.values()]


use = with_flags(_use, _flags())
