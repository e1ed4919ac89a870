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

    >>> _ = torch.manual_seed(0)
    >>> book = Codebook(count=4, dim=2)
    >>> z, ids = book(book.codes[[3, 1]] + 0.01)
    >>> ids.tolist(), torch.equal(z, book.codes[[3, 1]])
    ([3, 1], True)
    """

    codes: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, count: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("codes", torch.randn(count, dim))
        self.register_buffer("counts", torch.ones(count))
        self.register_buffer("sums", self.codes.clone())
        self.z = Tap()

    def nearest(self, x: Float[Tensor, "*batch dim"]) -> Int[Tensor, "*batch"]:
        """argminₖ ‖x − eₖ‖², of ties the first; by one product of matrices, ‖e‖² − 2 x·e."""
        codes = self.codes
        apart = torch.addmm(codes.square().sum(1), x.detach().float().flatten(0, -2), codes.T, alpha=-2)
        return apart.argmin(1).view(x.shape[:-1])

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Coded:
        """The codes; straight through: ∂z/∂x is taken for 1, equation 2 and the text below."""
        ids = self.nearest(x)
        return Coded(self.z(x + (self.codes[ids].to(x.dtype) - x).detach()), ids)

    @torch.no_grad()
    def follow(self, x: Float[Tensor, "*batch dim"], ids: Int[Tensor, "*batch"], keep: float = 0.99) -> None:
        """Let the codes follow the vectors they stand for: a training calls it once a step.

        Nₖ ← γNₖ + (1 − γ)nₖ, mₖ ← γmₖ + (1 − γ)Σx, eₖ = mₖ/Nₖ with γ = ``keep``: equations 6 to 8.
        """
        flat, chosen = x.float().flatten(0, -2), ids.flatten()
        counts = torch.bincount(chosen, minlength=len(self.codes)).to(self.counts.dtype)
        self.counts.lerp_(counts, 1 - keep)
        self.sums.lerp_(torch.zeros_like(self.sums).index_add_(0, chosen, flat), 1 - keep)
        self.codes.copy_(self.sums / self.counts.clamp_min(1e-5)[:, None])

    @property
    def dead(self) -> Bool[Tensor, " count"]:
        """Codes that hardly anything is nearest to: less than a hundredth of an even share."""
        return self.counts < 0.01 * self.counts.mean()

    @torch.no_grad()
    def restart(self, x: Float[Tensor, "*batch dim"], generator: torch.Generator) -> int:
        """Put dead codes where vectors are; how many there were.

        Dhariwal et al. 2020, arXiv:2005.00341, section 3.1: each becomes a vector drawn from ``x`` and begins
        with the mean count.
        """
        dead = self.dead.nonzero()[:, 0]
        flat = x.detach().float().flatten(0, -2)
        if len(dead) and len(flat):
            rows = torch.randint(len(flat), (len(dead),), generator=generator).to(flat.device)
            count = self.counts.mean()
            self.codes[dead], self.counts[dead], self.sums[dead] = flat[rows], count, count * flat[rows]
        return len(dead)


def commitment(x: Float[Tensor, "*batch dim"], z: Float[Tensor, "*batch dim"]) -> Float[Tensor, ""]:
    """Σ ‖x − sg(z)‖²: what keeps vectors near their codes; equation 3, third term, less its factor β.

    >>> commitment(torch.zeros(2, 3), torch.ones(2, 3))
    tensor(6.)
    """
    return (x - z.detach()).float().square().sum()
