"""Rows of codes, written from left to right: new pictures, before anybody tells what they look like."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from qkvae.config import Filtering
from qkvae.generate.filters import filtered
from qkvae.generate.sampling import inverse_cdf
from qkvae.models import CodePrior


@torch.no_grad()
def write_codes(
    model: CodePrior,
    count: int,
    seed: int,
    labels: Int[Tensor, " count"] | None = None,
    filtering: Filtering | None = None,
) -> Int[Tensor, "count n"]:
    """Rows of codes drawn from the law that `CodePrior.log_prior` tells, or what ``filtering`` leaves of it.

    Row k is a function of (seed, k) and its label, whatever is written beside it.

    >>> from qkvae import config
    >>> vq = config.VQ(shape=(1, 8, 8), codes=6, widths=(4, 4))
    >>> write_codes(CodePrior(config.CodePrior(vq=vq)), count=3, seed=1).shape
    torch.Size([3, 4])

    Raises:
        ValueError: labels are told to a model that knows none, or none to one that does.
    """
    device, places = next(model.parameters()).device, math.prod(model.vq.grid)
    drawn = np.stack([np.random.default_rng([seed, row]).random(places) for row in range(count)])
    token = model.first(count, labels).to(device)
    cache, found = model.prior.start(token.new_empty(count, 0), capacity=places), list[Tensor]()
    for uniform in torch.from_numpy(drawn).T:
        logits = model.predict(model.prior.read(token, cache)).float()
        token = inverse_cdf(logits if filtering is None else filtered(logits, filtering), uniform)
        found.append(token)
    return torch.stack(found, 1)
