"""Files are one concept, functions one thought, and nothing in a run folder can run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from style_files import FILES, called, name, tree

LINES_OF_A_FILE = 350
LINES_OF_A_FUNCTION = 60
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {"eval", "exec", "torch.load", "torch.save", "numpy.load", "np.load", "numpy.save", "np.save"}


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_file_is_one_concept(path: Path) -> None:
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= LINES_OF_A_FILE, f"{name(path)} has {lines} lines: split it by concept"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_a_function_is_one_thought(path: Path) -> None:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            lines = (node.end_lineno or node.lineno) - first.lineno + 1
            assert lines <= LINES_OF_A_FUNCTION, f"{name(path)}: {node.name} has {lines} lines of code"


@pytest.mark.parametrize("path", FILES, ids=name)
def test_nothing_runs_what_a_file_says(path: Path) -> None:
    parsed = tree(path)
    imported: set[str] = set()
    for node in ast.walk(parsed):
        if isinstance(node, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add((node.module or "").split(".")[0])
    assert not imported & UNSAFE_MODULES
    unsafe = [
        f"line {call.lineno}: {function}" for function, call in called(parsed) if function in UNSAFE_CALLS
    ]
    assert not unsafe


@pytest.mark.parametrize("path", FILES, ids=name)
def test_text_is_utf8_on_every_system(path: Path) -> None:
    """Without an encoding Windows reads and writes its own code page."""
    for function, call in called(tree(path)):
        verb = function.rsplit(".", 1)[-1]
        said = {keyword.arg for keyword in call.keywords}
        if verb in ("read_text", "write_text"):
            assert "encoding" in said, f"{name(path)}, line {call.lineno}: {function} without encoding"
        if function == "open" or (verb == "open" and function.startswith(("path.", "file.", "Path("))):
            position = 1 if function == "open" else 0
            mode = call.args[position] if len(call.args) > position else None
            binary = isinstance(mode, ast.Constant) and "b" in str(mode.value)
            dynamic = mode is not None and not isinstance(mode, ast.Constant)
            assert binary or dynamic or "encoding" in said, f"{name(path)}, line {call.lineno}: {function}"
