"""The learning rate's course, as a function of progress through the training."""

from __future__ import annotations

import math

from qkvae.config import Optimizer


def rate(settings: Optimizer, progress: float) -> float:
    """The factor on the peak learning rate at ``progress`` in [0, 1].

    After a linear warm-up over the first ``warmup`` of the training:

    - linear: falls to 0 in a straight line
    - cosine: ½(1 + cos πu), Loshchilov and Hutter 2017, arXiv:1608.03983
    - wsd: stays at 1, then falls to 0 in a straight line over the last ``cooldown``, Hu et al. 2024,
      arXiv:2404.06395
    - noam, inverse-sqrt: √(warmup / progress), 1 at the end of the warm-up, Vaswani et al. 2017, equation 3
    - constant: stays at 1

    >>> [round(rate(Optimizer(schedule="linear", warmup=0.5), p / 4), 2) for p in range(5)]
    [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    warmup = settings.warmup
    if progress < warmup:
        return progress / warmup
    rest = (progress - warmup) / (1 - warmup) if progress < 1 else 1.0
    match settings.schedule:
        case "linear":
            return 1 - rest
        case "cosine":
            return 0.5 * (1 + math.cos(math.pi * rest))
        case "wsd":
            cooldown = settings.cooldown_or_default
            return min(1.0, (1 - progress) / cooldown) if cooldown else 1.0
        case "noam" | "inverse-sqrt":
            return math.sqrt(max(warmup, 1e-4) / max(progress, 1e-4))
        case "constant":
            return 1.0
