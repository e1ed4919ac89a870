# PyTorch exports these under private names only, though its own optimisers are made of them.
# pyright: reportPrivateUsage=false, reportPrivateImportUsage=false
"""Arithmetic on many tensors in one call, which on small tensors is several times as quick as one by one."""

from __future__ import annotations

import torch
from torch import Tensor


def blend(x: list[Tensor], y: list[Tensor], share: float) -> list[Tensor]:
    """x + share · (y − x).

    >>> blend([torch.zeros(1)], [torch.ones(1)], 0.25)
    [tensor([0.2500])]
    """
    return list(torch._foreach_lerp(x, y, share))


def blend_(x: list[Tensor], y: list[Tensor], share: float) -> None:
    """x ← x + share · (y − x), in place.

    >>> x = [torch.zeros(1)]
    >>> blend_(x, [torch.ones(1)], 0.25)
    >>> x
    [tensor([0.2500])]
    """
    torch._foreach_lerp_(x, y, share)


def add_(x: list[Tensor], y: list[Tensor], factor: float) -> None:
    """x ← x + factor · y, in place.

    >>> x = [torch.ones(1)]
    >>> add_(x, [torch.ones(1)], -3.0)
    >>> x
    [tensor([-2.])]
    """
    torch._foreach_add_(x, y, alpha=factor)


def scale_(x: list[Tensor], factor: float) -> None:
    """x ← factor · x, in place.

    >>> x = [torch.ones(1)]
    >>> scale_(x, 0.5)
    >>> x
    [tensor([0.5000])]
    """
    torch._foreach_mul_(x, factor)


def copy_(x: list[Tensor], y: list[Tensor]) -> None:
    """x ← y, rounded to x's own type, in place.

    >>> x = [torch.zeros(1, dtype=torch.bfloat16)]
    >>> copy_(x, [torch.tensor([0.1])])
    >>> x
    [tensor([0.1001], dtype=torch.bfloat16)]
    """
    torch._foreach_copy_(x, y)
