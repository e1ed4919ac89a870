"""Means of the weights of a training: steadier than the last ones, and mostly better."""

from __future__ import annotations

import torch
from torch import Tensor

from qkvae.config.training import AverageKind
from qkvae.train import foreach

_HORIZON = 0.03  # part of the training over which the moving average looks back
_LOOKS = 64  # at the weights within that part: to look at those of every step is a pass over all of them
_CHECKPOINTS = 5  # Vaswani et al. 2017, section 6.1, for their base models


class Ema:
    """a ← a + min(1, Δprogress / horizon) · (w − a), Polyak and Juditsky 1992 with an exponential window.

    Where the steps are many, some are left out: about 64 are looked at within the horizon.

    Counting in progress instead of steps makes the average look back over the same part of a training,
    however long it is; until progress reaches the horizon it is the plain mean of what came before.

    >>> average = Ema({"w": torch.tensor([0.0])})
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
        """Blend in the weights at ``progress``, if it is far enough from where they were blended in last."""
        window = min(_HORIZON, progress)
        share = min(1.0, (progress - self.progress) / window) if window > 0 else 1.0
        if share < 1 / _LOOKS:
            return
        self.progress = progress
        newest = [weights[name].detach() for name in self.weights]
        foreach.blend_(list(self.weights.values()), newest, share)

    def mark(self, weights: dict[str, Tensor], step: int) -> None:
        """An evaluation changes nothing."""

    def state(self) -> tuple[dict[str, Tensor], float | None]:
        """The average, and the progress that it has taken in."""
        return self.weights, self.progress

    def load(self, tensors: dict[str, Tensor], progress: float | None) -> None:
        """Be as when `state` was asked."""
        self.weights, self.progress = tensors, progress or 0.0


class Checkpoints:
    """The mean of the weights at the newest evaluations, five at most.

    >>> average = Checkpoints({"w": torch.tensor([1.0])})
    >>> average.mark({"w": torch.tensor([2.0])}, step=10)
    >>> average.mark({"w": torch.tensor([4.0])}, step=20)
    >>> average.weights["w"]
    tensor([3.])
    """

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self._newest = weights
        self._marked: dict[int, dict[str, Tensor]] = {}

    @property
    def weights(self) -> dict[str, Tensor]:
        """The mean; before the first evaluation the weights of the training."""
        marked = self._marked.values()
        if not marked:
            return self._newest
        return {name: torch.stack([each[name] for each in marked]).mean(0) for name in self._newest}

    def update(self, weights: dict[str, Tensor], progress: float) -> None:
        """A step between evaluations changes nothing."""

    def mark(self, weights: dict[str, Tensor], step: int) -> None:
        """Take in the weights after so many steps, once, however often they are evaluated."""
        self._marked[step] = {name: w.detach().clone() for name, w in weights.items()}
        for old in sorted(self._marked)[:-_CHECKPOINTS]:
            del self._marked[old]

    def state(self) -> tuple[dict[str, Tensor], float | None]:
        """The weights of each evaluation, by its step."""
        tensors = {f"{step}.{name}": w for step, each in self._marked.items() for name, w in each.items()}
        return tensors, None

    def load(self, tensors: dict[str, Tensor], progress: float | None) -> None:
        """Be as when `state` was asked."""
        self._marked = {}
        for key, w in tensors.items():
            step, name = key.split(".", 1)
            self._marked.setdefault(int(step), {})[name] = w


Average = Ema | Checkpoints


def make_average(kind: AverageKind, weights: dict[str, Tensor]) -> Average | None:
    """The average of that name; None for the weights as they are."""
    if kind == "none":
        return None
    return Ema(weights) if kind == "ema" else Checkpoints(weights)
