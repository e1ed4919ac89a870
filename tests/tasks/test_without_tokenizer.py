"""A task without text: nothing is learned that turns text into numbers, and its inputs are no lines."""

from __future__ import annotations

import sys
import types
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qkvae import api
from qkvae.config import TASKS, Block, Classes, Encoder, LabelledData, TextClassification, Training
from qkvae.data.encoded import Sentences
from qkvae.data.ragged import Ragged
from qkvae.run import CARD
from qkvae.tasks import find_task
from qkvae.tasks.label_figures import targets
from qkvae.tasks.text_classification.corpus import Encoded

BLOCK = Block(dim=8, heads=2, hidden=16)
STEPS = Training(steps=2, batch_tokens=64, validations=1, device="cpu", precision="fp32")


def filled(config: Any, corpus: Any, tokenizer: None) -> Any:
    assert tokenizer is None
    head = Classes(count=len(corpus.labels.names))
    return replace(config, model=replace(config.model, vocab=10, segments=0, head=head))


def encode(config: Any, corpus: Any, tokenizer: None, reporter: Any) -> Encoded:
    """The digits of each text are its ids."""
    rows = [
        Sentences.framed(
            Ragged.from_lists([[int(x) for x in text.split()] for text in part.texts]), first=1, last=2
        )
        for part in (corpus.train, corpus.valid)
    ]
    known = [targets(corpus.labels, part) for part in (corpus.train, corpus.valid)]
    return Encoded(*rows, *known, corpus.valid, corpus.labels, 0)


@pytest.fixture
def digits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A task that labels rows of digits, and a table of them."""
    task = replace(
        find_task("text-classification"),
        name="digits",
        learn=None,
        filled=filled,
        encode=encode,
        finish=lambda run, encoded, reporter, seconds: run.save_text(CARD, "Tells rows of digits apart."),
    )
    module: Any = types.ModuleType("qkvae.tasks.digits.task")
    module.TASK = task
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(TASKS, "digits", TextClassification)
    table = tmp_path / "digits.tsv"
    rows = (
        f"{n % 10} {n // 10 % 10} {n // 100} 7 3\t{'odd' if n % 2 else 'even'}\n" for n in range(100, 180)
    )
    table.write_text("".join(["row\tkind\n", *rows]), encoding="utf-8")
    return table


def test_it_is_trained_and_resumed(digits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = LabelledData(paths=(str(digits),), text="row", label="kind")
    config = TextClassification(
        data=data, model=Encoder(block=BLOCK, depth=1, head=Classes()), training=STEPS
    )
    run = api.train("digits", config, out=tmp_path / "run")
    told = capsys.readouterr().err
    assert "vocabulary" not in told
    assert "2 classes" in told
    assert not (run.path / "tokenizer.json").exists()
    assert "tokenizer.json" not in run.run.passport
    weights = (run.path / "model.safetensors").read_bytes()
    (run.path / CARD).unlink()  # as if the ending had been killed
    assert api.resume(run.path, quiet=True).path == run.path
    assert (run.path / CARD).exists()
    assert (run.path / "model.safetensors").read_bytes() == weights
