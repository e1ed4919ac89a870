"""What the README and the docs show works as it is shown."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from style_files import FILES, PAGES, ROOT, name

from qkvae.cli.app import build

FENCE = re.compile(r"^( *)```(\w+)[^\n]*\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)]*)?\)")
TRAINS = re.compile(r"\bqkvae\.(train|load)\b")


def blocks(page: Path, *languages: str) -> list[str]:
    """The code of a page in these languages, in order."""
    text = page.read_text(encoding="utf-8")
    return [code for _, language, code in FENCE.findall(text) if language in languages]


def commands(page: Path, first: str) -> list[list[str]]:
    """Every shell command of a page that calls ``first``, as its words."""
    found: list[list[str]] = []
    for block in blocks(page, "bash", "console", "powershell"):
        joined = block.replace("\\\n", " ").replace("`\n", " ")
        for line in joined.splitlines():
            for part in re.split(r"\s(?:\||&&)\s", line.strip().removeprefix("$ ")):
                program = re.match(rf"(?:\S+=\S+ )*(?:\S*[/\\])?{first}(\s.*|$)", part)
                if program:
                    words = re.sub(r"\s[<>]\s*\S+", "", program[1].replace("\\", "/"))
                    found.append(shlex.split(words, comments=True))
    return found


SHOWN = [(page, words) for page in PAGES for words in commands(page, "qkvae")]


def test_commands_are_found() -> None:
    assert any(page.name == "README.md" for page, _ in SHOWN)
    assert len(SHOWN) > 20


@pytest.mark.parametrize(
    ("page", "words"), SHOWN, ids=lambda part: name(part) if isinstance(part, Path) else None
)
def test_a_command_shown_is_one_that_the_command_line_takes(page: Path, words: list[str]) -> None:
    build().parse_args(words)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_target_of_make_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    for words in commands(page, "make"):
        assert words[0] in targets


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_link_leads_somewhere(page: Path) -> None:
    missing = [
        link for link in LINK.findall(page.read_text(encoding="utf-8")) if not (page.parent / link).exists()
    ]
    assert not missing


def run(page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Execute the Python of a page from top to bottom, as a reader would type it."""
    monkeypatch.chdir(folder)
    space: dict[str, object] = {"__name__": "__main__"}
    for code in blocks(page, "python"):
        exec(compile(code, name(page), "exec"), space)


def scripts(training: bool) -> list[Path]:
    """The pages with Python, those that train a model or the others."""
    found = [(page, "".join(blocks(page, "python"))) for page in PAGES]
    return [page for page, code in found if code and bool(TRAINS.search(code)) is training]


@pytest.mark.parametrize("page", scripts(training=False), ids=name)
def test_python_shown_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(page, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", scripts(training=True), ids=name)
def test_python_shown_trains(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(page, tmp_path, monkeypatch)


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=name)
def test_a_page_is_found(page: Path) -> None:
    """In the navigation, and from the first page."""
    assert f": {page.name}\n" in (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    if page.name != "index.md":
        assert f"]({page.name}" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def test_the_map_names_every_file() -> None:
    """By its name without the ending, wherever it fits."""
    words = set(re.findall(r"\w+", (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")))
    missing = [name(path) for path in FILES if path.stem != "__init__" and path.stem not in words]
    assert not missing, f"docs/architecture.md does not say what is in {', '.join(missing)}"


def test_every_benchmark_has_its_place() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    scripts = [
        path.name
        for path in (ROOT / "benchmarks").glob("*.py")
        if "__main__" in path.read_text(encoding="utf-8") and f"benchmarks/{path.name}" not in pages
    ]
    assert not scripts


def test_every_task_is_named_where_people_look() -> None:
    from qkvae.config import TASKS

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [task for task in TASKS if task not in readme]


@pytest.mark.parametrize("recipe", sorted((ROOT / "recipes").glob("*.toml")), ids=name)
def test_a_recipe_is_read_and_headed_by_how_to_run_it(recipe: Path) -> None:
    import tomllib

    from qkvae.cli.recipe import read_recipe
    from qkvae.config import TASKS, from_dict

    text = recipe.read_text(encoding="utf-8")
    task = tomllib.loads(text)["task"]
    assert f"qkvae train {task} --config recipes/{recipe.name}" in text
    read = read_recipe(recipe, task)
    from_dict(TASKS[task], read.settings)
    assert read.licence
    assert f"`{recipe.name}`" in (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
