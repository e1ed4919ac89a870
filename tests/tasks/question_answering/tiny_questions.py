"""Questions and settings with which a whole training takes a second."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

from qkvae.config import (
    Block,
    Encoder,
    Optimizer,
    QuestionAnswering,
    QuestionData,
    Saving,
    Spans,
    Training,
)

COLOURS = ("red", "green", "blue", "black", "white", "pink")
THINGS = ("house", "sky", "sea", "cat", "door", "tree")


def write_squad(folder: Path, name: str = "train.json", contexts: int = 80, impossible: bool = True) -> str:
    """Which colour has which thing?  Some things are not spoken of."""
    draw = random.Random(name)
    paragraphs: list[dict[str, Any]] = []
    for number in range(contexts):
        things = draw.sample(THINGS, 3)
        colours = draw.sample(COLOURS, 3)
        text = " ".join(f"The {t} is {c}." for t, c in zip(things, colours, strict=True)) + f" Text {number}."
        qas: list[dict[str, Any]] = [
            {
                "id": f"{number}/{t}",
                "question": f"Which colour has the {t}?",
                "answers": [{"text": c, "answer_start": text.index(f"{t} is {c}") + len(t) + 4}],
            }
            for t, c in zip(things, colours, strict=True)
        ]
        if impossible:
            other = next(t for t in THINGS if t not in things)
            asked = f"Which colour has the {other}?"
            qas.append({"id": f"{number}/{other}", "question": asked, "answers": [], "is_impossible": True})
        paragraphs.append({"context": text, "qas": qas})
    path = folder / name
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    return str(path)


def tiny(path: str = "", *, steps: int = 6, **data: Any) -> QuestionAnswering:
    chosen: dict[str, Any] = {"valid_fraction": 0.2, "tokenizer": "word", "max_length": 40} | data
    block = Block(dim=32, heads=2, hidden=64, dropout=0.0, positions="rotary")
    return QuestionAnswering(
        data=QuestionData(paths=(path,) if path else (), **chosen),
        model=Encoder(block=block, depth=2, head=Spans()),
        optimizer=Optimizer(lr=0.02),
        training=Training(
            steps=steps, batch_tokens=1000, validations=1, device="cpu", precision="fp32", average="none"
        ),
        saving=Saving(save_every=1e-6),
    )
