"""What trainings on pictures, signals and clips share: their batches."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from qkvae.config import Augmentation, Training
from qkvae.data.picture_batches import PictureBatch, PictureBatches
from qkvae.models import MaskedImage, Vision
from qkvae.tasks.grids import GridCorpus


class GridObjective:
    """Batches of a corpus, varied as the settings say; a loss is counted by examples."""

    def __init__(
        self,
        model: Vision | MaskedImage,
        corpus: GridCorpus,
        training: Training,
        augmentation: Augmentation,
        noun: str,
    ) -> None:
        """
        Args:
            model: what is trained; its ``settings.patches`` say how many tokens an example is.
            noun: what an example is called.

        Raises:
            ValueError: the augmentation cannot be done to the data.
        """
        self.model: nn.Module = model
        self.corpus, self.form, self.training = corpus, corpus.form, training
        self.counted = f"{noun}s"
        tokens = max(1, training.batch_tokens // training.accumulate)
        rows = max(1, tokens // model.settings.patches.count)
        self.made = PictureBatches(corpus.train, self.form, rows, training.seed, augmentation)

    def batches(self, start: int) -> Iterator[PictureBatch]:
        """Batch ``start`` and all after it."""
        return self.made.stream(start, self.training.workers)

    def parts(self, batch: PictureBatch, count: int) -> list[PictureBatch]:
        """The batch cut by rows."""
        return [batch] if count == 1 else batch.split(count)

    def size(self, batch: PictureBatch) -> int:
        """Examples in a batch."""
        return len(batch)

    def read(self, batch: PictureBatch) -> Tensor:
        """What the model reads of a batch, where the model is."""
        device = next(self.model.parameters()).device
        return self.form.normalised(batch.shares.to(device, non_blocking=True))

    def told(self, batch: PictureBatch) -> Tensor:
        """What the model tells of a batch."""
        return self.model(self.read(batch))
