"""Every module imports with the core dependencies alone, and no room imports a higher one."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from style_files import ROOT

IMPORT_ALL = """
import importlib, json, pkgutil, sys, warnings

blocked = set(json.loads(sys.argv[1]))

class Wall:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in blocked:
            raise ModuleNotFoundError(f"{name} is no core dependency", name=name)

sys.meta_path.insert(0, Wall())
warnings.simplefilter("ignore")  # other packages may warn that something optional is missing
import qkvae
failed = {}
names = [module.name for module in pkgutil.walk_packages(qkvae.__path__, "qkvae.")]
for name in names:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed[name] = f"{type(error).__name__}: {error}"
print(json.dumps({"names": names, "failed": failed}))
"""


def closure(project: str) -> set[str]:
    """A project and all it needs without extras."""
    found: set[str] = set()
    waiting = [project]
    while waiting:
        name = canonicalize_name(waiting.pop())
        if name in found:
            continue
        found.add(name)
        try:
            needs = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue  # needed on another system
        parsed = map(Requirement, needs)
        waiting += [need.name for need in parsed if not need.marker or need.marker.evaluate({"extra": ""})]
    return found


def test_every_module_imports_with_the_core_alone() -> None:
    core = closure("qkvae")
    assert "torch" in core
    assert "pytest" not in core
    blocked = sorted(
        module
        for module, owners in importlib.metadata.packages_distributions().items()
        if not {canonicalize_name(owner) for owner in owners} & core and module not in sys.stdlib_module_names
    )
    assert "pytest" in blocked
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, json.dumps(blocked)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert "qkvae.config.block" in result["names"]
    assert result["failed"] == {}


def test_no_room_imports_a_higher_one() -> None:
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 kept" in done.stdout
