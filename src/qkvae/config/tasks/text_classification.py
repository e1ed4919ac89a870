"""Text classification: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Classes, Encoder
from qkvae.config.start import Start
from qkvae.config.training import Optimizer, Saving, Training
from qkvae.config.uses import OF_TEXT


@dataclass(frozen=True, kw_only=True)
class LabelledData:
    """Where the labelled texts are and how they become tokens."""

    paths: tuple[str, ...] = ()
    """Tables (.tsv .csv .jsonl .parquet) or folders with one folder of texts per class; embedded data if
    none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off by hash if none."""

    text: str | None = None
    """Column of the texts in a table, by name or by number from 0."""

    label: str | None = None
    """Column of the labels, by name or by number from 0."""

    pair: str | None = None
    """Column of a second text, where pairs of texts are labelled."""

    separator: str | None = None
    """What stands between the labels of a text that has several; one label each if not given."""

    kind: Literal["auto", "one", "several", "number"] = "auto"
    """One class per text, several, or a number; auto decides by what the training labels look like."""

    tokenizer: Literal["bpe", "word"] = "bpe"
    """Byte-level byte-pair encoding, or whole words with a frequency cut-off."""

    vocab_size: int | None = None
    """Tokens, special ones too; up to 8000 (bpe) or every word if not given."""

    min_frequency: int = 2
    """A pair (bpe) or a word (word) seen less often than this gets no token of its own."""

    max_length: int = 256
    """Texts of more tokens are cut at their ends and counted; the longer one of a pair first."""

    valid_fraction: float | None = None
    """Part split off for validation, 5,000 texts at most, by hash of the text; 0.1 if not given."""

    def __post_init__(self) -> None:
        checks.one_of(self, "kind", "tokenizer")
        checks.at_least(self, 1, "min_frequency")
        checks.at_least(self, 8, "max_length")
        checks.at_least(self, 300 if self.tokenizer == "bpe" else 10, "vocab_size")
        checks.inner_fraction(self, "valid_fraction")
        checks.in_effect(self, "valid_fraction", "valid", ())
        checks.in_effect(self, "separator", "kind", "auto", "several")

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return 0.1 if self.valid_fraction is None else self.valid_fraction


@dataclass(frozen=True, kw_only=True)
class Learning:
    """How labels are learned."""

    class_weights: Literal["none", "balanced"] = "none"
    """Every text counts the same, or every class does, however rare it is."""

    label_smoothing: float = 0.0
    """Part of the target probability spread evenly over the classes."""

    word_dropout: float = 0.3
    """Probability that a token is hidden while training, so that few texts are not learned by heart."""

    def __post_init__(self) -> None:
        checks.one_of(self, "class_weights")
        checks.fraction(self, "label_smoothing", "word_dropout")


@dataclass(frozen=True, kw_only=True)
class Choosing:
    """How a text's labels are told."""

    top: int | None = None
    """Labels told for each input, most probable first; the best one, or all above the threshold, if not
    given."""

    threshold: float | None = None
    """Where a text may have several labels, those at least so probable are told; 0.5 if not given."""

    batch: int = 64
    """Inputs read side by side."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "top", "batch")
        checks.fraction(self, "threshold")
        if self.top is not None and self.threshold is not None:
            raise ValueError(
                f"top {self.top} and threshold {self.threshold} exclude each other: give one of them"
            )


@dataclass(frozen=True, kw_only=True)
class TextClassification:
    """Train an encoder-only Transformer to label texts or pairs of texts, with classes or with numbers."""

    USES: ClassVar = OF_TEXT

    data: LabelledData = field(default_factory=LabelledData)
    """The labelled texts."""

    learning: Learning = field(default_factory=Learning)
    """What is learned of the labels."""

    model: Encoder = field(
        default_factory=lambda: Encoder(
            block=Block(dim=128, heads=4, hidden=256, dropout=0.3), depth=2, head=Classes()
        )
    )
    """The model."""

    start: Start = field(default_factory=Start)
    """What the embedding begins with."""

    optimizer: Optimizer = field(default_factory=lambda: Optimizer(lr=1e-3))
    """The optimiser."""

    training: Training = field(default_factory=Training)
    """The loop."""

    saving: Saving = field(default_factory=Saving)
    """What is kept."""

    generation: Choosing = field(default_factory=Choosing)
    """How the trained run labels."""

    def __post_init__(self) -> None:
        if not isinstance(self.model.head, Classes):
            raise ValueError(
                f"model.head is {type(self.model.head).__name__}, but this task ends in Classes: leave it out"
            )
