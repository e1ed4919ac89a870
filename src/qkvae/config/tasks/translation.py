"""Translation: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Seq2Seq
from qkvae.config.generation import Generation
from qkvae.config.start import Start
from qkvae.config.training import Optimizer, Saving, Training
from qkvae.config.uses import OF_TEXT


@dataclass(frozen=True, kw_only=True)
class TranslationData:
    """Where the sentence pairs are and how they become tokens."""

    paths: tuple[str, ...] = ()
    """Two aligned files, one table (.tsv .csv .jsonl .zip) or a data-set name; embedded data if none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off by hash if none."""

    source: str | None = None
    """Column of the source sentences, by name or by number from 0."""

    target: str | None = None
    """Column of the target sentences, by name or by number from 0."""

    tokenizer: Literal["bpe", "word"] = "bpe"
    """Byte-level byte-pair encoding, or whole words with a frequency cut-off."""

    vocab_size: int | None = None
    """Tokens of both languages together, special ones too; up to 8000 (bpe) or every word if not given."""

    min_frequency: int = 2
    """A pair (bpe) or a word (word) seen less often than this gets no token of its own."""

    bpe_dropout: float = 0.0
    """Probability that a merge is skipped while training; 0.1 helps long trainings on little text."""

    max_length: int = 256
    """Sentences of more tokens are left out of training and counted."""

    label_smoothing: float = 0.1
    """Part of the target probability spread evenly over the vocabulary."""

    consistency: float = 0.0
    """How strongly two passes with different dropout are drawn together (R-Drop), at twice the time for a
    step; 5 helps long trainings on little text."""

    valid_fraction: float | None = None
    """Part split off for validation, 5,000 pairs at most, by hash of the source; 0.05 if not given."""

    def __post_init__(self) -> None:
        checks.one_of(self, "tokenizer")
        checks.at_least(self, 1, "min_frequency", "max_length")
        checks.at_least(self, 300 if self.tokenizer == "bpe" else 10, "vocab_size")
        checks.fraction(self, "bpe_dropout", "label_smoothing")
        checks.at_least(self, 0, "consistency")
        checks.inner_fraction(self, "valid_fraction")
        if self.valid and len(self.valid) != len(self.paths):
            raise ValueError(
                f"--valid has {len(self.valid)} paths and DATA {len(self.paths)}: "
                "give as many of one as of the other"
            )
        checks.in_effect(self, "valid_fraction", "valid", ())
        if self.tokenizer == "word" and self.bpe_dropout:
            raise ValueError(f"bpe_dropout {self.bpe_dropout} has no effect on tokenizer word: leave it out")

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return 0.05 if self.valid_fraction is None else self.valid_fraction


@dataclass(frozen=True, kw_only=True)
class Translation:
    """Train an encoder-decoder on sentence pairs."""

    USES: ClassVar = OF_TEXT

    data: TranslationData = field(default_factory=TranslationData)
    """The sentence pairs."""

    model: Seq2Seq = field(
        default_factory=lambda: Seq2Seq(block=Block(dim=128, hidden=512), encoder_depth=4, decoder_depth=4)
    )
    """The model; a small one, which sees the data more often in the minutes of a laptop."""

    start: Start = field(default_factory=Start)
    """What the embedding begins with."""

    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser."""

    training: Training = field(default_factory=Training)
    """The loop."""

    saving: Saving = field(default_factory=Saving)
    """What is kept."""

    generation: Generation = field(default_factory=Generation)
    """How the trained run translates."""
