"""A library that only remembers its calls, for the command line to call."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tiny_runs import TINY, write_pairs

from qkvae.cli import main
from qkvae.config import Generation, Translation
from qkvae.tasks.translation.translator import Answer, Translator


@dataclasses.dataclass
class Row:
    name: str
    holds: bool
    detail: str


class Found:
    """What a check found."""

    def __str__(self) -> str:
        return "2 duplicates"

    def to_dict(self) -> dict[str, Any]:
        return {"duplicates": 2}


class Printing(Translator):
    """What a translator prints, without a model."""

    def __init__(self) -> None:
        self.generation = Generation()


class Loaded:
    """A run that answers in capitals."""

    def __init__(self) -> None:
        self.config = Translation()
        self.answerer = Printing()
        self.run = types.SimpleNamespace(task="translation")
        self.groups: list[list[str]] = []
        self.generation: Generation | None = None
        self.rows = [Row("batch = single", True, "0.0e+00")]

    def use(self, lines: Iterable[str], generation: Generation | None = None) -> Iterator[Answer]:
        self.generation = generation
        self.groups.append(list(lines))
        nbest = (generation or self.config.generation).nbest
        for line in self.groups[-1]:
            texts = tuple(line.upper() + "!" * n for n in range(nbest))
            yield Answer(line, texts, tuple(-0.5 - n for n in range(nbest)))

    def evaluate(self, paths: Any, report: Path | None = None, **columns: str) -> dict[str, Any]:
        self.report = report
        return {"bleu": 39.5, "paths": list(paths), "perplexity": float("inf"), **columns}

    def look(self, text: str, out: Path, class_name: str | None = None, block: int | None = None) -> Path:
        self.aim = (class_name, block)
        out.write_text(text, encoding="utf-8")
        return out

    def info(self) -> dict[str, Any]:
        return {"task": "translation", "training": {"steps": 3}}

    def prove(self) -> list[Row]:
        return self.rows


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> types.SimpleNamespace:
    """The library behind the command line, replaced by one that only remembers its calls."""
    import qkvae

    monkeypatch.chdir(tmp_path)
    fake = types.SimpleNamespace(calls=[], loaded=Loaded())

    def train(task: str, config: Any, **options: Any) -> Loaded:
        fake.calls.append((task, config, options))
        return fake.loaded

    def resume(path: Any, quiet: bool = False) -> Loaded:
        fake.calls.append(("resume", path, quiet))
        return fake.loaded

    def check(task: str, paths: Any, valid: Any, **options: Any) -> Any:
        fake.calls.append((task, paths, valid, options))
        return Found()

    fake.train, fake.check = train, check
    fake.resume = resume
    fake.load = lambda path: fake.loaded
    fake.compare = lambda a, b, paths, **options: {"runs": [str(a), str(b)], "data": list(paths), **options}
    monkeypatch.setitem(sys.modules, "qkvae.api", fake)
    monkeypatch.setattr(qkvae, "api", fake, raising=False)
    return fake


@pytest.fixture(scope="session")
def trained_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``train.en``, ``train.de`` and a tiny ``run`` trained on them; not to be changed."""
    folder = tmp_path_factory.mktemp("trained")
    pairs = write_pairs(folder)
    asked = ["train", "translation", *map(str, pairs), *TINY, "--steps", "6", "--quiet", "--out"]
    assert main([*asked, str(folder / "run")]) == 0
    return folder


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it for one test, which works in it."""
    folder = tmp_path / "trained"
    shutil.copytree(trained_once, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("QKVAE_DATA", raising=False)
    return folder
