"""A recipe: a TOML file with everything that decides a run."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from pathlib import Path

from qkvae.cli.flags import Settings, group
from qkvae.config import TASKS, nearest


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What a recipe file says."""

    task: str | None = None
    """The task it is for."""

    licence: str | None = None
    """The licence of its data, for the model card."""

    settings: Settings
    """The tables ``[data] [model] [optimizer] [training] [generation]``."""


def read_recipe(path: Path, task: str) -> Recipe:
    """Read a recipe for ``task``.

    Raises:
        FileNotFoundError: the recipe is not there.
        ValueError: no TOML, an unknown table, or a recipe for another task.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no recipe in TOML: {error}") from error
    meant, licence = document.pop("task", None), document.pop("licence", None)
    if meant not in (None, task):
        raise ValueError(f'{path} is a recipe for the task "{meant}", not for "{task}"')
    if not isinstance(licence, str | None):
        raise ValueError(f"{path}: licence is {licence!r}, but must be text")
    known = {field.name for field in fields(TASKS[task])}
    for name, table in document.items():
        if name not in known:
            raise ValueError(
                f'{path}: unknown setting "{name}": {nearest(name, {"task", "licence", *known})}'
            )
        if not isinstance(table, dict):
            raise ValueError(
                f"{path}: {name} is {table!r}, but is a table: write [{name}] above its settings"
            )
    if "vocab" in group(document, "model"):
        raise ValueError(
            f"{path}: model.vocab comes from the tokenizer: leave it out, or set data.vocab_size"
        )
    return Recipe(task=meant, licence=licence, settings=document)
