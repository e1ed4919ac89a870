"""Text generation: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Decoder
from qkvae.config.generation import Filtering, Precision
from qkvae.config.start import Start
from qkvae.config.tasks.text_files import TextFiles
from qkvae.config.training import Optimizer, Saving, Training
from qkvae.config.uses import OF_TEXT


@dataclass(frozen=True, kw_only=True)
class TextData(TextFiles):
    """Where the text is and how it becomes tokens."""

    format: Literal["text", "chat"] = "text"
    """Plain text, or conversations: rows of messages with roles, of which the assistant's are learned."""

    tokenizer: Literal["auto", "bpe", "char", "byte", "word"] = "auto"
    """Byte-level byte-pair encoding, characters, bytes or words; auto takes characters for a short text of
    few different ones, and bpe for others."""

    length: int = 256
    """Tokens in a row that is learned from: how far back the model learns to look."""

    prompt_weight: float | None = None
    """In conversations what is not the assistant's is learned, too, and counts so much beside the assistant's
    1; not learned if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.one_of(self, "format", "tokenizer")
        checks.at_least(self, 1, "length")
        checks.above_zero(self, "prompt_weight")
        checks.in_effect(self, "text", "format", "text")
        checks.in_effect(self, "prompt_weight", "format", "chat")
        for limit in ("vocab_size", "min_frequency"):
            checks.in_effect(self, limit, "tokenizer", "auto", "bpe", "char", "word")


@dataclass(frozen=True, kw_only=True)
class Writing(Filtering):
    """How a text is continued."""

    tokens: int = 200
    """Tokens written at most."""

    temperature: float = 0.8
    """Divides the logits before drawing: below 1 is more certain, 0 always takes the most probable token."""

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

    draft: str | None = None
    """A smaller run with the same tokenizer that proposes tokens, which this one judges many at a time."""

    ahead: int | None = None
    """Tokens that the draft proposes at a time; 4 if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.at_least(self, 1, "tokens", "batch", "repetition", "ahead")
        checks.at_least(self, 0, "seed")
        checks.one_of(self, "precision")
        if self.filters and not self.temperature:
            raise ValueError(f"{self.filters[0]} has no effect with temperature 0: raise it, or leave it out")
        if "" in self.stop:
            raise ValueError("stop holds an empty string, which is everywhere: leave it out")
        if self.ahead is not None and self.draft is None:
            raise ValueError(f"ahead {self.ahead} has no effect without a draft: add one, or leave it out")

    @property
    def ahead_or_default(self) -> int:
        """How many tokens a draft proposes at a time."""
        return 4 if self.ahead is None else self.ahead


@dataclass(frozen=True, kw_only=True)
class TextGeneration:
    """Train a decoder-only Transformer to continue text, or to answer in conversations."""

    USES: ClassVar = OF_TEXT

    data: TextData = field(default_factory=TextData)
    """The text."""

    model: Decoder = field(
        default_factory=lambda: Decoder(
            block=Block(positions="rotary", activation="relu2", dropout=0.0),
            conv_size=4,
            max_length=TextData.length,
        )
    )
    """The model."""

    start: Start = field(default_factory=Start)
    """What the embedding begins with."""

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
        shown = length + self.model.memory
        if longest < shown and longest != TextData.length:
            told = f" and a memory of {self.model.memory}" if self.model.memory else ""
            raise ValueError(
                f"model.max_length is {longest}, which is no room for rows of length {length}{told}: "
                f"use {shown} or more, or a shorter length"
            )
        tokens = self.training.batch_tokens // self.training.accumulate
        if tokens < length:
            raise ValueError(
                f"batch_tokens / accumulate is {tokens}, which holds no row of length {length}: "
                f"use batch_tokens {length * self.training.accumulate} or more, or a shorter length"
            )
