"""What a masked autoencoder is trained to do: tell the patches that are hidden."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from qkvae import losses
from qkvae.config import MaskedImageModeling
from qkvae.data.patch_masks import kept_patches
from qkvae.data.picture_batches import PictureBatch
from qkvae.models import MaskedImage
from qkvae.tasks.grid_objective import GridObjective
from qkvae.tasks.grids import GridCorpus
from qkvae.tasks.masked_image_modeling.teller import Teller
from qkvae.tasks.reading import evenly
from qkvae.train.objective import Loss

_WATCHED = 1_000  # validation pictures that are looked at at each evaluation


@dataclass(frozen=True, eq=False)
class MaskedBatch:
    """Pictures, and which patches of each are seen."""

    pictures: PictureBatch
    kept: Int[Tensor, "b k"]


class MaskedObjective(GridObjective):
    """The mean squared error of a picture's hidden patches, per picture."""

    larger_is_better = False
    metric = "valid_loss"

    def __init__(self, model: MaskedImage, corpus: GridCorpus, config: MaskedImageModeling) -> None:
        """
        Raises:
            ValueError: the augmentation cannot be done to the data.
        """
        super().__init__(model, corpus, config.training, config.augmentation, "picture")
        self.masked, self.seen = model, config.learning.seen
        self.teller = Teller(model, corpus.form, config.data, config.generation, self.seen)
        self.watched = corpus.valid.select(evenly(len(corpus.valid), _WATCHED).tolist())

    def batches(self, start: int) -> Iterator[MaskedBatch]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Batch ``start`` and all after it; what is hidden depends on the seed and the batch's number."""
        count = self.masked.settings.patches.count
        for number, batch in zip(itertools.count(start), super().batches(start), strict=False):
            yield MaskedBatch(batch, kept_patches(self.training.seed, number, len(batch), count, self.seen))

    def parts(self, batch: MaskedBatch, count: int) -> list[MaskedBatch]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The batch cut by rows."""
        pictures = super().parts(batch.pictures, count)
        return [
            MaskedBatch(*each) for each in zip(pictures, batch.kept.tensor_split(len(pictures)), strict=True)
        ]

    def size(self, batch: MaskedBatch) -> int:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Pictures in a batch."""
        return len(batch.pictures)

    def loss(self, batch: MaskedBatch) -> Loss:
        """The mean over each picture's hidden patches, summed over pictures."""
        read = self.read(batch.pictures)
        kept = batch.kept.to(read.device)
        told = self.masked(read, kept)
        total = losses.masked_patches(told, self.masked.truth(read), kept) / (told.shape[1] - kept.shape[1])
        return Loss(total, total.detach(), len(batch.pictures))

    def validate(self) -> dict[str, float]:
        """The loss on validation pictures, of which always the same patches are hidden: on all, or where they
        are many on some evenly spread."""
        found = torch.cat([told.losses for told in self.teller.tell(self.watched)])
        return {"valid_loss": float(found.mean())}
