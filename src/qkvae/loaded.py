"""A trained run, to be used, measured and looked into.

What only one verb needs is imported when it is called: translating a sentence should start at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, overload

from qkvae.config import Generation, Translation, to_dict
from qkvae.models import Seq2Seq, build
from qkvae.run import Run
from qkvae.use import Answer, Translator

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
        self._translator: Translator | None = None

    @property
    def path(self) -> Path:
        """Its folder."""
        return self.run.path

    @property
    def config(self) -> Translation:
        """Every setting, with the length penalty that was chosen on the validation data."""
        chosen = self.run.resolved.get("generation", {})
        config = self.run.config
        return replace(config, generation=replace(config.generation, **chosen))

    @property
    def translator(self) -> Translator:
        """Model, tokenizer and settings together."""
        if self._translator is None:
            model = build(self.run.config.model).eval()
            self.run.load_into(model)
            self._translator = Translator(model, self.run.tokenizer, self.config.generation)
        return self._translator

    @property
    def model(self) -> Seq2Seq:
        """The model, a plain `torch.nn.Module`."""
        return self.translator.model

    @overload
    def use(self, lines: str, generation: Generation | None = None) -> str: ...  # pyright: ignore[reportOverlappingOverload]
    @overload
    def use(self, lines: Iterable[str], generation: Generation | None = None) -> Iterator[Answer]: ...
    def use(self, lines: str | Iterable[str], generation: Generation | None = None) -> str | Iterator[Answer]:
        """Translate one text, or many as they come, in order."""
        if isinstance(lines, str):
            return next(self.translator.stream([lines], generation)).texts[0]
        return self.translator.stream(lines, generation)

    def evaluate(
        self, paths: Paths, source: str | int | None = None, target: str | int | None = None
    ) -> dict[str, Any]:
        """Every figure on a test set (see `qkvae.evaluate`); ``notes``: what was handled in reading it."""
        from qkvae.data.sources import read_pairs
        from qkvae.evaluate import evaluate

        pairs = read_pairs(listed(paths), source, target, minimum=1)
        smoothing = self.config.data.label_smoothing
        found = evaluate(self.model, self.run.tokenizer, pairs, self.config.generation, smoothing=smoothing)
        return {**found, "notes": [str(note) for note in pairs.notes]}

    def look(self, text: str, out: str | Path | None = None) -> Path:
        """Write one page with the attention of every layer and head while the text is translated."""
        from qkvae.inspect.look import collect_look, write_look

        path = Path(out) if out is not None else self.path / "look.html"
        if not path.parent.is_dir():
            raise FileNotFoundError(f"{path.parent} is no folder: make it, or choose another --out")
        facts = collect_look(self.model, self.run.tokenizer, text, self.config.generation, run=self.path.name)
        return write_look(path, facts)

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


def listed(paths: Paths) -> list[str]:
    """One path or many, as a list of words."""
    return [str(paths)] if isinstance(paths, str | Path) else [str(path) for path in paths]


def _size(config: Translation) -> int:
    """How many numbers a model of these settings learns; none are made for it."""
    import torch

    with torch.device("meta"):
        return sum(p.numel() for p in build(config.model).parameters())
