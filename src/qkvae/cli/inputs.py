"""The inputs of ``qkvae use``: typed, piped, or the lines of a file; as many at a time as are there."""

from __future__ import annotations

import io
import itertools
import sys
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import cast

from qkvae.cli.terminal import say

_READ = 1 << 16


def require_inputs(typed: tuple[str, ...], file: Path | None) -> None:
    """Refuse inputs that are named twice, or are not there.

    Raises:
        ValueError: there are typed ones and a file.
        FileNotFoundError: there is no such file.
    """
    if typed and file:
        raise ValueError(f"INPUT and --file {file} exclude each other: give one of them")
    if file is not None and not file.is_file():
        raise FileNotFoundError(f"{file} is no file")


def is_typing(typed: tuple[str, ...], file: Path | None) -> bool:
    """Whether somebody sits there and types the inputs one by one."""
    return not typed and file is None and sys.stdin.isatty()


def inputs(typed: tuple[str, ...], file: Path | None) -> Generator[list[str]]:
    """The inputs, in groups of as many as are there already; nothing is read before the first is asked for.

    Raises:
        ValueError: a line is not UTF-8, or the file is damaged or cut short.
    """
    if typed:
        yield list(typed)
    elif file:
        from qkvae.data.files import TextFile, opened

        with opened(TextFile(file)) as stream:
            yield from groups(stream, str(file))
    else:
        stream = cast("io.BufferedIOBase", sys.stdin.buffer)
        yield from _typed(stream) if is_typing(typed, file) else groups(stream, "stdin")


def _typed(stream: io.BufferedIOBase) -> Iterator[list[str]]:
    """Lines of somebody who sits there, each asked for by a prompt."""
    say("type one input per line; an end of file (Ctrl-D, on Windows Ctrl-Z and Enter) ends")
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
