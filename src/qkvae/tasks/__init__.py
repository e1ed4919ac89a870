"""One folder per task: its record of verbs, corpus, objective, evaluation, answers, ending."""

from __future__ import annotations

import importlib

from qkvae.config import TASKS, nearest
from qkvae.run import Run
from qkvae.tasks.task import Answerer, Task

__all__ = ["Task", "find_answerer", "find_task"]


def find_task(name: str) -> Task:
    """What a task of this name gives the verbs; its modules are imported only now.

    Raises:
        ValueError: no task has this name.

    >>> find_task("translation").name
    'translation'
    """
    task: Task = importlib.import_module(f"{_folder(name)}.task").TASK
    return task


def find_answerer(run: Run) -> Answerer:
    """A run, ready to answer.  What only training needs is not imported: it should answer at once.

    Raises:
        ValueError: a part of the run is missing or damaged.
    """
    return importlib.import_module(_folder(run.task)).Answerer.from_run(run)


def _folder(name: str) -> str:
    if name not in TASKS:
        raise ValueError(f'unknown task "{name}": {nearest(name, TASKS)}')
    return f"qkvae.tasks.{name.replace('-', '_')}"
