"""VQ-VAEs, and image generation by their codes, verb by verb."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qkvae.config import PictureData
from qkvae.data.check_pictures import check_pictures
from qkvae.tasks.grids import kind_of, summary
from qkvae.tasks.task import Task
from qkvae.tasks.vae.evaluate import compare
from qkvae.tasks.vq_vae.corpus import encode, filled, read_corpus, read_examples
from qkvae.tasks.vq_vae.ending import finish
from qkvae.tasks.vq_vae.evaluate import figures
from qkvae.tasks.vq_vae.looking import look
from qkvae.tasks.vq_vae.objective import VQObjective
from qkvae.train.objective import Objective


def coded(name: str, objective: Callable[[Any, Any, Any], Objective]) -> Task:
    """A task of models of codes, by its name and by what makes the objective of model, data and config."""
    return Task(
        name=name,
        embedded=kind_of(PictureData()).embedded,
        corpus=read_corpus,
        examples=read_examples,
        filled=lambda config, corpus, tokenizer: filled(config, corpus),
        encode=lambda config, corpus, tokenizer, reporter: encode(config, corpus, reporter),
        summary=lambda corpus: summary(corpus, "picture"),
        objective=lambda model, tokenizer, encoded, config: objective(model, encoded, config),
        finish=lambda run, encoded, reporter, seconds: finish(run, encoded, reporter),
        figures=lambda coder, part, config: figures(coder, part),
        better=compare,
        look=look,
        doubts=lambda train, valid, data: check_pictures(train, valid),
    )


TASK = coded("vq-vae", VQObjective)
