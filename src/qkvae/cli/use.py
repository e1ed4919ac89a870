"""``qkvae use RUN``: one answer line per input line, in order."""

from __future__ import annotations

import dataclasses
import gzip
import io
import itertools
import lzma
import sys
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from qkvae.cli.flags import Flag, Settings, flags_of, with_flags
from qkvae.cli.terminal import put, say, to_json
from qkvae.config import TASKS

if TYPE_CHECKING:
    from qkvae.tasks.task import Answer, Speaker

_READ = 1 << 16


def _use(
    run: Path,
    /,
    *text: str,
    file: Path | None = None,
    json: bool = False,
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
    """
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
    wanted = _generation(loaded.config.generation, settings, loaded.task.name) if settings else None
    answerer = loaded.answerer
    number, cut = 0, list[Any]()
    groups: Iterable[Iterable[str]] = _inputs(text, file)
    if isinstance(answerer, Speaker):
        inputs = itertools.chain.from_iterable(groups)
        if (typing or len(text) == 1) and not json:
            return _speak(answerer, inputs, wanted)
        groups = [inputs] if answerer.in_turn else groups
    for lines in groups:
        for answer in loaded.use(lines, wanted):
            number += 1
            if answer.cut:
                cut.append(answer)
            for line in [to_json(answer.record())] if json else answerer.lines(answer, number, wanted):
                put(line)
    if told := answerer.said_of_cuts(cut):
        say(f"note: {told}")
    return 0


def _speak(answerer: Speaker, inputs: Iterable[str], wanted: Any) -> int:
    """Show every answer while it is written."""
    for pieces in answerer.speak(inputs, wanted):
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
    """The run's settings with those typed in their place.

    Raises:
        ValueError: the run's task has no such setting.
    """
    names = [field.name for field in dataclasses.fields(known)]
    for name in typed:
        if name not in names:
            flags = ", ".join(f"--{each.replace('_', '-')}" for each in names)
            raise ValueError(f"--{name.replace('_', '-')} has no effect on a run of {task}: it has {flags}")
    return dataclasses.replace(known, **typed)


def _flags() -> list[Flag]:
    """The settings of ``generation`` of all tasks.  What is not typed is as the run was trained to do it, so
    no default can be shown here."""
    found = {flag.key: flag for kind in TASKS.values() for flag in flags_of(type(kind().generation))}
    return [dataclasses.replace(flag, default=None) for flag in found.values()]


use = with_flags(_use, _flags())


def _inputs(text: tuple[str, ...], file: Path | None) -> Iterator[list[str]]:
    """The inputs, in groups of as many as are there already."""
    if text:
        yield list(text)
    elif file:
        with _opened(file) as stream:
            yield from groups(stream, str(file))
    else:
        stream = cast("io.BufferedIOBase", sys.stdin.buffer)
        yield from _typed(stream) if sys.stdin.isatty() else groups(stream, "stdin")


def _typed(stream: io.BufferedIOBase) -> Iterator[list[str]]:
    """Lines of somebody who sits there, each asked for by a prompt."""
    for number in itertools.count():
        print("> ", end="", file=sys.stderr, flush=True)
        if not (line := stream.readline()):
            say("")
            return
        yield list(_decoded([line.removesuffix(b"\n")], "stdin", number))


def groups(stream: io.BufferedIOBase, name: str) -> Iterator[list[str]]:
    """Lines of a UTF-8 stream, as many at a time as have arrived.

    A line typed or piped alone is handed on at once; many that are waiting come together, so that they can be
    answered side by side.

    Raises:
        ValueError: a line is not UTF-8.
    """
    number, rest = 0, b""
    while part := stream.read1(_READ):
        *whole, rest = (rest + part).split(b"\n")
        if whole:
            yield list(_decoded(whole, name, number))
            number += len(whole)
    if rest:
        yield list(_decoded([rest], name, number))


def _decoded(lines: Iterable[bytes], name: str, before: int) -> Iterator[str]:
    for number, line in enumerate(lines, before + 1):
        try:
            yield line.removesuffix(b"\r").decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{name}, line {number} is not UTF-8 (byte 0x{line[error.start]:02x} at {error.start + 1}): "
                "convert it to UTF-8 first"
            ) from error


def _opened(file: Path) -> io.BufferedIOBase:
    if file.suffix == ".gz":
        return gzip.open(file, "rb")
    if file.suffix == ".xz":
        return lzma.open(file, "rb")
    return file.open("rb")
