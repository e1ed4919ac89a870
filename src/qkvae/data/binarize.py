"""Numbers between 0 and 1 drawn as 0 or 1: a pure function of them and a seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

_STEPS = 1 << 16


def binarized(chances: Float[Tensor, "*shape"], seed: Sequence[int]) -> Float[Tensor, "*shape"]:
    """1 with the chance given, else 0: dynamic binarisation, where the seed names the step.

    Salakhutdinov and Murray 2008, https://doi.org/10.1145/1390156.1390266, section 5, draw once and for all;
    Burda et al. 2016, arXiv:1509.00519, anew at each step.  A chance is met to 1.6·10⁻⁵; 0 stays 0 and 1
    stays 1.

    >>> chances = torch.tensor([0.0, 0.3, 1.0]).expand(10_000, 3)
    >>> drawn = binarized(chances, (1, 7))
    >>> [round(share, 1) for share in drawn.mean(0).tolist()]
    [0.0, 0.3, 1.0]
    """
    count = chances.numel()
    raw = np.random.SFC64(list(seed)).random_raw(-(-count // 4))
    draws = torch.from_numpy(raw.view(np.uint16)[:count].astype(np.float32)).view(chances.shape)
    return (chances.cpu() * _STEPS).gt_(draws).to(chances.device)
