"""Masked words: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Encoder, MaskedWords
from qkvae.config.start import Start
from qkvae.config.tasks.text_files import TextFiles
from qkvae.config.training import Optimizer, Saving, Training
from qkvae.config.uses import OF_TEXT


@dataclass(frozen=True, kw_only=True)
class PassageData(TextFiles):
    """Where the text is and how it becomes passages."""

    tokenizer: Literal["bpe", "word"] = "bpe"
    """Byte-level byte-pair encoding, or whole words with a frequency cut-off."""

    length: int = 128
    """Tokens that are read at once, the two around them counted; longer texts are cut into such passages."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.one_of(self, "tokenizer")
        checks.at_least(self, 300 if self.tokenizer == "bpe" else 10, "vocab_size")
        checks.at_least(self, 8, "length")


@dataclass(frozen=True, kw_only=True)
class Masking:
    """Which tokens are hidden while training, and how."""

    mask: Literal["tokens", "words"] = "tokens"
    """What is chosen: single tokens, or whole words, all tokens of a word or none."""

    mask_rate: float = 0.15
    """Part of the tokens that is chosen, and asked about."""

    random_rate: float = 0.1
    """Part of the chosen that becomes a random token instead of [MASK]."""

    kept_rate: float = 0.1
    """Part of the chosen that stays as it is."""

    def __post_init__(self) -> None:
        checks.one_of(self, "mask")
        checks.inner_fraction(self, "mask_rate")
        checks.fraction(self, "random_rate", "kept_rate")
        if self.random_rate + self.kept_rate > 1:
            raise ValueError(
                f"random_rate {self.random_rate} and kept_rate {self.kept_rate} are more than all that is "
                "chosen: lower one of them"
            )

    @property
    def masked_rate(self) -> float:
        """Part of the chosen that becomes [MASK].

        >>> Masking().masked_rate
        0.8
        """
        return 1 - self.random_rate - self.kept_rate


@dataclass(frozen=True, kw_only=True)
class Filling:
    """How blanks are filled."""

    best: int = 1
    """Words told for each blank, most probable first."""

    batch: int = 64
    """Inputs read side by side."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "best", "batch")


@dataclass(frozen=True, kw_only=True)
class FillMask:
    """Train an encoder-only Transformer to fill blanks in text, and so to know words by their company."""

    USES: ClassVar = OF_TEXT

    data: PassageData = field(default_factory=PassageData)
    """The text."""

    learning: Masking = field(default_factory=Masking)
    """What is hidden."""

    model: Encoder = field(
        default_factory=lambda: Encoder(
            block=Block(dim=128, heads=4, hidden=512, dropout=0.1), depth=4, head=MaskedWords(), conv_size=5
        )
    )
    """The model."""

    start: Start = field(default_factory=Start)
    """What the embedding begins with."""

    optimizer: Optimizer = field(default_factory=Optimizer)
    """The optimiser."""

    training: Training = field(default_factory=lambda: Training(batch_tokens=4096))
    """The loop."""

    saving: Saving = field(default_factory=Saving)
    """What is kept."""

    generation: Filling = field(default_factory=Filling)
    """How the trained run fills blanks."""

    def __post_init__(self) -> None:
        if not isinstance(self.model.head, MaskedWords):
            raise ValueError(
                f"model.head is {type(self.model.head).__name__}, but this task ends in MaskedWords: "
                "leave it out"
            )
