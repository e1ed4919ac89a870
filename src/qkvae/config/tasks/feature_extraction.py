"""Feature extraction: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Encoder, Vector
from qkvae.config.start import Start
from qkvae.config.training import Optimizer, Saving, Training
from qkvae.config.uses import OF_TEXT


@dataclass(frozen=True, kw_only=True)
class SimilarityData:
    """Where the pairs of texts are and how they become tokens."""

    paths: tuple[str, ...] = ()
    """Pairs of texts: a table (.tsv .csv .jsonl) or two aligned files; embedded data if none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off by hash if none."""

    text: str | None = None
    """Column of the first texts, by name or by number from 0."""

    pair: str | None = None
    """Column of the second texts, by name or by number from 0."""

    label: str | None = None
    """Column of numbers that say how alike the two are; not given, both texts of a pair mean the same."""

    tokenizer: Literal["bpe", "word"] = "bpe"
    """Byte-level byte-pair encoding, or whole words with a frequency cut-off."""

    vocab_size: int | None = None
    """Tokens, special ones too; up to 8000 (bpe) or every word if not given."""

    min_frequency: int = 2
    """A pair (bpe) or a word (word) seen less often than this gets no token of its own."""

    max_length: int = 256
    """Texts of more tokens are cut at their ends and counted."""

    valid_fraction: float | None = None
    """Part split off for validation, 5,000 pairs at most, by hash of the first text; 0.1 if not given."""

    def __post_init__(self) -> None:
        checks.one_of(self, "tokenizer")
        checks.at_least(self, 1, "min_frequency")
        checks.at_least(self, 8, "max_length")
        checks.at_least(self, 300 if self.tokenizer == "bpe" else 10, "vocab_size")
        checks.inner_fraction(self, "valid_fraction")
        checks.in_effect(self, "valid_fraction", "valid", ())
        if self.label is not None and self.pair is None:
            raise ValueError(
                f"label {self.label} says how alike two texts are, but no column of the second is given: "
                "add --pair"
            )

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return 0.1 if self.valid_fraction is None else self.valid_fraction


@dataclass(frozen=True, kw_only=True)
class Likeness:
    """How it is learned which texts are alike."""

    signal: Literal["auto", "scores", "pairs", "texts"] = "auto"
    """Graded pairs, pairs against the rest of their group, or texts read twice; auto: scores if there is a
    label, else pairs."""

    group: int | None = None
    """Pairs of a group, in which each text must find its own partner among the others'; 64 if not given."""

    temperature: float | None = None
    """What cosines are divided by before they compete in a group; 0.05 if not given."""

    word_dropout: float = 0.1
    """Probability that a token is hidden while training, so that few texts are not learned by heart."""

    def __post_init__(self) -> None:
        checks.one_of(self, "signal")
        checks.at_least(self, 2, "group")
        checks.above_zero(self, "temperature")
        checks.fraction(self, "word_dropout")
        if self.signal == "scores":
            self.refuse_idle()

    def refuse_idle(self) -> None:
        """Refuse what has no effect where graded pairs are learned, each by itself.

        Raises:
            ValueError: it is given.
        """
        for name in ("group", "temperature"):
            value = getattr(self, name)
            if value is not None:
                raise ValueError(f"{name} {value} has no effect with signal scores: leave it out")

    @property
    def group_or_default(self) -> int:
        """Pairs of a group."""
        return 64 if self.group is None else self.group

    @property
    def temperature_or_default(self) -> float:
        """What cosines are divided by."""
        return 0.05 if self.temperature is None else self.temperature


@dataclass(frozen=True, kw_only=True)
class Comparing:
    """How the trained run answers."""

    batch: int = 64
    """Inputs read side by side."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "batch")


@dataclass(frozen=True, kw_only=True)
class FeatureExtraction:
    """Train an encoder-only Transformer to give texts that are alike vectors of one direction."""

    USES: ClassVar = OF_TEXT

    data: SimilarityData = field(default_factory=SimilarityData)
    """The pairs of texts."""

    learning: Likeness = field(default_factory=Likeness)
    """What is learned of them."""

    model: Encoder = field(
        default_factory=lambda: Encoder(
            block=Block(dim=128, heads=4, hidden=256, dropout=0.1), depth=2, head=Vector()
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

    generation: Comparing = field(default_factory=Comparing)
    """How the trained run answers."""

    def __post_init__(self) -> None:
        if not isinstance(self.model.head, Vector):
            raise ValueError(
                f"model.head is {type(self.model.head).__name__}, but this task ends in Vector: leave it out"
            )
