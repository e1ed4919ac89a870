"""Text whose blanks can be told, and settings with which a whole training takes a second."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from qkvae.config import (
    Block,
    Encoder,
    FillMask,
    MaskedWords,
    Masking,
    Optimizer,
    PassageData,
    Saving,
    Training,
)
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import build
from qkvae.tasks.fill_mask.corpus import Encoded, encode_corpus, train_tokenizer
from qkvae.tasks.fill_mask.filler import Filler
from qkvae.tasks.fill_mask.objective import MaskedWordObjective
from qkvae.tasks.texts import read_split

SOUNDS = {"cat": "purrs", "dog": "barks", "cow": "moos", "duck": "quacks", "owl": "hoots", "bee": "hums"}


def lines(count: int = 240, seed: int = 0) -> list[str]:
    """Every animal has its sound."""
    draw = random.Random(seed)
    found = []
    for number in range(count):
        one, other = draw.sample(sorted(SOUNDS), 2)
        found.append(f"The {one} {SOUNDS[one]}, number {number % 7}. But the {other} {SOUNDS[other]} again.")
    return found


def write_rows(folder: Path, name: str = "rows.tsv", count: int = 240, seed: int = 0) -> str:
    """A table of a text per row."""
    path = folder / name
    path.write_text("text\n" + "".join(f"{line}\n" for line in lines(count, seed)), encoding="utf-8")
    return str(path)


def write_book(folder: Path) -> str:
    """One long text."""
    path = folder / "book.txt"
    path.write_text("\n".join(lines(80)), encoding="utf-8", newline="\n")
    return str(path)


def tiny(path: str, *, steps: int = 6, learning: Masking | None = None, **data: Any) -> FillMask:
    chosen: dict[str, Any] = {"tokenizer": "word", "length": 16, "valid_fraction": 0.2} | data
    return FillMask(
        data=PassageData(paths=(path,), **chosen),
        learning=learning or Masking(),
        model=Encoder(block=Block(dim=32, heads=2, hidden=48, dropout=0.0), depth=2, head=MaskedWords()),
        optimizer=Optimizer(lr=0.02),
        training=Training(
            steps=steps, batch_tokens=512, validations=2, device="cpu", precision="fp32", average="none"
        ),
        saving=Saving(save_every=1e-6),
    )


def prepared(config: FillMask) -> tuple[MaskedWordObjective, Filler, Encoded]:
    """What the loop would train, the filler that it becomes, and what both read."""
    corpus = read_split(config.data)
    tokenizer: Tokenizer = train_tokenizer(corpus.train, config.data)
    encoded = encode_corpus(corpus, tokenizer, config.data.length)
    torch.manual_seed(1)
    model = build(replace(config.model, vocab=len(tokenizer)))
    objective = MaskedWordObjective(model, tokenizer, encoded, config)
    return objective, Filler(model.eval(), tokenizer, config.data.length), encoded
