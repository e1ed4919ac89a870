"""Models with latent variables: what a datum is, how it is read and told, and what is held likely."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.grids import Patches, usual_patch

Net = Literal["dense", "convolutional", "transformer"]
WIDTHS: dict[Net, tuple[int, ...]] = {
    "dense": (400,),
    "convolutional": (32, 64),
    "transformer": (64, 64, 64),
}
_NEEDS = {"noise": ("gaussian", "logistic"), "levels": ("logistic", "categorical")}
LEVELS = 256
COMPONENTS = 500


@dataclass(frozen=True, kw_only=True)
class VAE:
    """Variational autoencoder: a datum is told by a few numbers, which are drawn and told back."""

    shape: tuple[int, ...] = ()
    """Channels, height and width of a picture, or how many numbers a row has; from the data, never typed."""

    classes: int = 0
    """How many classes a datum may be told to be of (a conditional VAE); 0 tells none; from the data."""

    latents: tuple[int, ...] = (20,)
    """Numbers that tell a datum; several make a hierarchy, each level drawn given those named before it."""

    net: Net = "dense"
    """What reads and tells a datum: dense layers, or (of pictures) convolutions, or Transformers."""

    widths: tuple[int, ...] | None = None
    """Units of each dense layer (400 if none; [] for a linear model), channels at each halving, or the dim
    of each Transformer block."""

    activation: Literal["relu", "gelu", "silu", "tanh"] = "relu"
    """Between the layers: max(0, x), x Φ(x), x sigmoid(x) or tanh x."""

    likelihood: Literal["bernoulli", "gaussian", "logistic", "categorical", "mixed"] | None = None
    """What is told of each number: the chance of a 1, a normal law, one of some levels, or (mixed) a column
    of a table; what fits the data if not given."""

    categories: tuple[int, ...] = ()
    """Values of each column of categories, which stand behind the numbers of a row; from the data."""

    noise: Literal["shared", "each"] | None = None
    """Whether gaussian or logistic noise is learned once, or for each number; once if not given."""

    levels: int | None = None
    """How many levels logistic or categorical numbers have between 0 and 1; 256 if not given."""

    prior: Literal["standard", "vamp"] = "standard"
    """Which latents are likely: N(0, 1), or a mixture of learned pseudo-inputs' posteriors (VampPrior)."""

    components: int | None = None
    """How many pseudo-inputs the VampPrior has; 500 if not given."""

    def __post_init__(self) -> None:
        checks.at_least(self, 0, "classes")
        checks.at_least(self, 2, "levels")
        checks.at_least(self, 1, "components")
        checks.one_of(self, "net", "activation", "likelihood", "prior")
        for name, likelihoods in _NEEDS.items():
            value = getattr(self, name)
            if value is not None and self.likelihood is None:
                raise ValueError(f"{name} is {value}, but no likelihood is given: give {likelihoods[0]} too")
            checks.in_effect(self, name, "likelihood", *likelihoods)
        if self.likelihood == "mixed" and (self.net != "dense" or self.prior == "vamp"):
            raise ValueError(
                f"likelihood is mixed, net is {self.net} and prior is {self.prior}: rows of a table are read "
                "by a dense net, under a standard prior"
            )
        checks.in_effect(self, "components", "prior", "vamp")
        for name, numbers in (("latents", self.latents), ("widths", self.widths_or_default)):
            if any(number < 1 for number in numbers):
                raise ValueError(f"{name} holds {min(numbers)}, but each number must be at least 1")
        if not self.latents:
            raise ValueError("latents is empty: give at least one number, for example 20")
        check_net(self.net, self.shape, self.widths_or_default, self.activation)
        if self.prior == "vamp" and self.classes:
            raise ValueError(
                f"prior is vamp and classes is {self.classes}, but pseudo-inputs are of no class: choose the "
                "standard prior"
            )

    @property
    def widths_or_default(self) -> tuple[int, ...]:
        """Units of each layer.

        >>> VAE().widths_or_default, VAE(net="convolutional").widths_or_default
        ((400,), (32, 64))
        """
        return WIDTHS[self.net] if self.widths is None else self.widths

    @property
    def told(self) -> VAE:
        """What is told of each number: said here; other families say it by settings of this one."""
        return self

    @property
    def likelihood_or_default(self) -> str:
        """What is told of each number."""
        return "bernoulli" if self.likelihood is None else self.likelihood

    @property
    def levels_or_default(self) -> int:
        """Levels of logistic or categorical numbers."""
        return LEVELS if self.levels is None else self.levels

    @property
    def components_or_default(self) -> int:
        """Pseudo-inputs of the VampPrior."""
        return COMPONENTS if self.components is None else self.components

    @property
    def numbers(self) -> int:
        """How many numbers a datum has.

        >>> VAE(shape=(1, 28, 28)).numbers
        784
        """
        return math.prod(self.shape)

    @property
    def latent(self) -> int:
        """How many numbers tell a datum, of all levels."""
        return sum(self.latents)


def check_net(net: Net, shape: tuple[int, ...], widths: tuple[int, ...], activation: str) -> None:
    """Refuse a net that cannot read such data, which are not known yet where the shape is empty.

    Raises:
        ValueError: data without places for a net that asks for them; no layers, or blocks of several widths.
    """
    if net == "dense":
        return
    if net == "convolutional" and len(shape) not in (0, 3):
        raise ValueError(
            f"net is convolutional, which reads pictures (channels, height, width), but the data have "
            f"{len(shape)} axes: choose dense"
        )
    if net == "convolutional" and not widths:
        raise ValueError("widths is empty, but a convolutional net halves at least once: give channels")
    if net == "transformer":
        if len(shape) == 1:
            raise ValueError(
                "net is transformer, which reads patches of pictures, but the data have 1 axis: choose dense"
            )
        if len(set(widths)) != 1:
            raise ValueError(
                f"widths is {list(widths)}, but a Transformer has one width, once for each block: give, for "
                "example, 64 64 64"
            )
        if activation == "tanh":
            raise ValueError(
                "activation is tanh, which a Transformer's block has not: choose relu, gelu or silu"
            )
        assert patch_block(widths, activation)
        assert patches_of(shape)


def patch_block(widths: Sequence[int], activation: str) -> Block:
    """The block of a Transformer over patches that is so wide; its heads are about 32 wide.

    >>> patch_block((96, 96), "gelu").heads, patch_block((16,), "gelu").heads
    (3, 1)
    """
    dim = widths[0]
    heads = max(number for number in range(1, max(1, dim // 32) + 1) if dim % number == 0)
    return Block(
        dim=dim,
        heads=heads,
        hidden=4 * dim,
        activation=cast("Any", activation),  # which Block checks
        positions="learned",
        dropout=0.0,
    )


def patches_of(shape: tuple[int, ...]) -> Patches:
    """How data of this shape, channels first, are cut into patches: by `usual_patch`.

    >>> patches_of((1, 28, 28)).grid
    (7, 7)
    """
    if not shape:
        return Patches()
    return Patches(size=shape[1:], channels=shape[0], patch=usual_patch(shape[1:]))
