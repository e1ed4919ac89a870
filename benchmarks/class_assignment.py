"""The class assignment under Lightning: English to Italian, word vocabulary, until the loss is 3.5 or less.

The same recipe, data, loss, optimiser and schedule as
``qkvae train translation --config recipes/europarl-en-it.toml``, but Lightning's Trainer runs the loop.
Writes a training log (CSV), and prints the figures on the validation part: label-smoothed loss per target
token that is not padding, and BLEU.

    QKVAE_DATA=/path/to/data python benchmarks/class_assignment.py --steps 1500 --out runs/europarl-lightning
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path

import torch
from lightning import Trainer
from lightning.pytorch.loggers import CSVLogger

from qkvae.cli.recipe import read_recipe
from qkvae.config import Translation, from_dict
from qkvae.models import build
from qkvae.tasks.translation.corpus import encode_corpus, read_corpus, train_tokenizer
from qkvae.tasks.translation.evaluate import evaluate
from qkvae.tasks.translation.objective import TranslationObjective
from qkvae.train.lightning import Module

RECIPE = Path(__file__).parent.parent / "recipes" / "europarl-en-it.toml"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=1500, help="optimiser steps")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/europarl-lightning"), help="folder of the training log"
    )
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="another recipe of the same kind")
    asked = parser.parse_args()

    begun = time.monotonic()
    config = from_dict(Translation, dict(read_recipe(asked.recipe, "translation").settings))
    training = dataclasses.replace(config.training, minutes=None, steps=asked.steps, average="none")
    config = dataclasses.replace(config, training=training)
    torch.manual_seed(config.training.seed)
    corpus = read_corpus(config.data, config.training.seed)
    tokenizer = train_tokenizer(corpus.train, config.data)
    encoded = encode_corpus(corpus, tokenizer, config.data)
    model = build(dataclasses.replace(config.model, vocab=len(tokenizer)))
    module = Module(TranslationObjective(model, tokenizer, encoded, config), config.optimizer, training)
    trainer = Trainer(
        max_steps=module.max_steps,
        accelerator="cpu",
        logger=CSVLogger(asked.out),
        enable_checkpointing=False,
        log_every_n_steps=20,
        enable_progress_bar=False,
    )
    trainer.fit(module, module.loader())
    figures = evaluate(model.eval(), tokenizer, corpus.valid, config.generation, config.data.label_smoothing)
    print(json.dumps({"steps": asked.steps, "minutes": (time.monotonic() - begun) / 60, **figures}, indent=2))


if __name__ == "__main__":
    main()
