"""Data in; scores, latents and data out: a model and what data are to it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from qkvae.config import Telling, Vae
from qkvae.config.latent_uses import Sampling
from qkvae.config.names import nearest
from qkvae.data.documents import Documents
from qkvae.data.labels import Labels
from qkvae.data.picture_files import is_picture_name
from qkvae.data.pictures import Pictures
from qkvae.models import VAE, TextVAE
from qkvae.run import Run
from qkvae.tasks.answering import kept_model
from qkvae.tasks.task import settled
from qkvae.tasks.vae.corpus import NOUNS, Part_, read_part, targets, told_numbers
from qkvae.tasks.vae.drawing import drawn, expected, reconstructed, together
from qkvae.tasks.vae.forms import Form, TableForm, saved_form
from qkvae.tasks.vae.measure import log_p, posterior_means, scores
from qkvae.tasks.vae.text_form import TextForm

_ROWS = 500  # data told side by side
_JUDGED = (1, 2**31 + 1)
"""The seed of what is drawn of data that are judged: one for all runs, so that they can be compared."""


@dataclass(frozen=True)
class Answer:
    """How strange a datum is."""

    source: str
    """Which one it is."""

    score: float
    """−ln p(x) in nats: the higher, the stranger."""

    strange: bool
    """Whether that is more than nearly all training data have."""

    cut: bool = False

    @property
    def text(self) -> str:
        """The score, and what it means."""
        return f"{self.score:.2f} nats, {'strange' if self.strange else 'usual'}"

    def record(self) -> dict[str, Any]:
        """For JSON."""
        return {"source": self.source, "score": self.score, "strange": self.strange}


class Coder:
    """A trained variational autoencoder."""

    def __init__(
        self,
        model: VAE | TextVAE,
        form: Form,
        labels: Labels | None,
        config: Vae,
        threshold: float | None = None,
    ) -> None:
        self.model, self.form, self.labels = model, form, labels
        self.config, self.threshold = config, threshold
        self.generation: Telling = config.generation
        self.seed = config.training.seed

    @classmethod
    def from_run(cls, run: Run) -> Coder:
        """The weights that a run keeps for use, and what it knows of its data.

        Raises:
            RunError: a part of the run is missing or damaged.
        """
        passport = run.passport
        labels = Labels.from_dict(passport["labels"]) if "labels" in passport else None
        form = saved_form(run)
        return cls(kept_model(run), form, labels, settled(run), run.resolved.get("threshold"))

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(self.model.parameters()).device

    def read(self, inputs: Iterable[str], ignore: tuple[str, ...] = (), like: str | None = None) -> Part_:
        """The data that were typed: texts as they are, or what these paths hold, as training read its own.

        Args:
            inputs: texts or paths.
            ignore: columns of a table that are left out.
            like: the label of all of them, for a model that is told labels; read beside them if not given.

        Raises:
            ValueError: they are not such as the run was trained on; a label that the run does not know.
        """
        inputs = list(inputs)
        if like is not None:
            self.label(like)
        elif self.labels is not None and (bare := next(filter(is_picture_name, inputs), None)) is not None:
            raise ValueError(
                f"{bare} says no label, which this run is told of each picture: with --score, --reconstruct "
                f"and so on add --like {self.labels.names[0]}, or another; or give a folder that holds a "
                "folder for each label"
            )
        if isinstance(self.form, TextForm):
            if ignore:
                raise ValueError(f"ignore {' '.join(ignore)} has no effect on texts: leave it out")
            return Documents(inputs)
        part = self._examples(inputs, ignore, labelled=self.labels is not None and like is None)
        if like is None:
            return part
        return replace(cast("Pictures", part), labels=[like] * len(part))

    def _examples(self, paths: list[str], ignore: tuple[str, ...], labelled: bool) -> Part_:
        """What these paths hold."""
        data = replace(self.config.data, ignore=ignore)
        if not labelled:
            data = replace(data, condition="none", pictures=replace(data.pictures, label=None))
        return read_part(data, paths, self.form, minimum=1)

    def label(self, name: str) -> int:
        """The place of a label among those that the model was told.

        Raises:
            ValueError: the run knows no such label, or was told none.
        """
        if self.labels is None:
            raise ValueError(f"like {name} has no effect on a run that was told no labels: leave it out")
        if name not in self.labels.names:
            raise ValueError(f"like {name}: the run knows no such label, {nearest(name, self.labels.names)}")
        return self.labels.names.index(name)

    def numbers(self, part: Part_) -> Shaped[Tensor, "count *shape"]:
        """The data as the model reads and tells them.

        Raises:
            ValueError: they cannot have come from the likelihood.
        """
        stored = self._stored(part)
        return told_numbers(self.form, stored, self.config, _JUDGED)

    def classes(self, part: Part_) -> Int[Tensor, " count"] | None:
        """The label of each datum, where the model is told it."""
        return targets(self.labels, part)

    def scores(self, part: Part_, samples: int | None = None) -> Float[Tensor, " count"]:
        """How strange each datum is: −ln p(x) in nats.

        Under a Bernoulli numbers are chances as they are, so that a datum always scores the same.

        Raises:
            ValueError: the data are not such as the run was trained on.
        """
        x = self.form.numbers(self._stored(part))
        return scores(self.model, x, self.classes(part), samples or self.generation.samples_or_default)

    def _stored(self, part: Part_) -> Shaped[Tensor, "count *shape"]:
        """The data as they are kept in memory.

        Raises:
            ValueError: they are of another kind than the run's, or cannot have come from the likelihood.
        """
        noun = NOUNS[type(part)]
        if noun != self.form.noun:
            raise ValueError(f"the data are {noun}s, but the run reads {self.form.noun}s: give such data")
        stored = self.form.stored(part)
        if not isinstance(self.model, TextVAE):
            self.model.likelihood.check(self.form.numbers(stored))
        return stored

    def log_p(
        self, x: Shaped[Tensor, "count *shape"], labels: Int[Tensor, " count"] | None, samples: int
    ) -> Float[Tensor, " count"]:
        """ln p(x) of each datum, by so many draws of the latents."""
        return log_p(self.model, x, labels, samples, self.generation.batch)

    def nll(self, part: Part_) -> Float[Tensor, " count"]:
        """−ln p(x) of each datum, by as many draws of the latents as the run has it.

        Raises:
            ValueError: the data are not such as the run was trained on.
        """
        return -self.log_p(self.numbers(part), self.classes(part), self.generation.samples_or_default)

    def reconstructed(
        self, x: Shaped[Tensor, "b *shape"], labels: Int[Tensor, " b"] | None
    ) -> Shaped[Tensor, "b *there"]:
        """What the latents keep of each datum."""
        return reconstructed(self.model, x, labels)

    def encoded(self, x: Shaped[Tensor, "b *shape"], labels: Int[Tensor, " b"] | None) -> Tensor:
        """What tells each datum: the means of its latents."""
        return posterior_means(self.model, x, labels)

    def sampled(
        self, count: int, labels: Int[Tensor, " count"] | None, asked: Sampling
    ) -> Shaped[Tensor, "count *shape"]:
        """New data of these labels, as the settings say."""
        drawn = asked.drawn or ("data" if isinstance(self.form, TableForm) else "mean")
        seed = self.seed if asked.seed is None else asked.seed
        return self.drawn(count, labels, drawn == "data", seed)

    @torch.no_grad()
    def drawn(
        self, count: int, labels: Int[Tensor, " count"] | None, exactly: bool, seed: int
    ) -> Shaped[Tensor, "count *shape"]:
        """New data of these labels: what drawn latents tell, or ``exactly`` data drawn from that."""
        model, generator = self.model, torch.Generator().manual_seed(seed)
        eps = torch.randn(count, model.settings.latent, generator=generator)
        z = model.prior.draw(eps, model.read, generator)
        found: list[Tensor] = []
        for begin in range(0, count, _ROWS):
            rows = slice(begin, begin + _ROWS)
            told = None if labels is None else labels[rows]
            found.append(
                drawn(model, z[rows], told, generator) if exactly else expected(model, z[rows], told)
            )
        return together(found)

    def stream(self, inputs: Iterable[str], settings: Telling | None = None) -> Iterator[Answer]:
        """How strange each datum of these paths is."""
        samples = (settings or self.generation).samples_or_default
        for path in inputs:
            part = self.read([path])
            scores_of = cast("list[float]", self.scores(part, samples).tolist())
            for place, score in enumerate(scores_of):
                name = f"{path}:{self.form.where(part, place)}" if len(part) > 1 else path
                yield Answer(name, score, bool(self.is_strange(score)))

    def is_strange(self, score: float) -> bool | None:
        """Whether a score is more than nearly all training data have; None if that is not known."""
        return None if self.threshold is None else not score <= self.threshold

    def lines(self, answer: Answer, number: int, settings: Telling | None = None) -> list[str]:
        """One line: which datum, its score, and whether it is strange."""
        return [f"{answer.source}\t{answer.score:.4f}\t{'strange' if answer.strange else 'usual'}"]

    def said_of_cuts(self, answers: Iterable[Answer]) -> str | None:
        """Nothing of data is ever cut."""
        return None

    def said_of_threshold(self) -> str | None:
        """Where strange begins, for a person."""
        if self.threshold is None:
            return None
        noun = self.form.noun
        return f"{noun}s above {self.threshold:.4f} nats are strange: 99 % of the training {noun}s lie below"
