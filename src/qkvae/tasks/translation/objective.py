"""What a translator is trained to do: write the target, token by token."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from qkvae.config import Generation, Training, Translation
from qkvae.data.batches import Batches, Seq2SeqBatch
from qkvae.data.tokenizer import Tokenizer
from qkvae.generate import generate
from qkvae.losses import consistent_cross_entropy, projected_cross_entropy
from qkvae.metrics import bleu, perplexity
from qkvae.models import Seq2Seq
from qkvae.tasks.translation.corpus import Encoded
from qkvae.tasks.translation.evaluate import validation_loss
from qkvae.train.objective import Loss

_WATCHED = 1_000  # validation sentences that are translated at each evaluation


class TranslationObjective:
    """Label-smoothed cross-entropy of the target's tokens, its end included, with teacher forcing."""

    metric = "bleu"
    larger_is_better = True
    counted = "tokens"

    def __init__(self, model: Seq2Seq, tokenizer: Tokenizer, encoded: Encoded, config: Translation) -> None:
        self.model: nn.Module = model
        self.seq2seq, self.tokenizer, self.encoded = model, tokenizer, encoded
        self.smoothing, self.consistency = config.data.label_smoothing, config.data.consistency
        self.training: Training = config.training

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.seq2seq.head.weight.device

    def batches(self, start: int) -> Iterator[Seq2SeqBatch]:
        """Batch ``start`` and all after it."""
        tokens = max(1, self.training.batch_tokens // self.training.accumulate)
        batches = Batches(self.encoded.train, tokens, self.training.seed, self.training.workers)
        return batches.stream(start)

    def parts(self, batch: Seq2SeqBatch, count: int) -> list[Seq2SeqBatch]:
        """The batch cut by rows."""
        return [batch] if count == 1 else batch.split(count)

    def size(self, batch: Seq2SeqBatch) -> int:
        """Target tokens, padding not counted."""
        return batch.tokens

    def loss(self, batch: Seq2SeqBatch) -> Loss:
        """Cross-entropy over the target tokens that are not padding."""
        count = batch.tokens
        batch = batch.to(self.device)
        real, head = batch.real, self.seq2seq.head
        targets = batch.target_out[real]
        if not self.consistency:
            features = self.seq2seq.features(batch.source, batch.target_in, batch.source_lengths)
            total, nll = projected_cross_entropy(
                features[real], head.weight, targets, self.smoothing, head.bias
            )
            return Loss(total, nll, count)
        # Both passes side by side: dropout differs from row to row.
        source, target = batch.source.repeat(2, 1), batch.target_in.repeat(2, 1)
        both = self.seq2seq.features(source, target, batch.source_lengths.repeat(2))
        features, weight = both.view(2, *real.shape, -1)[:, real], head.weight
        if self.seq2seq.settings.head == "affine":
            # The bias is the weight of one more channel, which is always 1.
            features = torch.nn.functional.pad(features, (0, 1), value=1.0)
            weight = torch.cat([weight, head.bias[:, None]], 1)
        total, nll = consistent_cross_entropy(features, weight, targets, self.smoothing, self.consistency)
        return Loss(total, nll, count)

    def validate(self) -> dict[str, float]:
        """Loss on all validation pairs, BLEU of greedy translations of the first ones."""
        loss, nll = validation_loss(self.seq2seq, self.encoded.valid, self.smoothing)
        count = min(_WATCHED, len(self.encoded.valid))
        greedy = Generation(beam=1, batch=64)
        sources = [self.encoded.valid.sources[i] for i in range(count)]
        found = generate(self.seq2seq, sources, greedy, self.seq2seq.settings.max_length)
        texts = [self.tokenizer.decode(best[0].ids) for best in found]
        score = bleu(texts, self.encoded.valid_texts.targets[:count])
        return {"valid_loss": loss, "valid_nll": nll, "perplexity": perplexity(nll), "bleu": score.score}
