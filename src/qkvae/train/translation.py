"""Translation: from the user's sentence pairs to something the loop can train."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from qkvae.config import Generation, Training, Translation, TranslationData
from qkvae.data.batches import Batches, DropoutPairs, PairSource, SentencePairs, Seq2SeqBatch
from qkvae.data.defaults import default_pairs
from qkvae.data.pairs import Pairs, fingerprint
from qkvae.data.ragged import Ints
from qkvae.data.sources import read_pairs
from qkvae.data.splits import split_pairs
from qkvae.data.tokenizer import Tokenizer
from qkvae.evaluate import validation_loss
from qkvae.generate import generate
from qkvae.losses import projected_cross_entropy
from qkvae.metrics import bleu, perplexity
from qkvae.models import Seq2Seq
from qkvae.train.objective import Loss

_DEFAULT_COUNT = 40_000  # phrases of the embedded default
_BPE_SIZE = 8000
_WORDS = 1_000_000
_MOST_VALID = 5_000  # pairs that are split off at most
_WATCHED = 1_000  # validation sentences that are translated at each evaluation


@dataclass(frozen=True)
class Corpus:
    """The sentence pairs of a training, as text."""

    train: Pairs
    valid: Pairs

    @property
    def fingerprint(self) -> str:
        """Changes with any sentence of either part."""
        return f"{fingerprint(self.train)[:32]}{fingerprint(self.valid)[:32]}"

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read, sentence by sentence."""
        return [str(note) for part in (self.train, self.valid) for note in part.notes]


def read_corpus(data: TranslationData, seed: int) -> Corpus:
    """The pairs that the settings name, or the embedded default; split by hash if no ``valid`` is named.

    Raises:
        ValueError, FileNotFoundError: what `data.sources.read_pairs` raises.
    """
    pairs = (
        read_pairs(data.paths, data.source, data.target)
        if data.paths
        else default_pairs(_DEFAULT_COUNT, seed)
    )
    if data.valid:
        return Corpus(pairs, read_pairs(data.valid, data.source, data.target))
    # A share of a large corpus would be more than the evaluations need, and than the minutes allow.
    share = min(data.valid_fraction_or_default, _MOST_VALID / len(pairs))
    train, valid = split_pairs(pairs, share)
    return Corpus(replace(train, notes=pairs.notes), valid)


def train_tokenizer(train: Pairs, data: TranslationData) -> Tokenizer:
    """One vocabulary for both languages, learned from the training part only.

    Words that are frequent enough all get a token, unless a size was asked for.

    Raises:
        ValueError: a vocabulary was asked for that the data cannot fill.
    """
    texts = (text for side in (train.sources, train.targets) for text in side)
    asked = data.vocab_size
    size = asked or (_BPE_SIZE if data.tokenizer == "bpe" else _WORDS)
    return Tokenizer.train(texts, data.tokenizer, size, data.min_frequency, exact=asked is not None)


@dataclass(frozen=True)
class Encoded:
    """The corpus as token ids."""

    train: PairSource
    valid: SentencePairs
    valid_texts: Pairs
    left_out: int
    """Training pairs with a side longer than the limit."""

    valid_left_out: int = 0
    """Validation pairs likewise."""


def encode_corpus(corpus: Corpus, tokenizer: Tokenizer, data: TranslationData) -> Encoded:
    """Encode both parts; pairs longer than the limit are left out and counted.

    Raises:
        ValueError: no training pair, or no validation pair, is short enough.
    """
    sides = corpus.train.sources, corpus.train.targets
    words = None
    if data.bpe_dropout:
        words = tokenizer.words(sides[0]), tokenizer.words(sides[1])
        plain = SentencePairs(words[0].encode(), words[1].encode())
    else:
        plain = SentencePairs(tokenizer.encode_batch(sides[0]), tokenizer.encode_batch(sides[1]))
    rows = _short_enough(plain, data.max_length, "training")
    train: PairSource = plain[rows]
    if words is not None:
        train = DropoutPairs(words[0][rows], words[1][rows], data.bpe_dropout)
    valid = SentencePairs(
        *(tokenizer.encode_batch(side) for side in (corpus.valid.sources, corpus.valid.targets))
    )
    kept = _short_enough(valid, data.max_length, "validation")
    texts = corpus.valid.select(kept.tolist())
    return Encoded(train, valid[kept], texts, len(plain) - len(rows), len(valid) - len(kept))


def _short_enough(pairs: SentencePairs, max_length: int, part: str) -> Ints:
    """The rows whose sides, each with its end token, have at most ``max_length`` tokens."""
    longest = np.maximum(pairs.sources.lengths, pairs.targets.lengths)
    rows = np.flatnonzero(longest < max_length)
    if not len(rows):
        raise ValueError(
            f"every {part} pair is longer than max_length {max_length} tokens (the shortest has "
            f"{int(longest.min())}): raise --max-length, or use shorter sentences"
        )
    return rows


class TranslationObjective:
    """Label-smoothed cross-entropy of the target's tokens, its end included, with teacher forcing."""

    metric = "bleu"
    larger_is_better = True

    def __init__(self, model: Seq2Seq, tokenizer: Tokenizer, encoded: Encoded, config: Translation) -> None:
        self.model: nn.Module = model
        self.seq2seq, self.tokenizer, self.encoded = model, tokenizer, encoded
        self.smoothing = config.data.label_smoothing
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
        features = self.seq2seq.features(batch.source, batch.target_in, batch.source_lengths)
        real = batch.target_out != 0
        total, nll = projected_cross_entropy(
            features[real], self.seq2seq.head.weight, batch.target_out[real], self.smoothing
        )
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
