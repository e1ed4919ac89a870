"""How probable a row of numbers and categories is, some of which may be missing."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from qkvae.nn.likelihoods import Likelihood, Normal, refuse_infinite


class Mixed(Likelihood):
    """Numbers are normally distributed around what is told, with a σ each; of a category a logit is told for
    each of its values.

    A row is [b, numbers + values of all categories]: a category is a one-hot vector.  NaN is a number that
    is missing, or every value of a category that is; it adds nothing to ln p(x).  The last value of a
    category stands for all that training has not seen, and is never drawn.

    >>> mixed, nan = Mixed(1, (2,)), float("nan")
    >>> mixed.log_prob(torch.tensor([[nan, 1.0, 0.0], [0.0, nan, nan]]), torch.zeros(2, 3)).exp().detach()
    tensor([0.5000, 0.3989])
    """

    def __init__(self, numbers: int, categories: Sequence[int]) -> None:
        super().__init__()
        self.numbers = Normal((numbers,))
        self.widths = (numbers, *categories)

    def log_prob(self, x: Float[Tensor, "b row"], told: Float[Tensor, "..."]) -> Float[Tensor, "*draws_b"]:
        known, x = ~x.isnan(), x.nan_to_num()
        numbers, *categories = told.float().split_with_sizes(self.widths, -1)
        row = torch.cat([self.numbers.each(x[..., : self.widths[0]], numbers), *map(_log_p, categories)], -1)
        weights = torch.cat([torch.ones_like(x[..., : self.widths[0]]), x[..., self.widths[0] :]], -1)
        return (row * (weights * known)).sum(-1)

    def mean(self, told: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
        numbers, *categories = told.float().split_with_sizes(self.widths, -1)
        return torch.cat([numbers, *(torch.softmax(each, -1) for each in categories)], -1)

    @torch.no_grad()
    def draw(self, told: Float[Tensor, "..."], generator: torch.Generator | None = None) -> Tensor:
        numbers, *categories = told.float().split_with_sizes(self.widths, -1)
        drawn = [self.numbers.draw(numbers, generator)]
        for each in categories:
            p = torch.softmax(each[..., :-1], -1).flatten(0, -2)
            value = torch.multinomial(p, 1, generator=generator).view(each.shape[:-1])
            drawn.append(F.one_hot(value, each.shape[-1]).float())
        return torch.cat(drawn, -1)

    def check(self, x: Float[Tensor, "b row"]) -> None:
        refuse_infinite(x.nan_to_num(posinf=torch.inf, neginf=-torch.inf))


def _log_p(logits: Tensor) -> Tensor:
    return F.log_softmax(logits, -1)
