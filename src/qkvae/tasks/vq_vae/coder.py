"""Pictures in; scores, codes and pictures out: a model of codes and what pictures are to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.config import Filtering, ImageGeneration, VqVae
from qkvae.config.latent_uses import Sampling
from qkvae.data.labels import Labels
from qkvae.data.pictures import Pictures
from qkvae.generate.code_rows import write_codes
from qkvae.models import VQ, CodePrior
from qkvae.run import Run
from qkvae.tasks.answering import kept_model
from qkvae.tasks.grids import read_grids, run_format
from qkvae.tasks.task import settled
from qkvae.tasks.vae.coder import Answer, Coder
from qkvae.tasks.vae.corpus import Part_
from qkvae.tasks.vae.forms import PictureForm
from qkvae.tasks.vq_vae.measure import Told, told_of, vq_of


class CodeCoder(Coder):
    """A trained VQ-VAE, or one with a prior of its codes."""

    model: Any  # pyright: ignore[reportIncompatibleVariableOverride]
    form: PictureForm
    config: Any  # pyright: ignore[reportIncompatibleVariableOverride]
    generation: Any  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        model: VQ | CodePrior,
        form: PictureForm,
        labels: Labels | None,
        config: VqVae | ImageGeneration,
        threshold: float | None = None,
    ) -> None:
        self.model, self.form, self.labels = model, form, labels
        self.config, self.threshold = config, threshold
        self.generation = config.generation
        self.seed = config.training.seed

    @classmethod
    def from_run(cls, run: Run) -> CodeCoder:
        """The weights that a run keeps for use, and what it knows of its data.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        passport = run.passport
        labels = Labels.from_dict(passport["labels"]) if "labels" in passport else None
        form, threshold = PictureForm(run_format(run)), run.resolved.get("threshold")
        return cls(kept_model(run), form, labels, settled(run), threshold)

    def _examples(self, paths: list[str], ignore: tuple[str, ...], labelled: bool) -> Pictures:
        return read_grids(self.config.data, paths, None, 1, labelled, self.form.format)

    @property
    def vq(self) -> VQ:
        """What makes pictures codes and codes pictures."""
        return vq_of(self.model)

    def told(self, x: Float[Tensor, "count *shape"], labels: Int[Tensor, " count"] | None) -> Told:
        """What the model tells of these pictures."""
        return told_of(self.model, x, labels, self.generation.batch)

    def scores(self, part: Part_, samples: int | None = None) -> Float[Tensor, " count"]:
        """How strange each picture is: the bound of −ln p(x) in nats, of numbers as they are."""
        x = self.form.numbers(self.form.stored(part))
        self.model.likelihood.check(x)
        return self.told(x, self.classes(part)).nll

    def nll(self, part: Part_) -> Float[Tensor, " count"]:
        """The bound of −ln p(x) of each picture.

        Raises:
            ValueError: the pictures are not such as the run was trained on.
        """
        return self.told(self.numbers(part), self.classes(part)).nll

    @torch.no_grad()
    def reconstructed(
        self, x: Float[Tensor, "b *shape"], labels: Int[Tensor, " b"] | None
    ) -> Float[Tensor, "b *shape"]:
        """What the codes keep of each picture."""
        pieces = torch.split(x, self.generation.batch)
        return torch.cat([self.vq.likelihood.mean(self.vq(some)) for some in pieces])

    @torch.no_grad()
    def encoded(
        self, x: Float[Tensor, "b *shape"], labels: Int[Tensor, " b"] | None
    ) -> Int[Tensor, "b places"]:
        """The code at each place, row by row from the top."""
        return self.vq.ids(x)

    def sampled(
        self, count: int, labels: Int[Tensor, " count"] | None, asked: Sampling
    ) -> Float[Tensor, "count *shape"]:
        """New pictures of these labels, of codes drawn as the settings say."""
        seed = self.seed if asked.seed is None else asked.seed
        among = asked if isinstance(asked, Filtering) else None
        return self.drawn(count, labels, asked.drawn == "data", seed, among)

    @torch.no_grad()
    def drawn(
        self,
        count: int,
        labels: Int[Tensor, " count"] | None,
        exactly: bool,
        seed: int,
        among: Filtering | None = None,
    ) -> Float[Tensor, "count *shape"]:
        """New pictures of these labels: the mean of what written codes tell, or ``exactly`` one drawn from
        that; number k is a function of (seed, k) where it is the mean.  Codes are drawn ``among`` those."""
        model: CodePrior = self.model
        ids = write_codes(model, count, seed, labels, among)
        told = (model.vq.decode_ids(some) for some in torch.split(ids, self.generation.batch))
        likelihood, generator = model.vq.likelihood, torch.Generator().manual_seed(seed)
        return torch.cat(
            [likelihood.draw(each, generator) if exactly else likelihood.mean(each) for each in told]
        )

    def stream(self, inputs: Iterable[str], settings: Any | None = None) -> Iterator[Answer]:
        """How strange each picture of these paths is."""
        for path in inputs:
            part = self.read([path])
            for place, score in enumerate(cast("list[float]", self.scores(part).tolist())):
                name = f"{path}:{self.form.where(part, place)}" if len(part) > 1 else path
                yield Answer(name, score, bool(self.is_strange(score)))
