"""Variational autoencoders, verb by verb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from qkvae.config import VAE, LatentData, TextVAE, Vae
from qkvae.data.check_documents import check_documents
from qkvae.data.check_pictures import check_pictures
from qkvae.data.check_rows import check_rows
from qkvae.data.documents import Documents
from qkvae.data.files import TextFile
from qkvae.data.findings import Report
from qkvae.data.mixed_table import MixedTable
from qkvae.data.picture_files import TABLES
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import counted
from qkvae.tasks.task import Task
from qkvae.tasks.vae.corpus import (
    Encoded,
    LatentCorpus,
    Part_,
    encode_corpus,
    is_drawn,
    read_corpus,
    read_part,
    train_tokenizer,
)
from qkvae.tasks.vae.ending import finish
from qkvae.tasks.vae.evaluate import compare, figures
from qkvae.tasks.vae.forms import TableForm
from qkvae.tasks.vae.looking import look
from qkvae.tasks.vae.objective import VaeObjective
from qkvae.tasks.vae.text_form import TextForm
from qkvae.train.progress import Reporter


def _filled(config: Vae, corpus: LatentCorpus, tokenizer: Tokenizer | None) -> Vae:
    form = corpus.form
    if isinstance(form, TextForm):
        _refuse_binarize(config, "on texts")
        return replace(
            config,
            model=replace(form, tokenizer=tokenizer).filled(config.model, corpus.train),
            learning=config.learning.of_texts,
            generation=config.generation.of_texts,
        )
    if isinstance(config.model, TextVAE):
        raise ValueError(
            f"the data are {form.noun}s, but the model's settings are those of one of texts: leave them out"
        )
    model = form.filled(config.model, corpus.train)
    classes = 0 if corpus.labels is None else len(corpus.labels.names)
    config = replace(config, model=replace(model, classes=classes))
    if model.likelihood_or_default != "bernoulli":
        _refuse_binarize(config, f"with likelihood {model.likelihood}")
    if isinstance(form, TableForm):
        return config
    size = "x".join(map(str, form.format.size))
    channels = {1: "grey", 3: "colour"}.get(form.format.channels, "auto")
    pictures = replace(config.data.pictures, size=size, channels=channels)
    return replace(config, data=replace(config.data, pictures=pictures))


def _refuse_binarize(config: Vae, where: str) -> None:
    """Refuse to be told how numbers are drawn as 0 or 1 where none is."""
    asked = config.learning.binarize
    if asked != "dynamic":
        raise ValueError(f"binarize {asked} has no effect {where}: leave it out")


def _encode(config: Vae, corpus: LatentCorpus, tokenizer: Tokenizer | None, reporter: Reporter) -> Encoded:
    config = _filled(config, corpus, tokenizer)
    corpus = encoded_with(corpus, tokenizer, config)
    if isinstance(corpus.form, TextForm):
        for part in (corpus.train, corpus.valid):
            for note in corpus.form.notes(part):
                reporter.say(f"note: {note}")
    elif isinstance(config.model, VAE):
        how = ", each number drawn as 0 or 1 at every step" if is_drawn(config) else ""
        reporter.say(f"likelihood {config.model.likelihood}{how}")
    return encode_corpus(corpus, config.model)


def encoded_with(corpus: LatentCorpus, tokenizer: Tokenizer | None, config: Vae) -> LatentCorpus:
    """The corpus, with what turns its texts into ids, if it is one of texts."""
    if not (isinstance(corpus.form, TextForm) and isinstance(config.model, TextVAE)):
        return corpus
    return replace(corpus, form=corpus.form.encoding(tokenizer, config.model))


def _examples(data: LatentData, paths: Sequence[str], like: LatentData | None, minimum: int) -> Part_:
    if like is not None:  # a run knows the size of its pictures
        known = {name: getattr(like.pictures, name) for name in ("size", "channels", "fit")}
        data = replace(data, condition=like.condition, pictures=replace(data.pictures, **known))
        if data.text is None and all(TextFile(Path(path)).suffix in TABLES for path in paths):
            data = replace(data, text=like.text)
    return read_part(data, paths, minimum=minimum)


def _doubts(train: Part_, valid: Part_ | None, data: LatentData) -> Report:
    held_out: Any = valid if type(valid) is type(train) else None
    match train:
        case MixedTable():
            return check_rows(train, held_out)
        case Documents():
            return check_documents(train, held_out, TextVAE().max_length, whole=True)
        case _:
            return check_pictures(train, held_out)


TASK = Task(
    name="vae",
    embedded="scikit-learn's hand-written digits",
    corpus=read_corpus,
    examples=_examples,
    learn=train_tokenizer,
    filled=_filled,
    encode=_encode,
    summary=counted("data"),
    objective=lambda model, tokenizer, encoded, config: VaeObjective(model, encoded, config),
    finish=lambda run, encoded, reporter, seconds: finish(run, encoded, reporter),
    figures=lambda coder, part, config: figures(coder, part, config.generation.samples_or_default),
    better=compare,
    look=look,
    doubts=_doubts,
)
