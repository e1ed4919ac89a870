"""Pairs of texts and settings with which a whole training takes a second."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from qkvae.config import (
    Block,
    Encoder,
    FeatureExtraction,
    Likeness,
    Optimizer,
    SimilarityData,
    Training,
    Vector,
)

SAID = {"dog": "hound", "car": "auto", "big": "large", "fast": "quick", "red": "scarlet", "old": "aged"}


def rows(count: int = 120, seed: int = 0) -> list[tuple[str, str, float]]:
    """Two texts, and how many of their words say the same, from 1 to 5."""
    draw = random.Random(seed)
    found: list[tuple[str, str, float]] = []
    for number in range(count):
        words = draw.sample(sorted(SAID), 4)
        kept = draw.randint(0, 4)
        others = [word for word in SAID if word not in words]
        second = [SAID[word] for word in words[:kept]] + [SAID[draw.choice(others)] for _ in range(4 - kept)]
        draw.shuffle(second)
        found.append((f"{' '.join(words)} {number}", " ".join(second), 1.0 + kept))
    return found


def write_rows(folder: Path, name: str = "train.tsv", count: int = 120, seed: int = 0) -> str:
    path = folder / name
    lines = ["first\tsecond\tscore\n", *("\t".join(map(str, row)) + "\n" for row in rows(count, seed))]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return str(path)


def write_partners(folder: Path, name: str = "partners.tsv", count: int = 120) -> str:
    """Pairs that say the same, without a grade."""
    path, draw = folder / name, random.Random(1)
    lines = ["first\tsecond\n"]
    for _ in range(count):
        words = [draw.choice(sorted(SAID)) for _ in range(4)]
        lines.append(f"{' '.join(words)}\t{' '.join(SAID[word] for word in words)}\n")
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return str(path)


def tiny(
    path: str = "", *, learning: Likeness | None = None, steps: int = 6, graded: bool = True, **data: Any
) -> FeatureExtraction:
    columns = {"text": "first", "pair": "second", "label": "score" if graded else None} if path else {}
    chosen: dict[str, Any] = {"valid_fraction": 0.3, "tokenizer": "word", **columns} | data
    return FeatureExtraction(
        data=SimilarityData(paths=(path,) if path else (), **chosen),
        learning=learning or Likeness(word_dropout=0.0),
        model=Encoder(block=Block(dim=16, heads=2, hidden=32, dropout=0.1), depth=1, head=Vector()),
        optimizer=Optimizer(lr=0.02),
        training=Training(
            steps=steps, batch_tokens=400, validations=2, device="cpu", precision="fp32", average="none"
        ),
    )
