"""One folder per task: corpus, objective, evaluation, answers, ending; and the table of them."""

from __future__ import annotations

import importlib

from qkvae.config import TASKS, nearest
from qkvae.tasks.task import Task

__all__ = ["Task", "find_task"]


def find_task(name: str) -> Task:
    """What a task of this name gives the verbs; its modules are imported only now.

    Raises:
        ValueError: no task has this name.

    >>> find_task("translation").name
    'translation'
    """
    if name not in TASKS:
        raise ValueError(f'unknown task "{name}": {nearest(name, TASKS)}')
    module = importlib.import_module(f"qkvae.tasks.{name.replace('-', '_')}")
    task: Task = module.TASK
    return task
