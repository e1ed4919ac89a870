"""Question answering: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Encoder, Spans
from qkvae.config.start import Start
from qkvae.config.training import Optimizer, Saving, Training
from qkvae.config.uses import OF_TEXT


@dataclass(frozen=True, kw_only=True)
class QuestionData:
    """Where the questions are and how they become tokens."""

    paths: tuple[str, ...] = ()
    """Questions with their contexts in the format of SQuAD (.json or .jsonl); embedded data if none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off by hash of the context if none."""

    tokenizer: Literal["bpe", "word"] = "bpe"
    """Byte-level byte-pair encoding, or whole words with a frequency cut-off."""

    vocab_size: int | None = None
    """Tokens, special ones too; up to 8000 (bpe) or every word if not given."""

    min_frequency: int = 2
    """A pair (bpe) or a word (word) seen less often than this gets no token of its own."""

    max_length: int = 256
    """Tokens that are read at once, the question among them; longer contexts come in several windows."""

    overlap: int | None = None
    """Tokens that neighbouring windows share; a quarter of max_length if not given."""

    valid_fraction: float | None = None
    """Part split off for validation, about 5,000 questions at most; 0.1 if not given."""

    def __post_init__(self) -> None:
        checks.one_of(self, "tokenizer")
        checks.at_least(self, 1, "min_frequency")
        checks.at_least(self, 8, "max_length")
        checks.at_least(self, 0, "overlap")
        checks.at_least(self, 300 if self.tokenizer == "bpe" else 10, "vocab_size")
        checks.inner_fraction(self, "valid_fraction")
        checks.in_effect(self, "valid_fraction", "valid", ())
        if self.overlap is not None and 2 * self.overlap >= self.max_length:
            raise ValueError(
                f"overlap is {self.overlap}, but must be below half of max_length, which is {self.max_length}"
            )

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return 0.1 if self.valid_fraction is None else self.valid_fraction


@dataclass(frozen=True, kw_only=True)
class Answering:
    """How an answer is chosen."""

    context: str | None = None
    """File of the text to answer from; each input is a question, a tab and its own text if not given."""

    nbest: int = 1
    """Answers given for each question, most probable first."""

    longest: int = 30
    """Tokens of an answer at most."""

    margin: float | None = None
    """Nats by which an answer must be more probable than none; chosen on validation data if not given."""

    batch: int = 16
    """Questions read side by side."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "nbest", "longest", "batch")


@dataclass(frozen=True, kw_only=True)
class QuestionAnswering:
    """Train an encoder-only Transformer to find answers to questions in texts."""

    USES: ClassVar = OF_TEXT

    data: QuestionData = field(default_factory=QuestionData)
    """The questions."""

    model: Encoder = field(
        default_factory=lambda: Encoder(
            block=Block(dim=128, heads=4, hidden=512, positions="rotary", dropout=0.1), depth=4, head=Spans()
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

    generation: Answering = field(default_factory=Answering)
    """How the trained run answers."""

    def __post_init__(self) -> None:
        if not isinstance(self.model.head, Spans):
            raise ValueError(
                f"model.head is {type(self.model.head).__name__}, but this task ends in Spans: leave it out"
            )
