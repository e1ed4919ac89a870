"""What a language model is trained to do: say the next token."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from qkvae.config import TextGeneration
from qkvae.data.packing import PackedBatch, PackedBatches
from qkvae.losses import projected_cross_entropy
from qkvae.models import Decoder
from qkvae.tasks.text_generation.corpus import Encoded
from qkvae.tasks.text_generation.evaluate import figures, watched
from qkvae.train.objective import Loss

_WATCHED = 32_768  # validation tokens that are read at each evaluation


class TextObjective:
    """Cross-entropy of each token given those before it in its document, −Σ ln p(token_t | token_<t).

    A model with a memory of N tokens (Transformer-XL, Dai et al. 2019, arXiv:1901.02860) is shown each row
    with the keys and values of the N tokens before it, through which no gradient flows.  They are made by the
    present weights when the row is learned, not carried over from the step that learned those tokens: so they
    are never out of date, any row may follow any other, and a step stays a function of (seed, step) and the
    weights alone, as resuming and several processes need.  It costs a reading of N tokens a row.
    """

    metric = "valid_nll"
    larger_is_better = False
    counted = "tokens"

    def __init__(self, model: Decoder, encoded: Encoded, config: TextGeneration) -> None:
        self.model: nn.Module = model
        self.decoder, self.encoded, self.length = model, encoded, config.data.length
        training, self._memory = config.training, model.settings.memory
        rows = training.batch_tokens // training.accumulate // self.length
        self._batches = PackedBatches(
            encoded.train, self.length, rows, training.seed, training.workers, self._memory
        )

    def batches(self, start: int) -> Iterator[PackedBatch]:
        """Batch ``start`` and all after it."""
        return self._batches.stream(start)

    def parts(self, batch: PackedBatch, count: int) -> list[PackedBatch]:
        """The batch cut by rows."""
        return [batch] if count == 1 else batch.split(count)

    def size(self, batch: PackedBatch) -> int:
        """Predictions that count; 1 where none does, so that a mean can be taken of nothing."""
        return max(1, batch.tokens)

    def loss(self, batch: PackedBatch) -> Loss:
        """Cross-entropy over the predictions that count."""
        count = batch.tokens
        batch = batch.to(self.decoder.head.weight.device)
        carried = None
        if self._memory:
            carried, before = self.decoder.carry(), batch.upto(self._memory)
            with torch.no_grad():
                self.decoder.features(before.inputs, before.documents, carried)
            batch = batch.from_place(self._memory)
        features = self.decoder.features(batch.inputs, batch.documents, carried).flatten(0, 1)
        targets = batch.targets.flatten()
        if count < len(targets):
            counted = batch.counted.flatten()
            features, targets = features[counted], targets[counted]
        total, nll = projected_cross_entropy(features, self.decoder.head.weight, targets)
        return Loss(total, nll, count)

    def validate(self) -> dict[str, float]:
        """Figures of the validation text, of an evenly spread part of it where it is long.

        The windows stand side by side, each with the memory before it; bits per byte are told with the bytes
        per token of the whole text.
        """
        documents = self.encoded.valid
        total = watched(self.decoder, documents, self._memory + self.length, self.length, _WATCHED)
        count = documents.predictions if documents.counted is None else int(documents.counted.sum())
        bytes_watched = self.encoded.valid_bytes and round(self.encoded.valid_bytes * total.tokens / count)
        found = figures(total, bytes_watched)
        named = {"valid_nll": found["nll"], **{name: found[name] for name in ("perplexity", "bits_per_byte")}}
        return {name: value for name, value in named.items() if value is not None}
