"""Variational autoencoders, verb by verb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from qkvae.config import LatentData, Vae
from qkvae.data.check_pictures import check_pictures
from qkvae.data.check_rows import check_rows
from qkvae.data.findings import Report
from qkvae.data.mixed_table import MixedTable
from qkvae.tasks.corpus import counted
from qkvae.tasks.task import Task
from qkvae.tasks.vae.corpus import Encoded, LatentCorpus, Part_, encode_corpus, read_corpus, read_part
from qkvae.tasks.vae.ending import finish
from qkvae.tasks.vae.evaluate import compare, figures
from qkvae.tasks.vae.forms import TableForm
from qkvae.tasks.vae.looking import look
from qkvae.tasks.vae.objective import VaeObjective
from qkvae.train.progress import Reporter


def _filled(config: Vae, corpus: LatentCorpus, tokenizer: None) -> Vae:
    model = corpus.form.filled(config.model, corpus.train)
    classes = 0 if corpus.labels is None else len(corpus.labels.names)
    config = replace(config, model=replace(model, classes=classes))
    if isinstance(corpus.form, TableForm):
        return config
    form = corpus.form.format
    size, channels = "x".join(map(str, form.size)), {1: "grey", 3: "colour"}.get(form.channels, "auto")
    pictures = replace(config.data.pictures, size=size, channels=channels)
    return replace(config, data=replace(config.data, pictures=pictures))


def _encode(config: Vae, corpus: LatentCorpus, tokenizer: None, reporter: Reporter) -> Encoded:
    config = _filled(config, corpus, None)
    drawn = config.model.likelihood == "bernoulli" and config.learning.binarize == "dynamic"
    how = ", each number drawn as 0 or 1 at every step" if drawn else ""
    reporter.say(f"likelihood {config.model.likelihood}{how}")
    return encode_corpus(corpus, config.model)


def _examples(data: LatentData, paths: Sequence[str], like: LatentData | None, minimum: int) -> Part_:
    if like is not None:  # a run knows the size of its pictures
        known = {name: getattr(like.pictures, name) for name in ("size", "channels", "fit")}
        data = replace(data, condition=like.condition, pictures=replace(data.pictures, **known))
    return read_part(data, paths, minimum=minimum)


def _doubts(train: Part_, valid: Part_ | None, data: LatentData) -> Report:
    if isinstance(train, MixedTable):
        return check_rows(train, valid if isinstance(valid, MixedTable) else None)
    return check_pictures(train, valid if not isinstance(valid, MixedTable) else None)


TASK = Task(
    name="vae",
    embedded="scikit-learn's hand-written digits",
    corpus=read_corpus,
    examples=_examples,
    filled=_filled,
    encode=_encode,
    summary=counted("data"),
    objective=lambda model, tokenizer, encoded, config: VaeObjective(model, encoded, config),
    finish=lambda run, encoded, reporter, seconds: finish(run, encoded, reporter),
    figures=lambda coder, part, config: figures(coder, part, config.generation.samples),
    better=compare,
    look=look,
    doubts=_doubts,
)
