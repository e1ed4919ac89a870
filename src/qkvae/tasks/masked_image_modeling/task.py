"""Masked image modelling, verb by verb."""

from __future__ import annotations

from functools import partial

from qkvae.config import PictureData
from qkvae.data.check_pictures import check_pictures
from qkvae.tasks.grids import filled_grid, kind_of, read_corpus, read_grids, summary
from qkvae.tasks.masked_image_modeling.ending import finish, look
from qkvae.tasks.masked_image_modeling.evaluate import compare, evaluate
from qkvae.tasks.masked_image_modeling.objective import MaskedObjective
from qkvae.tasks.task import Task

TASK = Task(
    name="masked-image-modeling",
    embedded=kind_of(PictureData()).embedded,
    corpus=partial(read_corpus, labelled=False),
    examples=partial(read_grids, labelled=False),
    filled=lambda config, corpus, tokenizer: filled_grid(config, corpus),
    encode=lambda config, corpus, tokenizer, reporter: corpus,
    summary=lambda corpus: summary(corpus, "picture"),
    objective=lambda model, tokenizer, corpus, config: MaskedObjective(model, corpus, config),
    finish=lambda run, corpus, reporter, seconds: finish(run, corpus, reporter),
    figures=lambda teller, pictures, config: evaluate(teller, pictures),
    better=compare,
    look=look,
    doubts=lambda train, valid, data: check_pictures(train, valid),
)
