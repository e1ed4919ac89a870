"""Sentence pairs, settings and an objective small enough to train in a second."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from qkvae.config import Block, Generation, Optimizer, Seq2Seq, Training, Translation, TranslationData
from qkvae.data.pairs import Pairs
from qkvae.models import build
from qkvae.tasks.corpus import Corpus
from qkvae.tasks.translation.corpus import encode_corpus, read_corpus, train_tokenizer
from qkvae.tasks.translation.objective import TranslationObjective


def letters(count: int = 120) -> Pairs:
    """Words, answered in capitals and backwards."""
    draw = random.Random(0)
    words = ["".join(draw.choice("abcdefgh") for _ in range(draw.randint(2, 5))) for _ in range(40)]
    lines = [f"{' '.join(draw.choice(words) for _ in range(draw.randint(1, 6)))} {n}" for n in range(count)]
    return Pairs(lines, [line.upper()[::-1] for line in lines])


def write_table(folder: Path) -> str:
    """The pairs as a table."""
    path, pairs = folder / "pairs.tsv", letters()
    rows = zip(pairs.sources, pairs.targets, strict=True)
    path.write_text(
        "".join(f"{source}\t{target}\n" for source, target in rows), encoding="utf-8", newline="\n"
    )
    return str(path)


def small_config(path: str, **training: object) -> Translation:
    """A model of 16 channels without dropout."""
    asked: dict[str, object] = {
        "steps": 6,
        "batch_tokens": 120,
        "validations": 2,
        "device": "cpu",
        "precision": "fp32",
    }
    return Translation(
        data=TranslationData(paths=(path,), valid_fraction=0.2),
        model=Seq2Seq(
            block=Block(dim=16, heads=2, hidden=32, dropout=0.0),
            encoder_depth=1,
            decoder_depth=1,
            max_length=64,
        ),
        optimizer=Optimizer(lr=0.01),
        training=Training(**(asked | training)),  # type: ignore[arg-type]
        generation=Generation(beam=2),
    )


def small_objective(config: Translation) -> tuple[TranslationObjective, Corpus]:
    """What the loop would train, and the sentences behind it."""
    corpus = read_corpus(config.data, config.training.seed)
    tokenizer = train_tokenizer(corpus.train, config.data)
    model = build(replace(config.model, vocab=len(tokenizer)))
    encoded = encode_corpus(corpus, tokenizer, config.data)
    return TranslationObjective(model, tokenizer, encoded, config), corpus
