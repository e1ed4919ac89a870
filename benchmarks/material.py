"""What the benchmarks work on: Multi30k's sentences (under ``QKVAE_DATA``) and the standard model's shape."""

from __future__ import annotations

from dataclasses import dataclass

from qkvae import config
from qkvae.data.batches import SentencePairs
from qkvae.data.defaults import default_pairs
from qkvae.data.pairs import Pairs
from qkvae.data.sources import read_pairs
from qkvae.data.tokenizer import Tokenizer

TRAIN = ("multi30k/train.en.gz", "multi30k/train.de.gz")
VALID = ("multi30k/val.en.gz", "multi30k/val.de.gz")


@dataclass(frozen=True)
class Material:
    """Sentence pairs as text and as tokens, and a model's shape."""

    pairs: Pairs
    tokenizer: Tokenizer
    encoded: SentencePairs
    model: config.Seq2Seq


def material(tiny: bool, norm_order: str = "pre", dropout: float = 0.1) -> Material:
    """Multi30k, an 8k vocabulary and 3 + 3 blocks of dim 256; or a few phrases and a model to match.

    Raises:
        FileNotFoundError: Multi30k is not under ``QKVAE_DATA``.
    """
    pairs = default_pairs(400, seed=1) if tiny else read_pairs(TRAIN)
    texts = [text for side in (pairs.sources, pairs.targets) for text in side]
    tokenizer = Tokenizer.train(texts, "bpe", 400 if tiny else 8000, exact=not tiny)
    encoded = SentencePairs(tokenizer.encode_batch(pairs.sources), tokenizer.encode_batch(pairs.targets))
    sizes = {"dim": 32, "heads": 2, "hidden": 64} if tiny else {"dim": 256, "heads": 4, "hidden": 1024}
    block = config.Block(**sizes, norm_order=norm_order, dropout=dropout)
    depth = 1 if tiny else 3
    return Material(
        pairs,
        tokenizer,
        encoded,
        config.Seq2Seq(block=block, encoder_depth=depth, decoder_depth=depth, vocab=len(tokenizer)),
    )
