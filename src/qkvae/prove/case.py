"""The sentences that the checks are made on, and what the equations say of them, one sentence at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.data.batches import SentencePairs, Seq2SeqBatch, collate
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import BOS, EOS, SPECIALS
from qkvae.models import Seq2Seq

_PAIRS = 5
_LONGEST = 24


@dataclass(frozen=True)
class Sentence:
    """One pair as the equations have it: no padding, no batch."""

    source: Int[Tensor, "1 n"]
    target_in: Int[Tensor, "1 m"]
    target_out: Int[Tensor, "1 m"]


@dataclass(frozen=True)
class Case:
    """A model in fp32 that drops nothing, and sentence pairs of different lengths for it."""

    model: Seq2Seq
    pairs: SentencePairs
    seed: int

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.model.head.weight.device

    @property
    def batch(self) -> Seq2SeqBatch:
        """All pairs as the training sees them."""
        return collate(self.pairs, np.arange(len(self.pairs))).to(self.device)

    def sentences(self) -> Iterator[Sentence]:
        """Each pair by itself, made here and not by the code that makes batches."""
        for row in range(len(self.pairs)):
            source, target = self.pairs.sources[row].tolist(), self.pairs.targets[row].tolist()
            rows = ([*source, EOS], [BOS, *target], [*target, EOS])
            yield Sentence(*(torch.tensor([ids], device=self.device) for ids in rows))

    def logits(self, sentence: Sentence) -> Float[Tensor, "1 m v"]:
        """The model's answer to one sentence alone."""
        return self.model(sentence.source, sentence.target_in)

    def log_p(self, sentence: Sentence) -> Float[Tensor, "m v"]:
        """ln p of every token at every place, in double precision."""
        return self.logits(sentence)[0].double().log_softmax(-1)

    def generator(self) -> torch.Generator:
        """Random numbers of this case's own."""
        return torch.Generator().manual_seed(self.seed)


def make_case(model: Seq2Seq, seed: int) -> Case:
    """Random pairs that fit the model: one long enough for its window, one of a single token, none empty."""
    settings = model.settings
    window = settings.block.window or 0
    longest = max(1, min(settings.max_length - 8, max(_LONGEST, 4 * window + 4)))
    first = min(len(SPECIALS), settings.vocab - 1)
    generator = np.random.default_rng(seed)

    def side(lengths: list[int]) -> Ragged:
        return Ragged.from_lists([generator.integers(first, settings.vocab, n).tolist() for n in lengths])

    def some() -> list[int]:
        return generator.integers(1, longest + 1, _PAIRS - 2).tolist()

    return Case(model, SentencePairs(side([longest, 1, *some()]), side([1, longest, *some()])), seed)
