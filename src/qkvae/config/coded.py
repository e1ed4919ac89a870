"""Models that tell a picture by a row of codes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.families import Decoder, Marks
from qkvae.config.latent import VAE


@dataclass(frozen=True, kw_only=True)
class VQ:
    """VQ-VAE: a picture is told by a few codes out of a learned book, one for each of its places."""

    shape: tuple[int, ...] = ()
    """Channels, height and width; from the data, never typed."""

    codes: int = 256
    """How many codes the book has."""

    dim: int = 32
    """Numbers of a code."""

    keep: float = 0.99
    """What a step leaves of the moving averages that the codes are."""

    commitment: float = 0.25
    """How strongly the encoder is drawn to the codes it chooses."""

    net: Literal["convolutional", "transformer"] = "convolutional"
    """What reads and tells a picture: convolutions that halve it, or Transformers over patches."""

    widths: tuple[int, ...] | None = None
    """Channels at each halving, or the dim of each Transformer block."""

    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu"
    """Between the layers: max(0, x), x Φ(x), x sigmoid(x) or tanh x."""

    likelihood: Literal["bernoulli", "gaussian", "logistic", "categorical"] | None = None
    """What is told of each number: the chance of a 1, a normal law, or one of some levels; 1s if none."""

    noise: Literal["shared", "each"] | None = None
    """Whether gaussian or logistic noise is learned once, or for each number; once if not given."""

    levels: int | None = None
    """How many levels logistic or categorical numbers have between 0 and 1; 256 if not given."""

    def __post_init__(self) -> None:
        checks.at_least(self, 2, "codes")
        checks.at_least(self, 1, "dim")
        checks.at_least(self, 0, "commitment")
        checks.fraction(self, "keep")
        checks.one_of(self, "net")
        assert self.told

    @property
    def told(self) -> VAE:
        """The same nets and likelihood as those of a VAE.

        Raises:
            ValueError: a setting that is wrong there too.
        """
        return VAE(
            shape=self.shape,
            net=self.net,
            widths=self.widths,
            activation=self.activation,
            likelihood=self.likelihood,
            noise=self.noise,
            levels=self.levels,
        )


@dataclass(frozen=True, kw_only=True)
class CodePrior:
    """A VQ-VAE, and the decoder-only Transformer that tells how probable a row of its codes is."""

    vq: VQ = field(default_factory=VQ)
    """The VQ-VAE, which stays as it is; from the run that the training begins with, never typed."""

    classes: int = 0
    """How many classes a picture may be told to be of; 0 tells none; from the data, never typed."""

    block: Block = field(
        default_factory=lambda: Block(
            dim=128, heads=4, hidden=512, activation="gelu", positions="learned", dropout=0.1
        )
    )
    """The block that the stack repeats."""

    depth: int = 4
    """Blocks of the stack."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "depth")
        checks.at_least(self, 0, "classes")

    @property
    def told(self) -> VAE:
        """What is told of a picture."""
        return self.vq.told

    def decoder(self, places: int) -> Decoder:
        """The Transformer that reads rows of so many codes.

        Behind the codes its vocabulary holds what a row begins with: a token for each class, or a single one.

        >>> vq = VQ(codes=64)
        >>> CodePrior(vq=vq).decoder(49).vocab, CodePrior(vq=vq, classes=10).decoder(49).vocab
        (65, 74)
        """
        codes = self.vq.codes
        marks = Marks(pad=codes, bos=codes, eos=codes, unk=None)
        vocab = codes + max(1, self.classes)
        return Decoder(block=self.block, depth=self.depth, max_length=places, vocab=vocab, marks=marks)
