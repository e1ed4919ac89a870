"""How probable a datum is under what a decoder tells of it: ln p(x | z), in nats, summed over the datum.

A datum has numbers of any shape, [b, *shape].  What is told of it has the same shape with any number of draws
in front, [*draws, b, *shape], and for `Categorical` the logits of each number's levels behind.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.nn.gaussian import Gaussian

_FLOOR = 1e-6  # the least variance: what a decoder knows to the last digit would be infinitely probable
_CACHED = 2**17  # numbers of which several passes in fp32 stay in a processor's second cache
_TOGETHER = 8  # chances of at least ½ each, whose logarithm is taken of their product


class Likelihood(nn.Module):
    """p(x | what is told)."""

    outputs = 1
    """What is told of each number."""

    def told(
        self, numbers: Float[Tensor, "*draws_b outputs_numbers"], shape: tuple[int, ...]
    ) -> Float[Tensor, "..."]:
        """What a decoder gives in one row, in the shape of the datum."""
        behind = shape if self.outputs == 1 else (*shape, self.outputs)
        return numbers.reshape(*numbers.shape[:-1], *behind)

    @abstractmethod
    def log_prob(self, x: Float[Tensor, "b *shape"], told: Float[Tensor, "..."]) -> Float[Tensor, "*draws_b"]:
        """ln p(x) of each datum."""

    @abstractmethod
    def mean(self, told: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """E[x]."""

    def write_mean(self, told: Float[Tensor, "..."], to: Float[Tensor, "..."]) -> None:
        """E[x], written to where it shall stand."""
        to.copy_(self.mean(told))

    @abstractmethod
    def draw(self, told: Float[Tensor, "..."], generator: torch.Generator | None = None) -> Tensor:
        """A datum from p(x)."""

    @abstractmethod
    def check(self, x: Float[Tensor, "b *shape"]) -> None:
        """Refuse data that cannot have come from such a distribution.

        Raises:
            ValueError: a number is one to which it gives no probability.
        """


class Bernoulli(Likelihood):
    """Each number is 1 with probability p, told by its logit ln p − ln(1 − p).

    ln p(x) = Σ x·logit − ln(1 + exp(logit)).  A number between 0 and 1 is the chance of a 1, and ln p(x) then
    the mean over it.

    >>> Bernoulli().log_prob(torch.tensor([[1.0, 0.0]]), torch.zeros(1, 2)).exp()
    tensor([0.2500])
    """

    def log_prob(self, x: Float[Tensor, "b *shape"], told: Float[Tensor, "..."]) -> Float[Tensor, "*draws_b"]:
        apply = cast("Callable[..., Tensor]", _LogBernoulli.apply)
        return apply(_in_rows(x, x), _in_rows(told, x))

    def mean(self, told: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return torch.sigmoid(told.float())

    @torch.no_grad()
    def write_mean(self, told: Float[Tensor, "..."], to: Float[Tensor, "..."]) -> None:
        torch.sigmoid(told.float(), out=to)  # one pass less over as many numbers as are drawn

    @torch.no_grad()
    def draw(self, told: Float[Tensor, "..."], generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean(told), generator=generator)

    def check(self, x: Float[Tensor, "b *shape"]) -> None:
        _within(x, "a Bernoulli likelihood")


class _LogBernoulli(torch.autograd.Function):
    """Σ x·l − max(l, 0) + ln max(s, 1 − s) with s = sigmoid(l), and its gradient x − s made in the same pass.

    Each pass over many draws would fetch all of them from memory anew: a piece at a time stays in the cache.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        value = logits.new_empty(logits.shape[:-1], dtype=torch.float32)
        draws = logits.reshape(math.prod(logits.shape[:-2]), *x.shape)
        values, slopes = value.view(draws.shape[:2]), None
        if ctx.needs_input_grad[1]:
            slopes = logits.new_empty(draws.shape)
            ctx.save_for_backward(slopes)
        for some, rows in _pieces(draws):
            within = None if slopes is None else slopes[some, rows]
            values[some, rows] = _log_bernoulli(x[rows], draws[some, rows], within)
        return value

    @staticmethod
    def backward(ctx: Any, d_value: Tensor) -> tuple[None, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        (slopes,) = ctx.saved_tensors
        return None, slopes.view(*d_value.shape, slopes.shape[-1]) * d_value[..., None].to(slopes.dtype)


def _log_bernoulli(
    x: Float[Tensor, "b n"], logits: Float[Tensor, "draws b n"], slope: Float[Tensor, "draws b n"] | None
) -> Float[Tensor, "draws b"]:
    """ln p(x) of each draw, and into ``slope`` its gradient."""
    logits = logits.float()
    chances = logits.sigmoid()
    if slope is not None:
        slope.copy_(torch.sub(x, chances))
    value = (x * logits).sum(-1).sub_(logits.clamp_min(0).sum(-1))
    factors = chances.sub_(0.5).abs_().add_(0.5)
    together = math.gcd(_TOGETHER, x.shape[-1])
    return value.add_(factors.view(*factors.shape[:-1], together, -1).prod(-2).log_().sum(-1))


def _pieces(draws: Float[Tensor, "draws b n"]) -> Iterator[tuple[slice, slice]]:
    """Some draws of some rows, and so on; everything together where there is no such cache."""
    count, rows, numbers = draws.shape
    each = _CACHED // max(1, numbers) if draws.device.type == "cpu" else count * rows
    few, some = max(1, min(rows, each)), max(1, each // max(1, rows))
    for begin in range(0, count, some):
        for row in range(0, rows, few):
            yield slice(begin, begin + some), slice(row, row + few)


class Normal(Likelihood):
    """Each number is normally distributed around what is told; σ is learned, one for all or one for each.

    ln p(x) = −½ Σ ln 2π + ln σ² + (x − told)²/σ², with σ² = 10⁻⁶ + exp(`noise`): what is told to the last
    digit would be infinitely probable without the floor.  With one σ a linear decoder is probabilistic PCA,
    with one for each it is factor analysis.

    >>> normal = Normal(())
    >>> normal.log_prob(torch.zeros(1, 2), torch.zeros(1, 2)).detach()
    tensor([-1.8379])
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.noise = nn.Parameter(torch.zeros(shape))

    @property
    def logvar(self) -> Tensor:
        """ln σ²."""
        floor = torch.full_like(self.noise, math.log(_FLOOR), dtype=torch.float32)
        return torch.logaddexp(self.noise.float(), floor)

    def log_prob(self, x: Float[Tensor, "b *shape"], told: Float[Tensor, "..."]) -> Float[Tensor, "*draws_b"]:
        return _in_rows(self.each(x, told), x).sum(-1)

    def each(self, x: Float[Tensor, "b *shape"], told: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        """ln p of each number by itself."""
        return Gaussian(told.float(), self.logvar).log_prob(x)

    def mean(self, told: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return told.float()

    @torch.no_grad()
    def draw(self, told: Float[Tensor, "..."], generator: torch.Generator | None = None) -> Tensor:
        eps = torch.randn(told.shape, generator=generator, device=told.device)
        return Gaussian(told.float(), self.logvar).draw(eps)

    def check(self, x: Float[Tensor, "b *shape"]) -> None:
        refuse_infinite(x)


class Logistic(Likelihood):
    """Each number is one of ``levels`` between 0 and 1; a level has the share of a logistic law around it.

    P(x) = sigmoid((x + δ/2 − μ)/s) − sigmoid((x − δ/2 − μ)/s), δ the distance of two levels, and the tails
    belong to the first and the last: Kingma et al. 2016, arXiv:1606.04934, appendix.  μ is told, s learned,
    one for all or one for each.  Computed as
    sigmoid(a) − sigmoid(b) = sigmoid(a)·sigmoid(−b)·(1 − exp(b − a)), which loses no digits.

    >>> logistic, levels = Logistic((), 3), torch.tensor([[0.0], [0.5], [1.0]])
    >>> logistic.log_prob(levels, torch.full((3, 1), 0.3)).detach().exp().sum()
    tensor(1.)
    """

    def __init__(self, shape: tuple[int, ...], levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.noise = nn.Parameter(torch.full(shape, -2.0))

    def log_prob(self, x: Float[Tensor, "b *shape"], told: Float[Tensor, "..."]) -> Float[Tensor, "*draws_b"]:
        half = 0.5 / (self.levels - 1)
        noise = self.noise.float()
        rate, off = torch.exp(-noise), x - told.float()
        below = F.logsigmoid((off + half) * rate).where(x < 1 - half, 0.0)
        above = F.logsigmoid((half - off) * rate).where(x > half, 0.0)
        inside = torch.log(-torch.expm1(-2 * half * rate)).where((x > half) & (x < 1 - half), 0.0)
        return _in_rows(below + above + inside, x).sum(-1)

    def mean(self, told: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        return told.float().clamp(0, 1)

    @torch.no_grad()
    def draw(self, told: Float[Tensor, "..."], generator: torch.Generator | None = None) -> Tensor:
        u = torch.rand(told.shape, generator=generator, device=told.device).clamp(1e-6, 1 - 1e-6)
        x = told.float() + self.noise.float().exp() * torch.logit(u)
        return _nearest_level(x.clamp(0, 1), self.levels)

    def check(self, x: Float[Tensor, "b *shape"]) -> None:
        _on_levels(x, self.levels)


class Categorical(Likelihood):
    """Each number is one of ``levels`` between 0 and 1, in no order: a logit is told for each.

    >>> Categorical(4).log_prob(torch.tensor([[0.0, 1.0]]), torch.zeros(1, 2, 4)).exp()
    tensor([0.0625])
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.levels = self.outputs = levels

    def log_prob(self, x: Float[Tensor, "b *shape"], told: Float[Tensor, "..."]) -> Float[Tensor, "*draws_b"]:
        level = (x * (self.levels - 1)).round().long().expand(told.shape[:-1])
        log_p = F.log_softmax(told.float(), -1).gather(-1, level[..., None])[..., 0]
        return _in_rows(log_p, x).sum(-1)

    def mean(self, told: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        values = torch.linspace(0, 1, self.levels, device=told.device)
        return torch.softmax(told.float(), -1) @ values

    @torch.no_grad()
    def draw(self, told: Float[Tensor, "..."], generator: torch.Generator | None = None) -> Tensor:
        p = torch.softmax(told.float(), -1)
        level = torch.multinomial(p.flatten(0, -2), 1, generator=generator)
        return level.view(told.shape[:-1]) / (self.levels - 1)

    def check(self, x: Float[Tensor, "b *shape"]) -> None:
        _on_levels(x, self.levels)


def refuse_infinite(x: Tensor) -> None:
    """Refuse numbers that no density knows.

    Raises:
        ValueError: one is infinite, or none at all.
    """
    if not bool(x.isfinite().all()):
        raise ValueError("a number is infinite or none at all: leave that row out or fill it in")


def _in_rows(numbers: Tensor, x: Tensor) -> Tensor:
    """All numbers of a datum x in one row."""
    return numbers if x.ndim == 2 else numbers.flatten(numbers.ndim - x.ndim + 1)


def _nearest_level(x: Tensor, levels: int) -> Tensor:
    return (x * (levels - 1)).round() / (levels - 1)


def _within(x: Tensor, what: str) -> None:
    low, high = float(x.min()), float(x.max())
    if not (low >= 0 and high <= 1):
        raise ValueError(
            f"numbers lie between {low:g} and {high:g}, but {what} knows 0 to 1 only: scale them, "
            "or choose a gaussian likelihood"
        )


def _on_levels(x: Tensor, levels: int) -> None:
    _within(x, f"a likelihood of {levels} levels")
    off = float((x - _nearest_level(x, levels)).abs().max())
    if off > 0.01 / levels:
        raise ValueError(
            f"a number lies {off:.3g} beside the nearest of {levels} levels between 0 and 1: give the number "
            "of levels that the data have, or choose a gaussian likelihood"
        )
