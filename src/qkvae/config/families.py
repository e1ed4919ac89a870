"""One dataclass per family of models; each holds the block and what is the family's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from qkvae.config import checks
from qkvae.config.block import Block


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Which tokens are no text; they come from the tokenizer, never typed."""

    pad: int = 0
    """Fills what a search leaves empty; no answer holds it."""

    bos: int = 1
    """Begins what a decoder writes and what an encoder reads (<s>, [CLS])."""

    eos: int = 2
    """Ends a text (</s>, [SEP])."""

    unk: int | None = 3
    """Stands for what has no token; None where everything has."""

    between: int = 1
    """How many eos stand between the two texts of a pair (RoBERTa has two)."""


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

    head: Literal["linear", "affine"] = "linear"
    """Logits h W, or h W + b with a number for each token (Marian)."""

    max_length: int = 512
    """Longest sequence, in tokens, that the model reads or writes; learned positions are made for so many."""

    vocab: int = 0
    """Size of the vocabulary; comes from the tokenizer, never typed."""

    marks: Marks = field(default_factory=Marks)
    """The special tokens; they come from the tokenizer, never typed."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "encoder_depth", "decoder_depth", "max_length")
        checks.at_least(self, 0, "vocab")
        checks.one_of(self, "tie", "head")


@dataclass(frozen=True, kw_only=True)
class Decoder:
    """Decoder-only Transformer: a sequence that is continued token by token."""

    block: Block = field(default_factory=Block)
    """The block that the stack repeats."""

    depth: int = 6
    """Blocks of the stack."""

    tie: Literal["embedding", "none"] = "embedding"
    """One matrix for the embedding and the head, or one for each."""

    embedding: Literal["scaled", "plain", "normed"] = "scaled"
    """Look-ups times the root of dim, as they are (GPT-2, Llama), or their sum with the places normalised."""

    biases: Literal["all", "none"] = "all"
    """Whether the linear maps of the blocks add a bias (GPT-2) or none does (Llama)."""

    conv_size: int = 0
    """Tokens whose vectors are joined, channel by channel, before the first block: the token itself and those
    before it; 0 joins none."""

    memory: int = 0
    """Tokens of earlier segments whose keys and values are carried into the next one; 0 carries nothing."""

    max_length: int = 512
    """Longest sequence, in tokens, that the model reads or writes; learned positions are made for so many."""

    vocab: int = 0
    """Size of the vocabulary; comes from the tokenizer, never typed."""

    marks: Marks = field(default_factory=Marks)
    """The special tokens; they come from the tokenizer, never typed."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "depth", "max_length")
        checks.at_least(self, 0, "vocab", "memory", "conv_size")
        checks.one_of(self, "tie", "embedding", "biases")
        if 0 < self.memory < self.conv_size - 1:
            raise ValueError(
                f"memory is {self.memory}, but conv_size is {self.conv_size}, which looks "
                f"{self.conv_size - 1} tokens back: raise memory, or lower conv_size"
            )
        if self.memory and self.block.positions in ("sinusoidal", "learned"):
            raise ValueError(
                f"memory is {self.memory}, but {self.block.positions} positions are added to the tokens, and "
                "those of two segments would be the same: choose rotary, alibi, relative or none"
            )


@dataclass(frozen=True, kw_only=True)
class MaskedWords:
    """A head that predicts hidden tokens; it shares the embedding's matrix."""


@dataclass(frozen=True, kw_only=True)
class Classes:
    """A head that tells to which class a text belongs."""

    count: int = 0
    """How many classes, or numbers, are told; comes from the labels, never typed."""

    pooling: Literal["mean", "class", "last"] = "mean"
    """What stands for the text: the mean of its tokens' features, or those of its first or its last token."""

    def __post_init__(self) -> None:
        checks.at_least(self, 0, "count")
        checks.one_of(self, "pooling")


@dataclass(frozen=True, kw_only=True)
class Spans:
    """A head that scores every token as the first and as the last of an answer."""


@dataclass(frozen=True, kw_only=True)
class Vector:
    """A head that makes one vector of a text."""

    pooling: Literal["mean", "class", "last"] = "mean"
    """What stands for the text: the mean of its tokens' features, or those of its first or its last token."""

    def __post_init__(self) -> None:
        checks.one_of(self, "pooling")


Head = MaskedWords | Classes | Spans | Vector
"""What an encoder ends in."""


@dataclass(frozen=True, kw_only=True)
class Encoder:
    """Encoder-only Transformer: every token sees all others; a head makes an answer of what comes out."""

    block: Block = field(default_factory=Block)
    """The block that the stack repeats."""

    depth: int = 6
    """Blocks of the stack."""

    head: Head = field(default_factory=MaskedWords)
    """What is made of the features; the task decides it."""

    embedding: Literal["scaled", "plain", "normed"] = "scaled"
    """Look-ups times the root of dim, as they are, or their sum with place and segment normalised (BERT)."""

    segments: int = 0
    """Kinds of tokens that are told apart: two for pairs of texts, four where it is told which stand in
    both; 0 tells none."""

    conv_size: int = 0
    """Tokens whose vectors are joined, channel by channel, before the first block: the token itself and those
    around it, an odd number; 0 joins none."""

    max_length: int = 512
    """Longest text, in tokens, that the model reads; learned positions are made for so many."""

    vocab: int = 0
    """Size of the vocabulary; comes from the tokenizer, never typed."""

    marks: Marks = field(default_factory=Marks)
    """The special tokens; they come from the tokenizer, never typed."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "depth", "max_length")
        checks.at_least(self, 0, "vocab", "segments", "conv_size")
        checks.one_of(self, "embedding")
        checks.odd(self, "conv_size")


Family = Seq2Seq | Decoder | Encoder
"""The settings of any model."""
