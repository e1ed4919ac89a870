"""A trained run, to be used, measured and looked into.

What only one verb needs is imported when it is called: translating a sentence should start at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

from qkvae.config import TASKS, Family, from_dict, to_dict
from qkvae.config.names import as_typed
from qkvae.models import build
from qkvae.run import Run
from qkvae.run.place import require_file_place
from qkvae.tasks import Task, find_answerer, find_task
from qkvae.tasks.task import Aim, Answer, Answerer, settled

if TYPE_CHECKING:
    from qkvae.tasks.embedder import Embedder

Paths = str | Path | Sequence[str | Path]


def load(path: str | Path) -> LoadedRun:
    """A run, to be used, measured and looked into.

    Raises:
        ValueError: the folder is no run, or a part of it is missing or damaged.
    """
    return LoadedRun(Run.open(path))


class LoadedRun:
    """A trained run."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._answerer: Answerer | None = None

    @property
    def task(self) -> Task:
        """What can be done with a run of its task."""
        return find_task(self.run.task)

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.run.path

    @property
    def config(self) -> Any:
        """Every setting, with those of ``generation`` that were chosen on the validation data."""
        return settled(self.run)

    @property
    def answerer(self) -> Answerer:
        """Model, tokenizer and settings together: for translation a `Translator`."""
        if self._answerer is None:
            self._answerer = find_answerer(self.run)
        return self._answerer

    @property
    def model(self) -> Any:
        """The model, a plain `torch.nn.Module`."""
        return self.answerer.model

    @overload
    def use(self, inputs: str, generation: Any | None = None) -> str: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def use(self, inputs: Iterable[str], generation: Any | None = None) -> Iterator[Answer]: ...
    def use(self, inputs: str | Iterable[str], generation: Any | None = None) -> str | Iterator[Answer]:
        """Answer one input, or many as they come, in order; ``generation`` instead of the config's."""
        if isinstance(inputs, str):
            return next(self.answerer.stream([inputs], generation)).text
        return self.answerer.stream(inputs, generation)

    def evaluate(
        self, paths: Paths, report: str | Path | None = None, **columns: str | int | None
    ) -> dict[str, Any]:
        """Every figure on a test set; ``notes``: what was handled in reading it.

        Args:
            report: a page to write that shows them: of labelled pictures, signals and clips.
            columns: of a table, by name or number, as the task names them: ``source``, ``target``; and
                settings of ``generation`` by which is measured, such as ``samples``.

        Raises:
            ValueError: the data cannot be used, or the task has no such column or page.
        """
        known = to_dict(self.config.generation)
        measured = {name: value for name, value in columns.items() if name in known and value is not None}
        config = replace(self.config, generation=replace(self.config.generation, **measured))
        rest = {name: value for name, value in columns.items() if name not in measured}
        data = data_settings(self.run.task, paths, rest)
        if report is None:
            return self.task.evaluate(self.answerer, config, data)
        path = _to_write(report, "--report")
        found, page = self.task.measured(self.answerer, config, data, self.path.name)
        page.write(path)
        return found

    @property
    def embedder(self) -> Embedder:
        """What makes vectors of texts and of their tokens.

        Raises:
            ValueError: the run reads no text.
        """
        from qkvae.tasks.embedder import Embedder

        return Embedder.of(self.answerer, self.config)

    def embed(self, texts: Sequence[str], pool: str | None = None) -> Any:
        """The vector of every text, float32[texts, dim]; ``pool``: mean, first or last."""
        return self.embedder.texts(texts, pool)[0]

    def look(
        self,
        asked: str,
        out: str | Path | None = None,
        class_name: str | None = None,
        block: int | None = None,
    ) -> Path:
        """Write one page with what goes on inside while this input is answered.

        Args:
            class_name: what a classifier of pictures, signals or clips is asked about; what it tells if not
                given.
            block: where Grad-CAM is taken from there, counted from 1; the last if not given.

        Raises:
            ValueError: there is no such class or block, or the task has none to choose from.
        """
        path = _to_write(self.path / "look.html" if out is None else out, "--out")
        aim = Aim(class_name=class_name, block=block)
        return self.task.page(self.answerer, asked, self.path.name, aim).write(path)

    def prove(self) -> list[Any]:
        """The invariances that every model must keep, checked on this one."""
        from qkvae.prove import prove

        return list(prove(self.model))

    def info(self) -> dict[str, Any]:
        """What the run is: settings, size, how far it came, its last figures."""
        records = self.run.records()
        nothing: dict[str, Any] = {}
        last = next((r for r in reversed(records) if "step" in r), nothing)
        best = [r for r in records if r.get("best")]
        final = next((r for r in reversed(records) if r.get("event") == "final"), nothing)
        return {
            "path": str(self.path),
            "task": self.run.task,
            "version": self.run.version,
            "steps": last.get("step", 0),
            "seconds": last.get("seconds", 0.0),
            "parameters": _size(self.run.config),
            "best": best[-1] if best else None,
            "final": final or None,
            "resolved": self.run.resolved,
            "config": to_dict(self.config),
        }


def _to_write(path: str | Path, flag: str) -> Path:
    """The place of a page.

    Raises:
        FileNotFoundError, IsADirectoryError: its folder is not there, or it is a folder.
        ValueError: its name is not that of a page.
    """
    path = Path(path)
    require_file_place(path, flag)
    if path.suffix.lower() not in (".html", ".htm"):
        called = as_typed(path.with_suffix(".html"))
        raise ValueError(
            f"{flag} {path} does not end in .html, but a page of HTML is written: {flag} {called}"
        )
    return path


def listed(paths: Paths) -> list[str]:
    """One path or many, as a list of words."""
    return [str(paths)] if isinstance(paths, str | Path) else [str(path) for path in paths]


def data_settings(task: str, paths: Paths, settings: Mapping[str, Any], valid: Paths = ()) -> Any:
    """A task's data settings with these paths, and of the rest only what is said here.

    Raises:
        ValueError: the task has no such setting.
    """
    kind = TASKS[task]
    usual = kind().data
    groups = {each.name: value for each in fields(usual) if is_dataclass(value := getattr(usual, each.name))}
    found: dict[str, Any] = {"paths": tuple(listed(paths)), "valid": tuple(listed(valid))}
    for name, value in settings.items():
        if value is None:
            continue
        place = next((place for place, group in groups.items() if hasattr(group, name)), None)
        known, under = (usual, found) if place is None else (groups[place], found.setdefault(place, {}))
        # A column may be given by its number, which the settings hold as text.
        is_column = isinstance(value, int) and getattr(known, name, None) is None
        under[name] = str(value) if is_column else value
    return from_dict(kind, {"data": found}).data


def _size(config: Any) -> int:
    """How many numbers a model of these settings learns; none are made for it."""
    import torch

    with torch.device("meta"):
        model: torch.nn.Module = build(cast("Family", config.model))
    return sum(p.numel() for p in model.parameters())
