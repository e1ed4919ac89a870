"""One dataclass per family of models; each holds the block and what is the family's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from qkvae.config import checks
from qkvae.config.block import Block


@dataclass(frozen=True, kw_only=True)
class Seq2Seq:
    """Encoder-decoder Transformer: a sequence in, a sequence out."""

    block: Block = field(default_factory=Block)
    """The block that both stacks repeat."""

    encoder_depth: int = 3
    """Blocks of the encoder."""

    decoder_depth: int = 3
    """Blocks of the decoder."""

    tie: Literal["all", "target", "none"] = "all"
    """One matrix for both embeddings and the head, for target embedding and head, or for none of them."""

    max_length: int = 512
    """Longest sequence, in tokens, that the model reads or writes; learned positions are made for so many."""

    vocab: int = 0
    """Size of the vocabulary; comes from the tokenizer, never typed."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "encoder_depth", "decoder_depth", "max_length")
        checks.at_least(self, 0, "vocab")
        checks.one_of(self, "tie")
