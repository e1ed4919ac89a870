"""What a language model is trained to do: say the next token."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from qkvae.config import TextGeneration
from qkvae.data.packing import PackedBatch, PackedBatches
from qkvae.data.whole import WholeBatches
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

    Of conversations, which rows hold whole where there is no memory, the assistant's tokens count; with a
    ``prompt_weight`` w the others' −ln p is added, times w.
    """

    metric = "valid_nll"
    larger_is_better = False
    counted = "tokens"

    def __init__(self, model: Decoder, encoded: Encoded, config: TextGeneration) -> None:
        self.model: nn.Module = model
        self.decoder, self.encoded, self.length = model, encoded, config.data.length
        training, self._memory = config.training, model.settings.memory
        self._prompt_weight = config.data.prompt_weight
        tokens, order = training.batch_tokens // training.accumulate, (training.seed, training.workers)
        self._batches = (
            WholeBatches(encoded.train, self.length, tokens, *order)
            if encoded.train.counted is not None and not self._memory
            else PackedBatches(encoded.train, self.length, tokens // self.length, *order, before=self._memory)
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
        """Cross-entropy over the predictions that count; ``nll`` is theirs alone."""
        count = batch.tokens
        batch = batch.to(self.decoder.head.weight.device)
        carried = None
        if self._memory:
            carried, before = self.decoder.carry(), batch.upto(self._memory)
            with torch.no_grad():
                self.decoder.features(before.inputs, before.documents, carried)
            batch = batch.from_place(self._memory)
        features = self.decoder.features(batch.inputs, batch.documents, carried).flatten(0, 1)
        targets, head = batch.targets.flatten(), self.decoder.head.weight
        if count == len(targets):
            return Loss(*projected_cross_entropy(features, head, targets), count)
        counted = batch.counted.flatten()
        total, nll = projected_cross_entropy(features[counted], head, targets[counted])
        if self._prompt_weight and batch.documents is not None:
            others = ~counted & (batch.documents.flatten() >= 0)  # padding is nobody's
            said, _ = projected_cross_entropy(features[others], head, targets[others])
            total = total + self._prompt_weight * said
        return Loss(total, nll, count)

    def validate(self) -> dict[str, float]:
        """Figures of the validation text, of an evenly spread part of it where it is long.

        The windows stand side by side, each with the memory before it; those of a conversation that is longer
        than a row overlap by half, as in training.  Bits per byte are told with the bytes per token of the
        whole text.
        """
        documents, shown = self.encoded.valid, self._memory + self.length
        stride = self.length if documents.counted is None else max(1, shown // 2)
        total = watched(self.decoder, documents, shown, stride, _WATCHED)
        count = documents.predictions if documents.counted is None else int(documents.counted.sum())
        bytes_watched = self.encoded.valid_bytes and round(self.encoded.valid_bytes * total.tokens / count)
        found = figures(total, bytes_watched)
        named = {"valid_nll": found["nll"], **{name: found[name] for name in ("perplexity", "bits_per_byte")}}
        return {name: value for name, value in named.items() if value is not None}
