"""What is trained: texts that are alike have vectors of one direction."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from qkvae import losses
from qkvae.config import FeatureExtraction, Training
from qkvae.data.groups import Groups, PairGroups
from qkvae.data.packed import PackedBatch
from qkvae.models import Encoder
from qkvae.tasks.feature_extraction.corpus import Encoded
from qkvae.tasks.feature_extraction.evaluate import figures, metric_of
from qkvae.tasks.reading import evenly, read_all, read_packed, words_hidden
from qkvae.train.objective import Loss

_WATCHED = 200_000  # tokens of validation texts that are read at each evaluation, about


class SimilarityObjective:
    """Of graded pairs half the squared distance of cosine and grade (Reimers and Gurevych 2019,
    arXiv:1908.10084, section 3); of others `losses.contrastive` within each group.  Per pair.

    What competes is a group, never the batch: however a batch is cut between its groups, by memory, by
    accumulation or among processes, the loss stays the same.
    """

    larger_is_better = True
    counted = "pairs"

    def __init__(self, model: Encoder, encoded: Encoded, config: FeatureExtraction) -> None:
        self.model: nn.Module = model
        self.encoder, self.encoded, self.learning = model, encoded, config.learning
        self.training: Training = config.training
        lengths = encoded.valid.ids.lengths
        most = max(1, round(_WATCHED / float(2 * lengths.mean())))
        self.watched = evenly(len(encoded.valid_texts), most)
        self.metric = metric_of(encoded.valid_known)

    def batches(self, start: int) -> Iterator[Groups]:
        """Batch ``start`` and all after it."""
        tokens = max(1, self.training.batch_tokens // self.training.accumulate)
        groups = PairGroups(self.encoded.train, self.learning.group_or_default, tokens, self.training.seed)
        return groups.stream(start, self.training.workers)

    def parts(self, batch: Groups, count: int) -> list[Groups]:
        """The batch cut between its groups, into as many parts as it has groups at most."""
        count = min(count, len(batch))
        cuts = [place * len(batch) // count for place in range(count + 1)]
        return [batch[begin:end] for begin, end in itertools.pairwise(cuts)]

    def size(self, batch: Groups) -> int:
        """Pairs in a batch."""
        return sum(len(group.sentences) for group in batch) // 2

    def loss(self, batch: Groups) -> Loss:
        """The loss of every pair, summed."""
        total = torch.stack([self._of_group(group) for group in batch]).sum()
        return Loss(total, total.detach(), self.size(batch))

    def validate(self) -> dict[str, float]:
        """Every figure on validation pairs: on all of them, or where they are many on some evenly spread."""
        rows = np.stack([2 * self.watched, 2 * self.watched + 1], 1).ravel()
        vectors = read_all(self.encoder, self.encoded.valid[rows]).numpy()
        known = self.encoded.valid_known
        texts = self.encoded.valid_texts.select(self.watched.tolist())
        return figures(vectors[0::2], vectors[1::2], texts, None if known is None else known[self.watched])

    def _of_group(self, group: PackedBatch) -> Tensor:
        device = next(self.encoder.parameters()).device
        if self.learning.word_dropout and self.encoder.training:
            group = words_hidden(group, self.learning.word_dropout, self.encoder.settings.marks)
        rows, order = group.sentences.sort()
        vectors = read_packed(self.encoder, group.to(device))[order.to(device)]
        first, second = vectors[0::2], vectors[1::2]
        if self.encoded.known is not None:
            known = self.encoded.known[rows[0::2] // 2].to(device)
            return losses.numbers(F.cosine_similarity(first.float(), second.float()), known)
        alike = _alike(*(self.encoded.numbers[rows[side::2]] for side in (0, 1)))
        return losses.contrastive(first, second, self.learning.temperature_or_default, alike.to(device))


def _alike(first: Tensor, second: Tensor) -> Tensor:
    """Which pairs share a text: the partner of one may then belong to the other, too.

    >>> _alike(torch.tensor([0, 2, 0]), torch.tensor([1, 3, 4])).int()
    tensor([[1, 0, 1],
            [0, 1, 0],
            [1, 0, 1]], dtype=torch.int32)
    """
    sides = (first, second)
    same = [one[:, None] == other for one in sides for other in sides]
    return torch.stack([*same, *(each.T for each in same)]).any(0)
