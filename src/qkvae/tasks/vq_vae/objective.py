"""What models of codes are trained to do: to tell pictures by codes, or to know which codes follow which."""

from __future__ import annotations

import torch

from qkvae.config import ImageGeneration, VqVae
from qkvae.losses.codes import coded_terms
from qkvae.models import VQ, CodePrior
from qkvae.tasks.vae.corpus import Encoded
from qkvae.tasks.vae.objective import Batch, LatentObjective
from qkvae.tasks.vq_vae.collapse import advised
from qkvae.tasks.vq_vae.measure import told_of
from qkvae.train.objective import Loss


class VQObjective(LatentObjective):
    """−ln p(x | codes) + β ‖features − codes‖² a picture, in nats; the codes follow by themselves."""

    def __init__(self, model: VQ, encoded: Encoded, config: VqVae) -> None:
        super().__init__(model, encoded, config)
        self.vq, self.doubtful, self.places = model, False, 0

    def loss(self, batch: Batch) -> Loss:
        """The loss of a batch, with its gradient."""
        found = coded_terms(self.vq, batch.x.to(self.vq.codebook.codes.device))
        total = found.negative(self.vq.settings.commitment)
        return Loss(total, -found.log_likelihood.detach().sum(), len(batch.x))

    def validate(self) -> dict[str, float]:
        """−ln p(x | codes) and which codes are used, on validation pictures: on all of them, or where they
        are many on some evenly spread; drawn as 0 or 1 once and for all."""
        told = told_of(self.vq, self.watched, None)
        found, self.places = told.figures, int(told.counts.sum())
        kept = ("code_perplexity", "codes_used")
        return {"valid_loss": found["distortion"], **{name: found[name] for name in kept}}

    def advice(self, figures: dict[str, float]) -> str | None:
        """What a person should do about what was found twice running, said once: in its first steps a book is
        not settled yet."""
        told = None if self.warned else advised(figures, self.config, self.places)
        again, self.doubtful = self.doubtful, told is not None
        self.warned = self.warned or (again and self.doubtful)
        return told if again else None


class PriorObjective(LatentObjective):
    """−ln p(codes) a picture, in nats; what makes pictures codes is held."""

    def __init__(self, model: CodePrior, encoded: Encoded, config: ImageGeneration) -> None:
        super().__init__(model, encoded, config)
        self.prior = model

    def loss(self, batch: Batch) -> Loss:
        """The loss of a batch, with its gradient."""
        device = self.prior.vq.codebook.codes.device
        with torch.no_grad():
            ids = self.prior.vq.ids(batch.x.to(device))
        labels = None if batch.labels is None else batch.labels.to(device)
        total = -self.prior.log_prior(ids, labels).sum()
        return Loss(total, total.detach(), len(batch.x))

    def validate(self) -> dict[str, float]:
        """The bound of −ln p(x) and both its terms, on validation pictures, as a VQ-VAE's are watched."""
        found = told_of(self.prior, self.watched, self.watched_labels).figures
        return {"valid_loss": -found["elbo"], "distortion": found["distortion"], "kl": found["kl"]}
