"""The model card says what is known, and says so where nothing is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qkvae.config import Translation
from qkvae.run import Facts, Figure, Run, Source, write_card

TRAIN = Source(role="training", name="train.en + train.de", examples=29000)
COMMAND = "qkvae train translation train.en train.de --minutes 30 --out m30k"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "m30k", "translation", Translation())


def card(run: Run, **changes: Any) -> str:
    facts: dict[str, Any] = {
        "does": "Translates",
        "example": "It's here.",
        "limits": ("It errs.",),
        "sources": (TRAIN,),
        "parameters": 1,
        "command": COMMAND,
    }
    write_card(run, Facts(**(facts | changes)))
    return (run.path / "README.md").read_text(encoding="utf-8")


def test_the_card_holds_every_fact(run: Run) -> None:
    eval_command = "qkvae eval m30k test.en test.de"
    figure = Figure(name="bleu", value=39.5123, data="test_2016", command=eval_command)
    text = card(run, parameters=7_654_321, figures=(figure,), licence="CC BY 4.0")
    assert text.startswith("---\nlibrary_name: qkvae\npipeline_tag: translation\n---\n# m30k\n")
    for fact in (
        "| training | train.en + train.de | 29,000 |",
        "Licence of the data: CC BY 4.0.",
        "7,654,321 parameters",
        f"| bleu | 39.51 | test_2016 | `{eval_command}` |",
        COMMAND,
        f"qkvae use {run.path.as_posix()}",
        "Translates: a Seq2Seq Transformer of",
        'echo "It\'s here." | qkvae use',
        "## Limits\n- It errs.",
    ):
        assert fact in text


def test_the_card_names_a_pipeline_only_where_the_hub_has_one(tmp_path: Path) -> None:
    for task, line in (("vae", ""), ("image-generation", "pipeline_tag: unconditional-image-generation\n")):
        text = card(Run.create(tmp_path / task, task, Translation()))
        assert text.startswith(f"---\nlibrary_name: qkvae\n{line}---\n"), text


def test_the_card_says_what_is_not_known(run: Run) -> None:
    text = card(run)
    assert "Licence of the data: not stated." in text
    assert "Nothing has been measured yet." in text


def test_a_name_cannot_break_the_table(run: Run) -> None:
    source = Source(role="training", name="a|b\nc", examples=1)
    assert "| training | a\\|b c | 1 |" in card(run, sources=(source,))


def test_the_python_in_the_card_is_python(run: Run) -> None:
    text = card(run)
    compile(text.split("```python\n")[1].split("```")[0], "README.md", "exec")
