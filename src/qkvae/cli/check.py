"""``qkvae data check TASK``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

from cyclopts import App

from qkvae.cli.flags import Flag, Settings, flags_of, paths_help, with_flags
from qkvae.cli.terminal import as_epilogue, put, require_data, say_working, to_json
from qkvae.cli.train import combine
from qkvae.config import TASKS, from_dict
from qkvae.config.examples import CHECKING

_KEPT = (
    "valid",
    "source",
    "target",
    "text",
    "pair",
    "label",
    "format",
    "max_length",
    "length",
    "separator",
    "kind",
    "ignore",
    "picture",
    "folder",
    "size",
    "channels",
    "fit",
    "most_pixels",
    "unreadable",
)
"""Settings of ``data`` that decide what is read, as far as a task has them."""


def _check(task: str, /, *data: str, json: bool = False, settings: Settings) -> int:
    """Check data.

    Parameters
    ----------
    data
        {paths}
    json
        One JSON document instead of a table.
    """
    require_data(data)
    asked = from_dict(TASKS[task], combine(data, settings, {})).data

    from qkvae import api

    say_working(f"reading {', '.join(asked.paths)}")
    places = [flag.path[1:] for flag in _flags(task) if flag.path[-1] != "valid"]
    kept = {place[-1]: reduce(getattr, place, asked) for place in places}
    report = api.check(task, asked.paths, asked.valid, **kept)
    put(to_json(report.to_dict(), indent=2) if json else str(report))
    return 0


def _flags(task: str) -> list[Flag]:
    """The settings of ``data`` that decide what is read."""
    return [flag for flag in flags_of(TASKS[task]) if flag.path[0] == "data" and flag.path[-1] in _KEPT]


def _command(task: str) -> Callable[..., int]:
    """The function behind ``qkvae data check TASK``."""
    command = with_flags(partial(_check, task), _flags(task))
    command.__doc__ = (_check.__doc__ or "").replace("{paths}", paths_help(task))
    return command


def _app() -> App:
    epilogue = as_epilogue(next(iter(CHECKING.values())))
    tasks = App(
        name="check",
        help="Say what is doubtful in the data: duplicates, leaks, swapped sides, what is cut.",
        help_epilogue=epilogue,
    )
    for task in TASKS:
        sentence = f"Check data for the task {task}."
        tasks.command(
            _command(task), name=task, help=sentence, help_epilogue=as_epilogue(CHECKING.get(task, ""))
        )
    data = App(name="data", help_epilogue=epilogue)
    data.command(tasks)
    return data


app = _app()
