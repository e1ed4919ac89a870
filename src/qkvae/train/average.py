"""The exponential moving average of the weights: steadier than the last ones, for one pass a step."""

from __future__ import annotations

import torch
from torch import Tensor

from qkvae.train import foreach

_HORIZON = 0.03  # part of the training over which the average looks back


class Average:
    """a ← a + min(1, Δprogress / horizon) · (w − a), Polyak and Juditsky 1992 with an exponential window.

    Counting in progress instead of steps makes the average look back over the same part of a training,
    however long it is; until progress reaches the horizon it is the plain mean of what came before.

    >>> average = Average({"w": torch.tensor([0.0])})
    >>> average.update({"w": torch.tensor([2.0])}, progress=0.5)
    >>> average.update({"w": torch.tensor([4.0])}, progress=0.515)
    >>> average.weights["w"]
    tensor([3.])
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = {name: w.detach().clone() for name, w in weights.items()}
        self.progress = 0.0

    @torch.no_grad()
    def update(self, weights: dict[str, Tensor], progress: float) -> None:
        """Take in the weights at ``progress``."""
        window = min(_HORIZON, progress)
        share = min(1.0, (progress - self.progress) / window) if window > 0 else 1.0
        self.progress = progress
        newest = [weights[name].detach() for name in self.weights]
        foreach.blend_(list(self.weights.values()), newest, share)
