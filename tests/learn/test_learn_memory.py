"""A memory shows what a row of training is too short for."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import replace
from pathlib import Path

import torch

from qkvae.config import Block, Decoder, Optimizer, TextData, TextGeneration, Training
from qkvae.models import build
from qkvae.tasks.text_generation.corpus import encode_corpus, read_corpus, train_tokenizer
from qkvae.tasks.text_generation.objective import TextObjective
from qkvae.train.optimizer import Optimizers

LETTERS, APART, LENGTH = "abcdefgh", 10, 6


def text(records: int) -> str:
    """A letter, marks, and the letter again: nothing nearer than 10 characters tells which it is."""
    draw = random.Random(0)
    return "".join(f"{letter}{'.' * (APART - 1)}{letter}:" for letter in draw.choices(LETTERS, k=records))


def learned(folder: Path, memory: int) -> float:
    """Nats a record, of text that was not seen."""
    book = folder / "book.txt"
    book.write_text(text(1200), encoding="utf-8")
    block = Block(dim=32, heads=2, hidden=64, positions="rotary", dropout=0.0)
    data = TextData(paths=(str(book),), length=LENGTH, tokenizer="char")
    config = TextGeneration(
        data=data, model=Decoder(block=block, depth=2, memory=memory), training=Training(batch_tokens=384)
    )
    corpus = read_corpus(data)
    tokenizer = train_tokenizer(corpus.train, data)
    torch.manual_seed(0)
    model = build(replace(config.model, vocab=len(tokenizer)))
    objective = TextObjective(model, encode_corpus(corpus, tokenizer), config)
    optimizers = Optimizers(Optimizer(lr=0.02), model, dict(model.named_parameters()))
    for batch in itertools.islice(objective.batches(0), 160):
        model.zero_grad()
        (objective.loss(batch).total / batch.tokens).backward()
        optimizers.step(1.0)
    return objective.validate()["valid_nll"] * (APART + 2)


def test_what_is_further_back_than_a_row_is_known_with_a_memory_only(tmp_path: Path) -> None:
    surprise = math.log(len(LETTERS))  # of a letter that nothing tells, of which a record has one
    assert learned(tmp_path, 0) > 2 * surprise, "a row of 6 cannot show what is 10 back"
    assert learned(tmp_path, 12) < 1.6 * surprise, "with 12 more the second letter of each record is known"
