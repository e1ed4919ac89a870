"""What a variational autoencoder is trained to do: raise a bound of ln p(x)."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor, nn

from qkvae.config import Training, Vae
from qkvae.data.numbered import EpochOrder
from qkvae.losses.bounds import doubly_reparameterized, negative_elbo, terms
from qkvae.models import VAE, TextVAE
from qkvae.nn.latents import Vamp
from qkvae.tasks.reading import evenly
from qkvae.tasks.vae.collapse import advised
from qkvae.tasks.vae.corpus import Encoded, told_numbers
from qkvae.tasks.vae.measure import bound
from qkvae.train.objective import Loss

_WATCHED = 5_000  # validation data that are looked at at each evaluation
_VALID = 2**31  # stands where batches have their number


@dataclass(frozen=True, eq=False)
class Batch:
    """Some data, and what the model is told of them."""

    x: Shaped[Tensor, "b *shape"]
    labels: Int[Tensor, " b"] | None
    number: int
    """Which batch it is, from 0 through all epochs."""

    def split(self, count: int) -> list[Batch]:
        """Cut by rows into at most so many parts."""
        count = min(count, len(self.x))
        labels = [None] * count if self.labels is None else self.labels.tensor_split(count)
        return [Batch(x, y, self.number) for x, y in zip(self.x.tensor_split(count), labels, strict=True)]


class LatentObjective:
    """The batches of data in memory, and the validation data that are looked at."""

    metric = "valid_loss"
    larger_is_better = False

    def __init__(self, model: nn.Module, encoded: Encoded, config: Any) -> None:
        self.model = model
        self.encoded, self.config, self.training = encoded, config, cast("Training", config.training)
        self.counted = f"{encoded.form.noun}s"
        self.per_epoch = max(1, round(len(encoded.train) / _rows(self.training)))
        self.warned = False
        rows = torch.from_numpy(evenly(len(encoded.valid), _WATCHED))
        seed, labels = (self.training.seed, _VALID), encoded.valid_labels
        self.watched = told_numbers(encoded.form, encoded.valid[rows], config, seed)
        self.watched_labels = None if labels is None else labels[rows]

    def batches(self, start: int) -> Iterator[Batch]:
        """Batch ``start`` and all after it, every datum once an epoch."""
        order = EpochOrder(len(self.encoded.train), self.training.seed)
        for number in itertools.count(start):
            yield self._batch(torch.from_numpy(order.batch(number, self.per_epoch)), number)

    def _batch(self, rows: Int[Tensor, " b"], number: int) -> Batch:
        labels = self.encoded.train_labels
        return Batch(
            told_numbers(
                self.encoded.form,
                self.encoded.train.index_select(0, rows),
                self.config,
                (self.training.seed, number),
            ),
            None if labels is None else labels[rows],
            number,
        )

    def parts(self, batch: Batch, count: int) -> list[Batch]:
        """The batch cut by rows."""
        return [batch] if count == 1 else batch.split(count)

    def size(self, batch: Batch) -> int:
        """Data in a batch."""
        return len(batch.x)


class VaeObjective(LatentObjective):
    """The negative ELBO, or the negative importance-weighted bound, per datum in nats."""

    def __init__(self, model: VAE | TextVAE, encoded: Encoded, config: Vae) -> None:
        super().__init__(model, encoded, config)
        self.vae, self.learning = model, config.learning
        if isinstance(model.prior.top, Vamp):
            some = evenly(len(encoded.train), len(model.prior.top.inputs))
            found = encoded.form.numbers(
                encoded.train[torch.from_numpy(np.resize(some, len(model.prior.top.inputs)))]
            )
            model.prior.top.begin(found)

    def beta(self, batch: Batch) -> float:
        """The weight of the KL term."""
        return self.learning.beta_at(batch.number / self.per_epoch)

    def held(self, batch: Batch) -> list[nn.Parameter]:
        """What a step leaves as it is: θ in an E-step, φ in an M-step of variational EM."""
        match self.learning.moved_at(batch.number // self.training.accumulate):
            case "phi":
                return self.vae.theta()
            case "theta":
                return self.vae.phi()
            case _:
                return []

    def loss(self, batch: Batch) -> Loss:
        """The loss of a batch, with its gradient by what is not `held`."""
        held = self.held(batch)
        for weight in held:
            weight.requires_grad_(False)
        try:
            return self._loss(batch)
        finally:  # what was computed knows which weights it has a gradient by
            for weight in held:
                weight.requires_grad_(True)

    def _loss(self, batch: Batch) -> Loss:
        device = next(self.vae.parameters()).device
        x = batch.x.to(device)
        labels = None if batch.labels is None else batch.labels.to(device)
        eps = torch.randn(self.learning.draws, len(x), self.vae.settings.latent, device=device)
        if self.learning.bound == "iwae":
            total = -doubly_reparameterized(self.vae, x, eps, labels).sum()
            return Loss(total, total.detach(), len(x))
        found = terms(self.vae, x, eps, labels)
        total = negative_elbo(found, self.beta(batch), self.learning.free_nats_or_default)
        return Loss(total, -found.elbo.detach().sum(), len(x))

    def validate(self) -> dict[str, float]:
        """What is trained, with the whole weight of the KL, both terms of the ELBO and the active latents, on
        validation data: on all of them, or where they are many on some evenly spread; drawn as 0 or 1 once
        and for all."""
        learning = self.learning
        draws = learning.draws if learning.bound == "iwae" else 1
        weighed = (learning.beta, learning.free_nats_or_default)
        return bound(self.vae, self.watched, self.watched_labels, draws).figures(*weighed)

    def advice(self, figures: dict[str, float]) -> str | None:
        """What a person should do about what was found, said once; nothing of a run that is well."""
        told = None if self.warned else advised(figures, self.config, len(self.watched))
        self.warned = told is not None or self.warned
        return told


def _rows(training: Training) -> int:
    return max(1, training.batch_tokens // training.accumulate)
