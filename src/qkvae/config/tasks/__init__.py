"""One file per task, with everything that decides a run of it; and the table of them."""

from qkvae.config.tasks.translation import Translation, TranslationData

TaskConfig = Translation
"""The settings of a run of any task."""

TASKS: dict[str, type[TaskConfig]] = {"translation": Translation}
"""The tasks by their names, which are the field's own."""

__all__ = ["TASKS", "TaskConfig", "Translation", "TranslationData"]
