"""Texts, settings and a writer small enough to train in a second."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from qkvae.config import Block, Decoder, Optimizer, TextData, TextGeneration, Training
from qkvae.data.chat import Chats, Turn
from qkvae.models import build
from qkvae.tasks.text_generation.corpus import encode_corpus, read_corpus, train_tokenizer
from qkvae.tasks.text_generation.objective import TextObjective
from qkvae.tasks.text_generation.writer import Writer


def story(lines: int = 60, seed: int = 0) -> str:
    """Lines of made-up words."""
    draw = random.Random(seed)
    words = ["".join(draw.choice("abcdefgh") for _ in range(draw.randint(2, 5))) for _ in range(30)]
    return "".join(
        " ".join(draw.choice(words) for _ in range(draw.randint(2, 7))) + ".\n" for _ in range(lines)
    )


def chats(count: int = 40) -> Chats:
    """Small sums."""
    draw = random.Random(0)
    said = []
    for number in range(count):
        a, b = draw.randint(0, 9), draw.randint(0, 9)
        first = (Turn("user", f"{a} plus {b}? {number}"), Turn("assistant", f"{a + b}."))
        said.append((*first, Turn("user", "and 1?"), Turn("assistant", f"{a + b + 1}.")))
    return Chats(said)


def write_book(folder: Path) -> str:
    path = folder / "book.txt"
    path.write_text(story(), encoding="utf-8", newline="\n")
    return str(path)


def write_folder(folder: Path, count: int = 8) -> str:
    texts = folder / "texts"
    texts.mkdir()
    for number in range(count):
        (texts / f"{number}.txt").write_text(story(8, number), encoding="utf-8", newline="\n")
    return str(texts)


def write_chats(folder: Path) -> str:
    path = folder / "chats.jsonl"
    rows = [
        {"messages": [{"role": turn.role, "content": turn.content} for turn in conversation]}
        for conversation in chats().conversations
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8", newline="\n")
    return str(path)


def small_config(path: str, **data: Any) -> TextGeneration:
    return TextGeneration(
        data=TextData(paths=(path,), **({"length": 16, "valid_fraction": 0.2} | data)),
        model=Decoder(
            block=Block(dim=16, heads=2, hidden=32, positions="rotary", dropout=0.1),
            depth=2,
            conv_size=3,
            max_length=256,
        ),
        optimizer=Optimizer(lr=0.01),
        training=Training(steps=12, batch_tokens=64, validations=2, device="cpu", precision="fp32"),
    )


def small_objective(config: TextGeneration) -> tuple[TextObjective, Writer]:
    """What the loop would train, and the writer that it becomes."""
    corpus = read_corpus(config.data)
    tokenizer = train_tokenizer(corpus.train, config.data)
    settings = replace(config.model, vocab=len(tokenizer), max_length=config.data.length)
    torch.manual_seed(1)
    model = build(settings)
    objective = TextObjective(model, encode_corpus(corpus, tokenizer), config)
    return objective, Writer(model, tokenizer, begins=not objective.encoded.train.single)
