"""One Transformer block: the choices that every family shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qkvae.config import checks


@dataclass(frozen=True, kw_only=True)
class Block:
    """The block: attention, feed-forward, normalisation and positions."""

    dim: int = 256
    """Size of the residual stream."""

    heads: int = 4
    """Attention heads; each is dim / heads wide."""

    key_heads: int | None = None
    """Heads of the keys and values (grouped-query attention); as many as heads if not given."""

    hidden: int = 1024
    """Size of the feed-forward's hidden layer."""

    activation: Literal["relu", "relu2", "gelu", "gelu_tanh", "silu", "swiglu"] = "relu"
    """Feed-forward: max(0, x), its square, x Φ(x), its tanh form, x sigmoid(x), or gated by that."""

    norm: Literal["layer", "rms", "std"] = "layer"
    """LayerNorm, RMSNorm, or the teaching form (x - mean) / (std + eps)."""

    norm_order: Literal["pre", "post"] = "pre"
    """Normalise what a part reads (pre), or the sum after it as the 2017 paper does (post)."""

    eps: float = 1e-5
    """Added to the variance under the normalisation's root (std: to the deviation; 1e-4 is usual there), so
    that a constant row does not divide by zero."""

    positions: Literal["sinusoidal", "learned", "rotary", "alibi", "relative", "none"] = "sinusoidal"
    """How a token's place is made known."""

    base: float | None = None
    """Longest wavelength of sinusoidal and rotary positions, divided by two pi; 10000 if not given."""

    window: int | None = None
    """Self-attention sees at most this many neighbours on each side; everything if not given."""

    dropout: float = 0.2
    """Probability with which a channel is zeroed while training."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "dim", "heads", "key_heads", "hidden", "window")
        checks.above_zero(self, "eps", "base")
        checks.fraction(self, "dropout")
        checks.one_of(self, "activation", "norm", "norm_order", "positions")
        checks.in_effect(self, "base", "positions", "sinusoidal", "rotary")
        if self.dim % self.heads:
            raise ValueError(
                f"dim is {self.dim} and heads is {self.heads}: heads must divide dim, "
                f"for example heads {_divisor(self.dim, self.heads)}"
            )
        if self.key_heads is not None and self.heads % self.key_heads:
            raise ValueError(f"key_heads is {self.key_heads}, but must divide heads, which is {self.heads}")
        if self.positions == "rotary" and self.width % 2:
            raise ValueError(f"rotary positions need an even head width, but dim / heads is {self.width}")

    @property
    def width(self) -> int:
        """Width of one head, dim / heads."""
        return self.dim // self.heads

    @property
    def base_or_default(self) -> float:
        """The base of sinusoidal and rotary positions.

        >>> Block().base_or_default, Block(base=500.0).base_or_default
        (10000.0, 500.0)
        """
        return 10000.0 if self.base is None else self.base


def _divisor(dim: int, heads: int) -> int:
    """The divisor of ``dim`` nearest to ``heads``."""
    return min((d for d in range(1, dim + 1) if dim % d == 0), key=lambda d: abs(d - heads))
