"""What a filler of blanks is trained to do: tell the tokens that were hidden."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from qkvae import losses
from qkvae.config import FillMask, Training
from qkvae.data.packed import MaskedBatch, MaskedSentences, PackedSentences
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Encoder
from qkvae.nn.heads import MaskedWords
from qkvae.tasks.fill_mask.corpus import Encoded, corruption
from qkvae.tasks.fill_mask.evaluate import figures, tell, watched
from qkvae.tasks.reading import packed_features
from qkvae.train.objective import Loss


class MaskedWordObjective:
    """−ln p of every hidden token given what is left of its passage (Devlin et al. 2019, section 3.1)."""

    metric = "valid_nll"
    larger_is_better = False
    counted = "hidden tokens"

    def __init__(self, model: Encoder, tokenizer: Tokenizer, encoded: Encoded, config: FillMask) -> None:
        self.model: nn.Module = model
        self.encoder, self.tokenizer = model, tokenizer
        self.encoded, self.length = encoded, config.data.length
        self.training: Training = config.training
        self.corruption = corruption(tokenizer, config.learning)
        self.watched = watched(encoded.valid)

    def batches(self, start: int) -> Iterator[MaskedBatch]:
        """Batch ``start`` and all after it: which passages, and which of their tokens are hidden."""
        tokens, seed = max(1, self.training.batch_tokens // self.training.accumulate), self.training.seed
        packed = PackedSentences(self.encoded.train, self.length, tokens, seed)
        return MaskedSentences(packed, self.corruption, seed).stream(start, self.training.workers)

    def parts(self, batch: MaskedBatch, count: int) -> list[MaskedBatch]:
        """The batch cut by rows."""
        return [batch] if count == 1 else batch.split(count)

    def size(self, batch: MaskedBatch) -> int:
        """Hidden tokens in a batch; 1 where none can be hidden, so that a mean can be taken of nothing."""
        return max(1, batch.tokens)

    def loss(self, batch: MaskedBatch) -> Loss:
        """The loss of every hidden token, summed."""
        batch = batch.to(next(self.encoder.parameters()).device)
        head = self.encoder.head
        assert isinstance(head, MaskedWords)
        features = packed_features(self.encoder, batch.packed)
        total = losses.masked_words(features, head, batch.places, batch.targets)
        return Loss(total, total.detach(), batch.tokens)

    def validate(self) -> dict[str, float]:
        """Figures of validation passages, always the same ones with the same tokens hidden."""
        found = figures(tell(self.encoder, self.tokenizer, self.watched))
        return {"valid_nll": found["nll"], "perplexity": found["perplexity"], "accuracy": found["accuracy"]}
