"""``config.json``: which task a run is of, every setting, and what was found out when it started."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import qkvae
from qkvae.config import TASKS, TaskConfig, from_dict, nearest, to_dict
from qkvae.config.names import as_typed
from qkvae.run.atomic import write_json
from qkvae.run.errors import DamagedPart, NotARun, plainly
from qkvae.run.older import brought_up_to_date

FORMAT = 4
"""Raised when a reader of the format before could misread a run; every lower number is read for ever."""

_FIELDS = {"format": int, "qkvae": str, "task": str, "family": str, "settings": dict, "resolved": dict}
_CURE = "put it back as qkvae wrote it"


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """The content of a run's ``config.json``."""

    task: str
    """The task's name, a key of ``TASKS``."""

    config: TaskConfig
    """Every setting."""

    resolved: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Facts settled when the run started: precision, device, threads."""

    version: str = qkvae.__version__
    """The qkvae that wrote it."""


def write_manifest(path: Path, manifest: Manifest) -> None:
    """Write ``config.json`` atomically.

    Raises:
        StorageError: the disk refused; the old file stays.
    """
    write_json(
        path,
        {
            "format": FORMAT,
            "qkvae": manifest.version,
            "task": manifest.task,
            "family": type(manifest.config.model).__name__.lower(),
            "settings": to_dict(manifest.config),
            "resolved": dict(manifest.resolved),
        },
    )


def read_manifest(path: Path) -> Manifest:
    """Read ``config.json`` strictly; settings that a later qkvae added take their defaults.

    Raises:
        NotARun: the file is another program's.
        DamagedPart: it is not what qkvae wrote, or was written by a newer format than this one reads.
    """
    values = read_json_object(path)
    if "format" not in values or "task" not in values:
        cure = "give the folder that qkvae train --out made"
        if "model_type" in values:
            made = f"qkvae import {as_typed(path.parent)} --out RUN makes one of it"
            cure = f"it is of a Hugging Face model: {made}"
        raise NotARun(f"{path} is no config of a qkvae run: {cure}")
    version = values["format"]
    if isinstance(version, int) and version > FORMAT:
        raise DamagedPart(
            f"{path} has format {version}, written by qkvae {values.get('qkvae', '?')}, but this qkvae "
            f"{qkvae.__version__} reads formats up to {FORMAT}: pip install --upgrade qkvae"
        )
    for name, value in values.items():
        kind = _FIELDS.get(name)
        if kind is None:
            raise DamagedPart(f'{path}: unknown field "{name}": {nearest(name, _FIELDS)}; {_CURE}')
        if not isinstance(value, kind) or isinstance(value, bool):
            raise DamagedPart(f"{path}: {name} is {value!r}, but must be of type {kind.__name__}; {_CURE}")
    task = values["task"]
    if task not in TASKS:
        raise DamagedPart(f'{path}: unknown task "{task}": {nearest(task, TASKS)}; {_CURE}')
    settings = values.get("settings", {})
    if version < FORMAT:
        settings = brought_up_to_date(settings)
    try:
        config = from_dict(TASKS[task], settings)
    except ValueError as error:
        raise DamagedPart(f"{path}: {error}; {_CURE}") from None
    return Manifest(
        task=task, config=config, resolved=values.get("resolved", {}), version=values.get("qkvae", "unknown")
    )


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON object from a file of a run.

    Raises:
        DamagedPart: it is no JSON object.
        StorageError: it cannot be read.
    """
    with plainly(path, "read"):
        content = path.read_bytes()
    try:
        values = cast(object, json.loads(content.decode("utf-8")))
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise DamagedPart(f"{path}, {where}: not JSON ({error.msg}); {_CURE}") from None
    except UnicodeDecodeError as error:
        raise DamagedPart(f"{path}: not UTF-8 text (byte {error.start}); {_CURE}") from None
    if not isinstance(values, dict):
        raise DamagedPart(f"{path}: holds {type(values).__name__}, but must be a JSON object; {_CURE}")
    return cast("dict[str, Any]", values)
