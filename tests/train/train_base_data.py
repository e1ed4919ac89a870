"""Texts, labels and questions of which a training begins, a second each."""

from __future__ import annotations

import json
import random
from pathlib import Path

from qkvae.config import Block, Classes, Encoder, LabelledData, TextClassification, Training


def book(folder: Path, seed: int = 0) -> str:
    """Made-up sentences of a few letters."""
    draw = random.Random(seed)
    words = ["abc", "bca", "cab", "ab", "ba"]
    lines = [" ".join(draw.choice(words) for _ in range(6)) + ".\n" for _ in range(60)]
    path = folder / f"book-{seed}.txt"
    path.write_text("".join(sorted({*words, *lines})), encoding="utf-8", newline="\n")
    return str(path)


def labels(folder: Path, several: int = 2) -> str:
    """Texts of a word that tells the label and some that do not."""
    draw = random.Random(several)
    names = ("good", "bad", "odd")[:several]
    rows = [
        f"{names[n % several]} {draw.choice('abc')} {draw.choice('abc')} {n}\t{n % several}\n"
        for n in range(90)
    ]
    path = folder / f"labels-{several}.tsv"
    path.write_text("".join(rows), encoding="utf-8", newline="\n")
    return str(path)


def questions(folder: Path) -> str:
    """Which of two words stands in a text?"""
    paragraphs = []
    for number in range(40):
        text = f"good a {'bad' if number % 2 else 'odd'} b {number}"
        answers = [{"text": "good", "answer_start": 0}]
        asked = {"id": str(number), "question": "good or bad", "answers": answers}
        paragraphs.append({"context": text, "qas": [asked]})
    path = folder / "questions.json"
    path.write_text(json.dumps({"data": [{"paragraphs": paragraphs}]}), encoding="utf-8")
    return str(path)


def classes(path: str) -> TextClassification:
    """A classifier of 16 channels."""
    return TextClassification(
        data=LabelledData(paths=(path,), text="0", label="1", valid_fraction=0.3, tokenizer="word"),
        model=Encoder(block=Block(dim=16, heads=2, hidden=32, dropout=0.1), depth=1, head=Classes()),
        training=Training(
            steps=4, batch_tokens=200, validations=2, device="cpu", precision="fp32", average="none"
        ),
    )
