"""What a check measured."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

EXACT = 0.0
"""Bits must be equal."""

FP32 = 1e-5
"""The same computation in another order, in fp32."""

SUMMED = 1e-4
"""Likewise, where hundreds of such numbers were added up."""


@dataclass(frozen=True)
class Row:
    """One line of the report.

    >>> row = Row("batch = single", 2e-7, 1e-5)
    >>> row.holds, row.detail
    (True, 'off by 2e-07, allowed 1e-05')
    """

    name: str
    """The invariance."""

    measured: float
    """How far it is from holding: the largest difference, relative to the largest number if above 1."""

    tolerance: float
    """How far rounding may bring it."""

    @property
    def holds(self) -> bool:
        """Whether it holds; what is not a number does not."""
        return self.measured <= self.tolerance

    @property
    def detail(self) -> str:
        """What was measured, for a person."""
        return f"off by {self.measured:.3g}, allowed {self.tolerance:.3g}"


def difference(one: Tensor, other: Tensor) -> float:
    """max |a − b| / max(1, max |b|); infinite where a number is not finite.

    >>> import torch
    >>> difference(torch.tensor([1.0, 50.0]), torch.tensor([1.0, 100.0]))
    0.5
    """
    assert one.shape == other.shape, (one.shape, other.shape)
    if not one.numel():
        return 0.0
    if not bool(one.isfinite().all() & other.isfinite().all()):
        return math.inf
    one, other = one.detach().cpu().double(), other.detach().cpu().double()  # Apple's GPUs have no fp64
    return float((one - other).abs().max()) / max(1.0, float(other.abs().max()))
