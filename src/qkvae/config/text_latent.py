"""Models that tell a text by a few numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Marks


@dataclass(frozen=True, kw_only=True)
class TextVAE:
    """Text VAE: a Transformer reads a text into a few numbers, another writes it again from these."""

    block: Block = field(default_factory=lambda: Block(dim=128, heads=4, hidden=512, dropout=0.1))
    """The block that both stacks repeat."""

    encoder_depth: int = 2
    """Blocks that read."""

    decoder_depth: int = 2
    """Blocks that write; the fewer, the more is left for the latents to tell."""

    latents: tuple[int, ...] = (32,)
    """Numbers that tell a text; there is one level."""

    word_dropout: float = 0.3
    """Probability with which a word that the decoder is shown is hidden while training."""

    max_length: int = 128
    """Longest text, in tokens, that the model reads or writes."""

    vocab: int = 0
    """Size of the vocabulary; comes from the tokenizer, never typed."""

    marks: Marks = field(default_factory=Marks)
    """The special tokens; they come from the tokenizer, never typed."""

    def __post_init__(self) -> None:
        if len(self.latents) != 1:
            raise ValueError(
                f"latents is {list(self.latents)}, but what tells a text has one level: give one number, for "
                "example 32"
            )
        checks.at_least(self, 1, "encoder_depth", "decoder_depth", "latent", "max_length")
        checks.at_least(self, 0, "vocab")
        checks.fraction(self, "word_dropout")

    @property
    def latent(self) -> int:
        """How many numbers tell a text."""
        return self.latents[0]
