"""How a token's place is made known.  Without one of these a block is permutation-equivariant.

Three kinds: added to the embedding (`Sinusoidal`, `Learned`), turned into queries and keys (`Rotary`), added
to the scores (`Alibi`, `Relative`).  Fixed tables are made, and stay, in fp32 where weights are bf16, whose 8
bits cannot tell place 256 from 257.  Sums are rounded after them; sines and cosines, which no place makes
large, are rounded before they turn anything.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from qkvae.config import Block


def sinusoids(length: int, dim: int, base: float = 10000.0) -> Float[Tensor, "length dim"]:
    """PE(p, 2i) = sin(p / base^(2i/dim)), PE(p, 2i+1) = cos(p / base^(2i/dim)).

    Vaswani et al. 2017, arXiv:1706.03762, section 3.5; the power is computed as exp(−(2i/dim)·ln base), which
    is stable for every base.

    >>> sinusoids(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    return waves(torch.arange(length), dim, base)


def waves(places: Shaped[Tensor, " length"], dim: int, base: float = 10000.0) -> Float[Tensor, "length dim"]:
    """`sinusoids` at any places, which may lie between two whole ones.

    >>> waves(torch.tensor([0.5]), 2)
    tensor([[0.4794, 0.8776]])
    """
    rates = torch.exp(torch.arange(0, dim, 2, dtype=torch.float64) * (-math.log(base) / dim))
    angles = places.double()[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)[:, :dim].float()


class Sinusoidal(nn.Module):
    """The fixed table of `sinusoids`, made longer when a longer sequence comes.

    >>> torch.equal(Sinusoidal(4, 10000.0, length=2)(3, offset=5), sinusoids(8, 4)[5:])
    True
    """

    def __init__(self, dim: int, base: float, length: int) -> None:
        super().__init__()
        self.dim, self.base = dim, base
        self.table: Tensor
        self.register_buffer("table", sinusoids(length, dim, base), persistent=False)

    def forward(self, length: int, offset: int = 0) -> Float[Tensor, "length dim"]:
        return self._upto(offset + length)[offset : offset + length]

    def at(self, places: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch dim"]:
        """The rows of these places."""
        return F.embedding(places, self._upto(_end(places)))

    def _upto(self, end: int) -> Tensor:
        if end > len(self.table):
            with torch.inference_mode(False):  # a table made while decoding serves in training too
                self.table = sinusoids(2 * end, self.dim, self.base).to(self.table)
        return self.table


class Learned(nn.Module):
    """A trained vector for each place up to the longest.

    >>> Learned(4, length=16)(3).shape
    torch.Size([3, 4])
    """

    def __init__(self, dim: int, length: int) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.empty(length, dim))
        nn.init.normal_(self.table, std=0.02)

    def forward(self, length: int, offset: int = 0) -> Float[Tensor, "length dim"]:
        return self._upto(offset + length)[offset : offset + length]

    def at(self, places: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch dim"]:
        """The rows of these places."""
        return F.embedding(places, self._upto(_end(places)))

    def _upto(self, end: int) -> Tensor:
        if end > len(self.table):
            raise ValueError(
                f"a sequence of {end} tokens, but learned positions were made for "
                f"{len(self.table)}: shorten it, or train with a larger max_length"
            )
        return self.table


class Rotary(nn.Module):
    """Turns each pair of channels (2i, 2i+1) of queries and keys by the angle p / base^(2i/width).

    The product of a query at p and a key at q then depends on p − q only.  Su et al. 2021, arXiv:2104.09864;
    pairs are channel i with channel i + width/2, which is the same up to the order of channels.

    >>> turn, q, k = Rotary(4, 10000.0, length=8), torch.ones(1, 1, 1, 4), torch.ones(1, 1, 1, 4)
    >>> near, far = ((turn(q, p) * turn(k, p + 2)).sum() for p in (0, 5))
    >>> torch.allclose(near, far)
    True
    """

    def __init__(self, width: int, base: float, length: int) -> None:
        super().__init__()
        self.width, self.base = width, base
        self.cosines: Tensor
        self.sines: Tensor
        self._tabulate(length, torch.get_default_dtype(), torch.get_default_device())

    def _tabulate(self, length: int, dtype: torch.dtype, device: torch.device) -> None:
        waves = sinusoids(length, self.width, self.base).to(device=device, dtype=dtype)
        sine, cosine = waves[:, 0::2], waves[:, 1::2]
        self.register_buffer("sines", torch.cat([-sine, sine], dim=-1), persistent=False)
        self.register_buffer("cosines", torch.cat([cosine, cosine], dim=-1), persistent=False)

    def forward(self, x: Float[Tensor, "b h n w"], offset: int = 0) -> Float[Tensor, "b h n w"]:
        end = offset + x.shape[2]
        self._upto(end)
        return Rotation(self.cosines[offset:end], self.sines[offset:end])(x)

    def moved_back(self, x: Float[Tensor, "b h n w"], places: int) -> Float[Tensor, "b h n w"]:
        """What `forward` made for some places, as it would have made it for places so much earlier.

        >>> turn, key = Rotary(4, 10000.0, length=8), torch.ones(1, 1, 1, 4)
        >>> torch.allclose(turn.moved_back(turn(key, 5), 3), turn(key, 2))
        True
        """
        self._upto(places + 1)
        return _turned(x, self.cosines[places], -self.sines[places])

    def _upto(self, end: int) -> None:
        if end > len(self.cosines):
            with torch.inference_mode(False):  # as above
                self._tabulate(2 * end, self.cosines.dtype, self.cosines.device)


class Rotation(NamedTuple):
    """The angles by which queries and keys are turned: for each place and channel, in all rows or in each.

    >>> half = torch.full((1, 2), torch.pi)
    >>> Rotation(half.cos(), half.sin() * torch.tensor([-1.0, 1.0]))(torch.ones(1, 1, 1, 2)).round()
    tensor([[[[-1., -1.]]]])
    """

    cosines: Float[Tensor, "*rows n w"]
    sines: Float[Tensor, "*rows n w"]
    """The first half of the channels with a minus sign."""

    def first(self, count: int) -> Rotation:
        """Those of the first places only."""
        return Rotation(self.cosines[..., :count, :], self.sines[..., :count, :])

    def __call__(self, x: Float[Tensor, "b h n w"]) -> Float[Tensor, "b h n w"]:
        if torch.is_grad_enabled() and x.requires_grad:
            return cast("Tensor", _Turn.apply(x, self.cosines, self.sines))
        return _turned(x, self.cosines, self.sines)


def _turned(x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:
    """In the numbers of x."""
    cosines, sines = cosines.to(x.dtype), sines.to(x.dtype)
    return (x * cosines).addcmul_(x.roll(x.shape[-1] // 2, -1), sines)


def _in_rows(x: Tensor) -> Tensor:
    return x.contiguous() if x.device.type == "cpu" else x


class _Turn(torch.autograd.Function):
    """The gradient of a rotation is the rotation back: as few passes, and nothing kept but the tables.

    On a processor the passes run over rows that lie close together: over the gradient of the keys, which
    comes on its side, they would take four times as long.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, cosines: Tensor, sines: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(cosines, sines)
        return _turned(_in_rows(x), cosines, sines)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        cosines, sines = ctx.saved_tensors
        return _turned(_in_rows(grad), cosines, -sines), None, None


class Alibi(nn.Module):
    """Bias −slope_h · |p − q| on the scores, slopes a geometric series.

    Press et al. 2022, arXiv:2108.12409: slope_h = 2^(−8h/H), h = 1…H, for H a power of two; for other H the
    series of the next lower power of two is filled up with every other slope of the next higher one.

    >>> Alibi(8)(1, 3, offset=2)[0]
    tensor([[-1.0000, -0.5000, -0.0000]])
    """

    def __init__(self, heads: int) -> None:
        super().__init__()
        lower = 2 ** int(math.log2(heads))
        slopes = [2 ** (-8 * (h + 1) / lower) for h in range(lower)]
        slopes += [2 ** (-8 * (2 * h + 1) / (2 * lower)) for h in range(heads - lower)]
        self.slopes: Tensor
        self.register_buffer("slopes", torch.tensor(slopes), persistent=False)

    def forward(self, n: int, m: int, offset: int = 0) -> Float[Tensor, "h n m"]:
        distance = _distance(n, m, offset, self.slopes.device).abs()
        return -self.slopes[:, None, None] * distance.to(self.slopes.dtype)


class Relative(nn.Module):
    """A trained bias for each head and each distance, distances beyond ``reach`` sharing the last one.

    Shaw et al. 2018, arXiv:1803.02155, in the form added to the scores (Raffel et al. 2020,
    arXiv:1910.10683), without their logarithmic buckets.

    >>> Relative(heads=2)(3, 5).shape
    torch.Size([2, 3, 5])
    """

    def __init__(self, heads: int, reach: int = 128) -> None:
        super().__init__()
        self.reach = reach
        self.table = nn.Parameter(torch.zeros(heads, 2 * reach + 1))

    def forward(self, n: int, m: int, offset: int = 0) -> Float[Tensor, "h n m"]:
        distance = _distance(n, m, offset, self.table.device).clamp(-self.reach, self.reach)
        return self.table[:, distance + self.reach]


def places_within(documents: Int[Tensor, "b n"]) -> Int[Tensor, "b n"]:
    """The place of each token within its own document; what is numbered below 0 is padding, at place 0.

    >>> places_within(torch.tensor([[4, 4, 4, 7, 7, -1, -1]]))
    tensor([[0, 1, 2, 0, 1, 0, 0]])
    """
    index = torch.arange(documents.shape[1], device=documents.device)
    first = F.pad(documents[:, 1:] != documents[:, :-1], (1, 0), value=True)
    begin = torch.where(first, index, 0).cummax(1).values
    return (index - begin).masked_fill(documents < 0, 0)


def _end(places: Tensor) -> int:
    """How many places a table needs for these."""
    return int(places.max()) + 1 if places.numel() else 0


def _distance(n: int, m: int, offset: int, device: torch.device) -> Tensor:
    """q − p for query places offset…offset+n−1 and key places 0…m−1: [n, m]."""
    return torch.arange(m, device=device)[None, :] - torch.arange(offset, offset + n, device=device)[:, None]


def make_absolute(block: Block, length: int) -> Sinusoidal | Learned | None:
    """What is added to the embedding, if that is how places are told."""
    match block.positions:
        case "sinusoidal":
            return Sinusoidal(block.dim, block.base_or_default, length)
        case "learned":
            return Learned(block.dim, length)
        case _:
            return None


def make_rotary(block: Block, length: int) -> Rotary | None:
    """What turns queries and keys, if that is how places are told."""
    return Rotary(block.width, block.base_or_default, length) if block.positions == "rotary" else None


def make_bias(block: Block) -> Alibi | Relative | None:
    """What is added to the scores, if that is how places are told."""
    match block.positions:
        case "alibi":
            return Alibi(block.heads)
        case "relative":
            return Relative(block.heads)
        case _:
            return None
