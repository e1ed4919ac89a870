"""In which arithmetic long sums and near differences are made."""

from __future__ import annotations

import torch
from torch import Tensor


def precise(x: Tensor) -> torch.dtype:
    """Double precision, but Apple's GPUs have none.

    >>> precise(torch.ones(1))
    torch.float64
    """
    return torch.float32 if x.device.type == "mps" else torch.float64
