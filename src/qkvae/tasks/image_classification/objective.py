"""What a classifier is trained to do: tell the label of every picture, signal or clip."""

from __future__ import annotations

import torch
from torch import Tensor

from qkvae import losses
from qkvae.config import ImageClassification
from qkvae.data.picture_batches import PictureBatch
from qkvae.models import Vision
from qkvae.tasks.grid_objective import GridObjective
from qkvae.tasks.grids import GridCorpus, kind_of, tell_all
from qkvae.tasks.label_figures import METRICS, figures, targets
from qkvae.tasks.reading import evenly
from qkvae.train.objective import Loss

_WATCHED = 2_000  # validation examples that are looked at at each evaluation


class ClassificationObjective(GridObjective):
    """−ln p of every example's label; of examples that were mixed, of both labels by their shares."""

    larger_is_better = True

    def __init__(self, model: Vision, corpus: GridCorpus, config: ImageClassification) -> None:
        """
        Raises:
            ValueError: a setting of ``learning`` or ``augmentation`` has no effect on these data, or a label
                of the validation part is not known.
        """
        super().__init__(model, corpus, config.training, config.augmentation, kind_of(config.data).noun)
        assert corpus.labels is not None
        self.labels, self.learning = corpus.labels, config.learning
        if self.labels.kind != "one" and config.learning.label_smoothing:
            raise ValueError(
                f"label_smoothing {config.learning.label_smoothing} has no effect on labels of kind "
                f"{self.labels.kind}: leave it out"
            )
        balanced = config.learning.class_weights == "balanced"
        self.weights = torch.from_numpy(self.labels.weights()) if balanced else None
        self.metric = "macro_f1" if balanced else METRICS[self.labels.kind]
        self.targets = targets(self.labels, corpus.train)
        self.watched = corpus.valid.select(evenly(len(corpus.valid), _WATCHED).tolist())
        self.watched_targets = targets(self.labels, self.watched)

    def loss(self, batch: PictureBatch) -> Loss:
        """The loss of every example, summed."""
        own, other = (self.targets[rows] for rows in (batch.rows, batch.partners))
        total = self._total(self.told(batch), own, other, batch.share)
        return Loss(total, total.detach(), len(batch))

    def validate(self) -> dict[str, float]:
        """The loss and every figure on validation examples: on all, or where they are many on some evenly
        spread."""
        told, known = tell_all(self.model, self.watched, self.form), self.watched_targets
        loss = self._total(told, known, known, torch.ones(len(known)))
        return {"valid_loss": float(loss) / len(known), **figures(self.labels, known, told)}

    def _total(self, told: Tensor, own: Tensor, other: Tensor, share: Tensor) -> Tensor:
        weights = None if self.weights is None else self.weights.to(told.device)
        own, other, share = (each.to(told.device) for each in (own, other, share))
        if self.labels.kind == "one":
            smoothing = self.learning.label_smoothing_or_default
            return losses.mixed_classes(told, own, other, share, weights, smoothing)
        return losses.many_labels(told, torch.lerp(other, own, share[:, None]), weights)
