"""The notebook's cells run in their order, and show what they showed when it was written."""

from __future__ import annotations

import ast
import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from qkvae.tasks.translation import corpus

NOTEBOOK = Path(__file__).parents[2] / "docs" / "notebook.ipynb"
LENGTH = "steps=200, validations=2"


def code_cells() -> list[dict[str, Any]]:
    document = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert document["nbformat"] == 4
    return [cell for cell in document["cells"] if cell["cell_type"] == "code"]


def run(code: str, names: dict[str, Any]) -> list[str]:
    """What a cell prints, and the value of its last line as a notebook shows it."""
    body = ast.parse(code).body
    printed, shown = io.StringIO(), list[str]()
    with contextlib.redirect_stdout(printed):
        for statement in body:
            if statement is body[-1] and isinstance(statement, ast.Expr):
                value = eval(compile(ast.Expression(statement.value), "cell", "eval"), names)  # noqa: S307
                shown = [] if value is None else [repr(value)]
            else:
                exec(compile(ast.Module([statement], []), "cell", "exec"), names)
    return [text for text in (printed.getvalue(), *shown) if text]


def written(cell: dict[str, Any]) -> list[str]:
    return ["".join(out.get("text") or out["data"]["text/plain"]) for out in cell["outputs"]]


@pytest.mark.parametrize(
    "length", ["steps=4, validations=2", pytest.param(LENGTH, marks=pytest.mark.slow)], ids=["short", "whole"]
)
def test_every_cell_runs(length: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    if length != LENGTH:
        monkeypatch.setattr(corpus, "_DEFAULT_COUNT", 4000)
    names: dict[str, Any] = {"__name__": "__main__"}
    cells = code_cells()
    assert sum(LENGTH in "".join(cell["source"]) for cell in cells) == 1
    for cell in cells:
        shown = run("".join(cell["source"]).replace(LENGTH, length), names)
        assert len(shown) == len(written(cell))
        if any(part in "".join(cell["source"]) for part in ("taps(run.model)", "Mask(", "FeedForward(")):
            assert shown == written(cell)
    assert (tmp_path / "look.html").is_file()


def test_its_outputs_are_small() -> None:
    assert NOTEBOOK.stat().st_size < 20_000
    assert all(len("".join(written(cell))) < 1_000 for cell in code_cells())
