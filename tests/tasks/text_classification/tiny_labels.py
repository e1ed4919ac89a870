"""Labelled texts and settings with which a whole training takes a second."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from qkvae.config import (
    Block,
    Classes,
    Encoder,
    LabelledData,
    Learning,
    Optimizer,
    Saving,
    TextClassification,
    Training,
)

GOOD, BAD = ("fine", "good", "lovely"), ("bad", "awful", "dull")


def rows(count: int = 120, seed: int = 0) -> list[tuple[str, str, str, float]]:
    """Text, label, second text, number: what is said of a film decides the label."""
    draw = random.Random(seed)
    found: list[tuple[str, str, str, float]] = []
    for number in range(count):
        label = draw.choice(("neg", "pos"))
        words = [draw.choice(GOOD if label == "pos" else BAD), *(draw.choice("abcdef") for _ in range(4))]
        draw.shuffle(words)
        second = draw.choice(("the same", "another"))
        score = (label == "pos") + (second == "the same") + draw.random() / 10
        found.append((f"{' '.join(words)} {number}", label, second, round(score, 3)))
    return found


def write_rows(folder: Path, name: str = "train.tsv", count: int = 120, seed: int = 0) -> str:
    path = folder / name
    lines = ["\t".join(map(str, row)) + "\n" for row in rows(count, seed)]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return str(path)


def tiny(
    path: str = "", *, learning: Learning | None = None, steps: int = 6, **data: Any
) -> TextClassification:
    chosen: dict[str, Any] = {"text": "0", "label": "1", "valid_fraction": 0.3, "tokenizer": "word"} | data
    return TextClassification(
        data=LabelledData(paths=(path,) if path else (), **chosen),
        learning=learning or Learning(word_dropout=0.1),
        model=Encoder(block=Block(dim=16, heads=2, hidden=32, dropout=0.1), depth=1, head=Classes()),
        optimizer=Optimizer(lr=0.02),
        training=Training(
            steps=steps, batch_tokens=300, validations=2, device="cpu", precision="fp32", average="none"
        ),
        saving=Saving(save_every=1e-6),
    )
