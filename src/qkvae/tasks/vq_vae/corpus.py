"""From the user's pictures to numbers in memory, and what they decide of a model of codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from qkvae.config import VQ, CodePrior, ConditionedData, PictureData
from qkvae.data.pictures import Pictures
from qkvae.tasks.grids import GridCorpus, read_grids, settled_data
from qkvae.tasks.grids import read_corpus as read_grid_corpus
from qkvae.tasks.vae.corpus import Encoded, LatentCorpus, encode_corpus
from qkvae.tasks.vae.forms import PictureForm
from qkvae.train.progress import Reporter


def is_labelled(data: PictureData) -> bool:
    """Whether the model is told the labels of pictures."""
    return isinstance(data, ConditionedData) and data.condition == "label"


def read_corpus(data: PictureData, seed: int) -> GridCorpus:
    """The pictures that the settings name, or the embedded digits.

    Raises:
        ValueError, FileNotFoundError: what `grids.read_corpus` raises; several labels a picture.
    """
    corpus = read_grid_corpus(data, seed, is_labelled(data))
    if corpus.labels is not None and corpus.labels.kind != "one":
        raise ValueError(
            f"the labels are {corpus.labels.kind}, but condition label tells a picture one class: give such "
            "labels, or leave condition out"
        )
    return corpus


def read_examples(
    data: PictureData, paths: Sequence[str], like: PictureData | None, minimum: int
) -> Pictures:
    """The pictures of these paths, read as those of a run were if one is measured."""
    return read_grids(data, paths, like, minimum, is_labelled(data if like is None else like))


def filled(config: Any, corpus: GridCorpus) -> Any:
    """The config with what the data decide.

    Raises:
        ValueError: the model was made for other pictures; a prior of no VQ-VAE.
    """
    model: VQ | CodePrior = config.model
    if isinstance(model, CodePrior):
        if not model.vq.shape:
            raise ValueError(
                "image-generation learns the codes of a vq-vae run, and none is given: add --from RUN"
            )
        classes = 0 if corpus.labels is None else len(corpus.labels.names)
        model = replace(model, vq=_filled(model.vq, corpus), classes=classes)
    else:
        model = _filled(model, corpus)
    return replace(config, model=model, data=settled_data(config.data, corpus.form))


def _filled(vq: VQ, corpus: GridCorpus) -> VQ:
    form = PictureForm(corpus.form)
    if vq.shape not in ((), form.shape):
        here, there = (" × ".join(map(str, shape)) for shape in (form.shape, vq.shape))
        size = "x".join(map(str, vq.shape[1:]))
        raise ValueError(
            f"the pictures are {here} (channels first), but the codes are of pictures of {there}: give such "
            f"pictures; files are brought to the size by --size {size}"
        )
    told = form.filled(vq.told, corpus.train)
    return replace(vq, shape=told.shape, likelihood=told.likelihood, levels=told.levels)


def encode(config: Any, corpus: GridCorpus, reporter: Reporter) -> Encoded:
    """Both parts as numbers; what they are to the model is said.

    Raises:
        ValueError: numbers that cannot have come from the likelihood.
    """
    config = filled(config, corpus)
    told = config.model.told
    drawn = told.likelihood == "bernoulli" and config.learning.binarize == "dynamic"
    how = ", each number drawn as 0 or 1 at every step" if drawn else ""
    reporter.say(f"likelihood {told.likelihood}{how}")
    latent = LatentCorpus(corpus.train, corpus.valid, PictureForm(corpus.form), corpus.labels)
    return encode_corpus(latent, told)
