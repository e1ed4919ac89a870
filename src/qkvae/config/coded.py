"""Models that tell a picture by a row of codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qkvae.config import checks
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
