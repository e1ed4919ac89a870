"""An exception as an exit code and one line: 2 for what the user can mend, 1 for what failed under them."""

from __future__ import annotations

from cyclopts import CycloptsError
from cyclopts.exceptions import UnknownCommandError, UnknownOptionError, UnusedCliTokensError

from qkvae.config import TASKS, nearest

USER, MACHINE = 2, 1

_ELSEWHERE = {
    "report": "a finished training has written RUN/report.html; qkvae look and eval --report write pages",
    "serve": "pages are files to open in a browser: RUN/report.html, and what qkvae look writes",
}
"""Verbs that people look for, and where they find what they want."""

_MENDABLE = (
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
    ValueError,
    ImportError,
)


def explain(error: Exception) -> tuple[int, str]:
    """The exit code and the line for an error.

    >>> explain(ValueError("heads must divide dim"))
    (2, 'heads must divide dim')
    >>> explain(FileNotFoundError(2, "No such file or directory", "train.en"))
    (2, 'train.en: no such file or directory')
    >>> explain(OSError(28, "No space left on device"))
    (1, 'no space left on device')
    """
    if isinstance(error, CycloptsError):
        return USER, _one_line(_misused(error))
    if isinstance(error, OSError) and error.strerror:
        cause = error.strerror[:1].lower() + error.strerror[1:]
        line = cause if error.filename is None else f"{error.filename}: {cause}"
    elif isinstance(error, MemoryError):
        line = "out of memory"
    else:
        line = str(error) or type(error).__name__
    code = USER if isinstance(error, _MENDABLE) else MACHINE
    if not is_expected(error):
        line = f"unexpected {type(error).__name__}: {line}"
    return code, _one_line(line)


def is_expected(error: Exception) -> bool:
    """Whether the error is one the line explains fully, and no sign of a fault in this program."""
    return isinstance(error, (CycloptsError, OSError, MemoryError, *_MENDABLE))


def _misused(error: CycloptsError) -> str:
    """The sentence for words the parser could not use; an unknown name gets the nearest known one."""
    if isinstance(error, UnknownOptionError):
        typed = (error.token.keyword or error.token.value).split("=", 1)[0]
        known = {name for argument in error.argument_collection if argument.parse for name in argument.names}
        flags = sorted(name for name in known if name.startswith("--"))
        hint = nearest(typed, flags)
        return f"unknown option {typed}: " + (
            hint if hint.startswith("did you") else "--help lists all options"
        )
    if isinstance(error, UnknownCommandError) and error.unused_tokens and error.app is not None:
        typed, known = error.unused_tokens[0], [name for name in error.app if not name.startswith("-")]
        what = "verb" if not error.command_chain else "task" if set(known) <= set(TASKS) else "command"
        told = _ELSEWHERE.get(typed) if what == "verb" else None
        return f'unknown {what} "{typed}": {told or nearest(typed, known)}'
    if isinstance(error, UnusedCliTokensError) and error.unused_tokens:
        return f'there is no place for "{error.unused_tokens[0]}": --help shows what the verb takes'
    text = str(error)
    return text[:1].lower() + text[1:]


def _one_line(text: str) -> str:
    return " ".join(text.split())
