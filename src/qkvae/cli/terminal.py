"""Words to a person (stderr) and results (stdout)."""

from __future__ import annotations

import io
import json
import math
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast


def speaks() -> bool:
    """Whether this process speaks: of several that torchrun started, the first does."""
    return os.environ.get("RANK", "0") == "0"


def say(text: str) -> None:
    """One message to a person, on stderr."""
    if speaks():
        complain(text)


def complain(text: str) -> None:
    """What went wrong, on stderr, whichever of several processes says it."""
    print(text, file=sys.stderr, flush=True)


def say_working(text: str) -> None:
    """What is being done, for a person who waits at a terminal; nothing for a log or a pipe."""
    if sys.stderr.isatty():
        say(text)


def require_data(data: tuple[str, ...]) -> None:
    """Refuse a verb without the DATA it is about.

    Raises:
        ValueError: there are none.
    """
    if not data:
        raise ValueError(
            "DATA requires an argument: files, tables, folders or the name of a data set, as for training"
        )


def as_epilogue(examples: str) -> str:
    """Examples as they end a help page."""
    return "Examples:\n" + "\n".join(f"  {line}".rstrip() for line in examples.splitlines())


def put(text: str) -> None:
    """One line of the result, on stdout, at once."""
    if speaks():
        print(text, flush=True)


def put_document(document: Mapping[str, Any], as_json: bool) -> None:
    """A result with several entries: one JSON document, or a table for a person, who is told its notes."""
    if as_json:
        put(to_json(document, indent=2))
        return
    for note in document.get("notes", ()):
        say(f"note: {note}")
    put(table({name: value for name, value in document.items() if name != "notes"}))


def to_json(value: Any, indent: int | None = None) -> str:
    """Strict JSON; a number that JSON cannot write (infinity, not-a-number) becomes null.

    >>> to_json({"perplexity": float("inf"), "bleu": 39.5})
    '{"perplexity": null, "bleu": 39.5}'
    """
    return json.dumps(_finite(value), ensure_ascii=False, allow_nan=False, indent=indent)


@dataclass(frozen=True, kw_only=True)
class Output:
    """Where a use of a run writes its results; see `qkvae.tasks.uses.Output`."""

    json: bool = False

    def binary(self) -> io.BufferedIOBase | None:
        """Where bytes may be written; None where a person would see them."""
        return None if sys.stdout.isatty() else cast("io.BufferedIOBase", sys.stdout.buffer)

    def put(self, text: str) -> None:
        """One line of the result."""
        put(text)

    def record(self, record: Mapping[str, Any]) -> None:
        """One line of the result, as JSON."""
        put(to_json(record))

    def say(self, text: str) -> None:
        """One sentence to a person."""
        say(text)


def table(document: Mapping[str, Any]) -> str:
    """Aligned rows of name and value; nested entries are named by their path.

    >>> print(table({"bleu": 39.512, "length": {"ratio": 0.98, "hypothesis": 12065}}))
    bleu               39.51
    length.ratio       0.98
    length.hypothesis  12065
    """
    rows = _rows(document, "")
    width = max((len(name) for name, _ in rows), default=0)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _rows(document: Mapping[str, Any], prefix: str) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, Mapping):
            rows += _rows(cast("Mapping[str, Any]", value), f"{prefix}{name}.")
        else:
            rows.append((prefix + name, _cell(value)))
    return rows


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_cell(item) for item in cast("list[Any]", value))
    return "-" if value is None else str(value)


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast("list[Any]", value)]
    return value
