"""Words of messages: the known name nearest to an unknown one, how many there are of something, paths."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable
from pathlib import Path


def nearest(name: str, known: Iterable[str]) -> str:
    """A sentence that helps after an unknown name: the nearest known one, or all of them.

    A name that lacks only the group it belongs to is nearer than one that looks like it.

    >>> nearest("translatoin", ["translation", "vae"])
    'did you mean "translation"?'
    >>> nearest("--dropout", ["--bpe-dropout", "--model.dropout"])
    'did you mean "--model.dropout"?'
    >>> nearest("xyz", ["relu", "gelu"])
    'known: gelu, relu'
    """
    known = sorted(known)
    grouped = [each for each in known if each.rpartition(".")[2] == name.lstrip("-")]
    close = grouped or difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return f'did you mean "{close[0]}"?' if close else "known: " + ", ".join(known)


def as_typed(path: Path) -> str:
    """A path as it is typed in a command, which can be copied whatever stands in it.

    >>> as_typed(Path("runs/mine")), as_typed(Path("runs/my own"))
    ('runs/mine', "'runs/my own'")
    """
    return shlex.quote(path.as_posix())


def many(count: int, noun: str) -> str:
    """A number and what it counts.

    >>> many(1, "pair"), many(2000, "pair"), many(2, "class"), many(3, "axis")
    ('1 pair', '2,000 pairs', '2 classes', '3 axes')
    """
    stem, ending = (noun.removesuffix("is"), "es") if noun.endswith("s") else (noun, "s")
    return f"{count:,} {noun if count == 1 else stem + ending}"
