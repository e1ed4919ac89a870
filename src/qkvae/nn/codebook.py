"""Vectors as one of a few codes: what turns a picture into a row of numbers that a Transformer can learn.

van den Oord et al. 2017, arXiv:1711.00937.  The codes are means of what they stand for; they follow it by a
moving average (appendix A.1), so that no gradient reaches them.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from qkvae.nn.taps import Tap


class Coded(NamedTuple):
    """Vectors, each replaced by its code."""

    z: Tensor
    """The codes, [*, dim]; the gradient goes through them to the vectors as they were."""

    ids: Tensor
    """Which codes they are, [*]."""


class Codebook(nn.Module):
    """``count`` codes of ``dim`` numbers; a vector becomes the nearest one.

    While training it counts what its codes stand for, and moves them when it is told to `learn`, once a step.

    >>> _ = torch.manual_seed(0)
    >>> book = Codebook(count=4, dim=2)
    >>> z, ids = book(book.codes[[3, 1]] + 0.01)
    >>> ids.tolist(), torch.equal(z, book.codes[[3, 1]])
    ([3, 1], True)
    """

    codes: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, count: int, dim: int, keep: float = 0.99) -> None:
        super().__init__()
        self.keep = keep
        self.register_buffer("codes", torch.randn(count, dim))
        self.register_buffer("counts", torch.ones(count))
        self.register_buffer("sums", self.codes.clone())
        self.z = Tap()
        self.forget()

    def nearest(self, x: Float[Tensor, "*batch dim"]) -> Int[Tensor, "*batch"]:
        """argminₖ ‖x − eₖ‖², of ties the first; by one product of matrices, ‖e‖² − 2 x·e."""
        codes = self.codes
        apart = torch.addmm(codes.square().sum(1), x.detach().float().flatten(0, -2), codes.T, alpha=-2)
        return apart.argmin(1).view(x.shape[:-1])

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Coded:
        """The codes; straight through: ∂z/∂x is taken for 1, equation 2 and the text below."""
        ids = self.nearest(x)
        if self.training:
            self._count(x, ids)
        return Coded(self.z(x + (self.codes[ids].to(x.dtype) - x).detach()), ids)

    @torch.no_grad()
    def _count(self, x: Float[Tensor, "*batch dim"], ids: Int[Tensor, "*batch"]) -> None:
        """Add nₖ and Σx of these vectors to what was counted."""
        flat, chosen = x.float().flatten(0, -2), ids.flatten()
        counts = torch.bincount(chosen, minlength=len(self.codes)).to(self.counts.dtype)
        sums = torch.zeros_like(self.sums).index_add_(0, chosen, flat)
        if self._counted is not None:
            counts, sums = counts + self._counted[0], sums + self._counted[1]
        self._counted, self._newest = (counts, sums), flat

    def counted(self) -> list[Tensor]:
        """nₖ and Σx since the last step; zeros where it was shown nothing."""
        if self._counted is None:
            self._counted = torch.zeros_like(self.counts), torch.zeros_like(self.sums)
        return list(self._counted)

    def forget(self) -> None:
        """Count from nothing."""
        self._counted: tuple[Tensor, Tensor] | None = None
        self._newest: Tensor | None = None

    @torch.no_grad()
    def learn(self, step: int, generator: torch.Generator) -> None:
        """Let the codes follow what was counted; dead ones restart; in the first step all do."""
        counts, sums = self.counted()
        newest = self._newest
        if step:
            self._move(counts, sums)
        else:
            self.counts.zero_()
        if newest is not None:
            self.restart(newest, generator)
        self.forget()

    @torch.no_grad()
    def follow(self, x: Float[Tensor, "*batch dim"], ids: Int[Tensor, "*batch"]) -> None:
        """Let the codes follow these vectors, for which they stand.

        Nₖ ← γNₖ + (1 − γ)nₖ, mₖ ← γmₖ + (1 − γ)Σx, eₖ = mₖ/Nₖ with γ = ``keep``: equations 6 to 8.
        """
        self.forget()
        self._count(x, ids)
        self._move(*self.counted())
        self.forget()

    def _move(self, counts: Float[Tensor, " count"], sums: Float[Tensor, "count dim"]) -> None:
        self.counts.lerp_(counts, 1 - self.keep)
        self.sums.lerp_(sums, 1 - self.keep)
        self.codes.copy_(self.sums / self.counts.clamp_min(1e-5)[:, None])

    @property
    def dead(self) -> Bool[Tensor, " count"]:
        """Codes that hardly anything is nearest to: less than a hundredth of an even share, or nothing."""
        return self.counts <= 0.01 * self.counts.mean()

    @torch.no_grad()
    def restart(self, x: Float[Tensor, "*batch dim"], generator: torch.Generator) -> int:
        """Put dead codes where vectors are; how many there were.

        Dhariwal et al. 2020, arXiv:2005.00341, section 3.1: each becomes a vector drawn from ``x`` and begins
        with the mean count; with 1, where nothing was counted yet.
        """
        dead = self.dead.nonzero()[:, 0]
        flat = x.detach().float().flatten(0, -2)
        if len(dead) and len(flat):
            rows = torch.randint(len(flat), (len(dead),), generator=generator).to(flat.device)
            mean = self.counts.mean()
            count = torch.where(mean > 0, mean, 1.0)
            self.codes[dead], self.counts[dead], self.sums[dead] = flat[rows], count, count * flat[rows]
        return len(dead)


def commitment(x: Float[Tensor, "*batch dim"], z: Float[Tensor, "*batch dim"]) -> Float[Tensor, ""]:
    """Σ ‖x − sg(z)‖²: what keeps vectors near their codes; equation 3, third term, less its factor β.

    >>> commitment(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(6.)
    """
    return (x - z.detach()).float().square().sum()
