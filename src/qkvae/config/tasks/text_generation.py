"""Text generation: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Decoder
from qkvae.config.generation import Precision
from qkvae.config.training import Optimizer, Saving, Training


@dataclass(frozen=True, kw_only=True)
class TextData:
    """Where the text is and how it becomes tokens."""

    paths: tuple[str, ...] = ()
    """Text files, folders of them, or tables (.jsonl .csv .tsv .parquet) of a text per row; embedded text if
    none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off if none: whole documents by hash, or the end of a single
    text."""

    text: str | None = None
    """Column of the texts in a table, by name or by number from 0."""

    format: Literal["text", "chat"] = "text"
    """Plain text, or conversations: rows of messages with roles, of which the assistant's are learned."""

    tokenizer: Literal["auto", "bpe", "char", "byte", "word"] = "auto"
    """Byte-level byte-pair encoding, characters, bytes or words; auto takes characters for a short text of
    few different ones, and bpe for others."""

    vocab_size: int | None = None
    """Tokens, special ones too; up to 8000 (bpe), or every character or word, if not given."""

    min_frequency: int | None = None
    """A pair (bpe), a word or a character seen less often than this gets no token of its own; 2, and 1 for
    characters, if not given."""

    length: int = 256
    """Tokens in a row that is learned from: how far back the model learns to look."""

    valid_fraction: float | None = None
    """Part split off for validation, 250,000 characters at most; 0.1 if not given."""

    def __post_init__(self) -> None:
        checks.one_of(self, "format", "tokenizer")
        checks.at_least(self, 1, "min_frequency", "length")
        checks.at_least(self, 10, "vocab_size")
        checks.above_zero(self, "valid_fraction")
        checks.fraction(self, "valid_fraction")
        checks.in_effect(self, "valid_fraction", "valid", ())
        checks.in_effect(self, "text", "format", "text")
        for limit in ("vocab_size", "min_frequency"):
            checks.in_effect(self, limit, "tokenizer", "auto", "bpe", "char", "word")
        if self.valid and not self.paths:
            raise ValueError("--valid is given without DATA to train on: give both, or neither")

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return 0.1 if self.valid_fraction is None else self.valid_fraction


@dataclass(frozen=True, kw_only=True)
class Writing:
    """How a text is continued."""

    tokens: int = 200
    """Tokens written at most."""

    temperature: float = 0.8
    """Divides the logits before drawing: below 1 is more certain, 0 always takes the most probable token."""

    top_k: int | None = None
    """Draw among the k most probable tokens only."""

    top_p: float | None = None
    """Draw among the fewest tokens that hold this much probability."""

    min_p: float | None = None
    """Draw among tokens at least this fraction as probable as the best one."""

    repetition: float = 1.0
    """Divides the odds of tokens that were written before; 1 lets them be."""

    stop: tuple[str, ...] = ()
    """Strings at which the text ends; they are not part of it."""

    precision: Precision = "auto"
    """Large products on a processor: fp32, int8 (quicker), or auto: int8 if the processor has VNNI."""

    batch: int = 32
    """Inputs continued side by side."""

    seed: int | None = None
    """Seed of the drawing; another one each time if not given."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "tokens", "top_k", "batch", "repetition")
        checks.at_least(self, 0, "temperature", "min_p", "seed")
        checks.above_zero(self, "top_p")
        checks.one_of(self, "precision")
        for name in ("top_p", "min_p"):
            value = getattr(self, name)
            if value is not None and value > 1:
                raise ValueError(f"{name} is {value}, but must be between 0 and 1")
        unused = [name for name in ("top_k", "top_p", "min_p") if getattr(self, name) is not None]
        if unused and not self.temperature:
            raise ValueError(f"{unused[0]} has no effect with temperature 0: raise it, or leave it out")
        if "" in self.stop:
            raise ValueError("stop holds an empty string, which is everywhere: leave it out")


@dataclass(frozen=True, kw_only=True)
class TextGeneration:
    """Train a decoder-only Transformer to continue text, or to answer in conversations."""

    data: TextData = field(default_factory=TextData)
    """The text."""

    model: Decoder = field(
        default_factory=lambda: Decoder(
            block=Block(positions="rotary", dropout=0.1), max_length=TextData.length
        )
    )
    """The model."""

    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser."""

    training: Training = field(default_factory=Training)
    """The loop."""

    saving: Saving = field(default_factory=Saving)
    """What is kept."""

    generation: Writing = field(default_factory=Writing)
    """How the trained run writes."""

    def __post_init__(self) -> None:
        length, longest = self.data.length, self.model.max_length
        if longest not in (length, TextData.length):
            raise ValueError(
                f"model.max_length {longest} has no effect with length {length}, which decides it: "
                "leave it out"
            )
        if self.model.memory:
            raise ValueError(
                f"model.memory is {self.model.memory}, but rows of text are learned in a random order, so "
                "nothing can be carried from one into the next: leave it out"
            )
        tokens = self.training.batch_tokens // self.training.accumulate
        if tokens < length:
            raise ValueError(
                f"batch_tokens / accumulate is {tokens}, which holds no row of length {length}: "
                f"use batch_tokens {length * self.training.accumulate} or more, or a shorter length"
            )
