"""What a classifier is trained to do: tell every text's label."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from qkvae import losses
from qkvae.config import TextClassification, Training
from qkvae.data.packed import PackedBatch, PackedSentences
from qkvae.models import Encoder
from qkvae.tasks.label_figures import METRICS, figures
from qkvae.tasks.reading import evenly, read_all, read_packed, words_hidden
from qkvae.tasks.text_classification.corpus import Encoded
from qkvae.train.objective import Loss

_WATCHED = 200_000  # tokens of validation texts that are read at each evaluation, about


class ClassificationObjective:
    """−ln p of every text's label, or half the squared error of its number, per text."""

    larger_is_better = True
    counted = "texts"

    def __init__(self, model: Encoder, encoded: Encoded, config: TextClassification) -> None:
        """
        Raises:
            ValueError: settings of ``learning`` that have no effect on labels of this kind.
        """
        self.model: nn.Module = model
        self.encoder, self.encoded, self.learning = model, encoded, config.learning
        self.training: Training = config.training
        kind, balanced = encoded.labels.kind, config.learning.class_weights == "balanced"
        if config.learning.label_smoothing and kind != "one":
            raise ValueError(
                f"label_smoothing {config.learning.label_smoothing} has no effect on labels of kind {kind}: "
                "leave it out"
            )
        lengths = encoded.valid.ids.lengths
        most = max(1, round(_WATCHED / float(lengths.mean())))
        self.watched = torch.from_numpy(evenly(len(lengths), most))
        self.weights = torch.from_numpy(encoded.labels.weights()) if balanced else None
        self.metric = "macro_f1" if balanced else METRICS[kind]

    def batches(self, start: int) -> Iterator[PackedBatch]:
        """Batch ``start`` and all after it."""
        tokens = max(1, self.training.batch_tokens // self.training.accumulate)
        longest = int(self.encoded.train.ids.lengths.max())
        batches = PackedSentences(self.encoded.train, longest, tokens, self.training.seed)
        return batches.stream(start, self.training.workers)

    def parts(self, batch: PackedBatch, count: int) -> list[PackedBatch]:
        """The batch cut by rows."""
        return [batch] if count == 1 else batch.split(count)

    def size(self, batch: PackedBatch) -> int:
        """Texts in a batch."""
        return len(batch.sentences)

    def loss(self, batch: PackedBatch) -> Loss:
        """The loss of every text, summed."""
        device = next(self.encoder.parameters()).device
        targets = self.encoded.train_targets[batch.sentences].to(device)
        if self.learning.word_dropout and self.encoder.training:
            batch = words_hidden(batch, self.learning.word_dropout, self.encoder.settings.marks)
        total = self._total(read_packed(self.encoder, batch.to(device)), targets)
        return Loss(total, total.detach(), len(batch.sentences))

    def validate(self) -> dict[str, float]:
        """The loss on validation texts and every figure of the labels told: on all of them, or where they are
        many on some evenly spread."""
        told = read_all(self.encoder, self.encoded.valid[self.watched.numpy()])
        targets = self.encoded.valid_targets[self.watched]
        found = figures(self.encoded.labels, targets, told)
        return {"valid_loss": float(self._total(told, targets)) / len(targets), **found}

    def _total(self, told: Tensor, targets: Tensor) -> Tensor:
        weights = None if self.weights is None else self.weights.to(told.device)
        match self.encoded.labels.kind:
            case "one":
                return losses.classes(told, targets, weights, self.learning.label_smoothing)
            case "several":
                return losses.many_labels(told, targets, weights)
            case "number":
                return losses.numbers(told[:, 0], targets)
