"""What no optimiser moves: buffers, of which some learn by counting, and weights that are held."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from qkvae.train.processes import Processes


@runtime_checkable
class Follower(Protocol):
    """A part whose buffers follow what it is shown, such as a codebook."""

    training: bool

    def counted(self) -> list[Tensor]:
        """What it counted since the last step, to be added up over the processes; in its own tensors."""
        ...

    def forget(self) -> None:
        """Count from nothing."""
        ...

    def learn(self, step: int, generator: torch.Generator) -> None:
        """Move the buffers by what was counted, and count from nothing."""
        ...


class Buffers:
    """The buffers of a model that are saved with it, and the parts that move them once a step.

    Weights that are held (``requires_grad`` is False) are saved with them.  A part that is not training, as
    within a model that is held, moves nothing.

    What several processes counted is summed, so that they move the buffers as one would; what is drawn on the
    way (a dead code's new place) is drawn from the first one's share, so it may be another than one draws.

    >>> Buffers(nn.BatchNorm1d(2)).state().keys()
    dict_keys(['running_mean', 'running_var', 'num_batches_tracked'])
    """

    def __init__(self, model: nn.Module) -> None:
        saved = model.state_dict().keys()
        self.tensors = {name: tensor for name, tensor in model.named_buffers() if name in saved}
        self.tensors |= {name: p.data for name, p in model.named_parameters() if not p.requires_grad}
        self.followers = [part for part in model.modules() if isinstance(part, Follower)]

    def forget(self) -> None:
        """A step begins, perhaps once more."""
        for follower in self.followers:
            follower.forget()

    def follow(self, step: int, seed: int, processes: Processes) -> None:
        """Move the buffers by what all processes counted in this step; the first one's are everybody's."""
        moving = [follower for follower in self.followers if follower.training]
        if not moving:
            return
        for follower in moving:
            processes.sum_up(follower.counted())
            follower.learn(step, torch.Generator().manual_seed(seed))
        if processes.count > 1:
            self.load(processes.told_tensors(self.tensors))

    def state(self) -> dict[str, Tensor]:
        """The buffers, by name."""
        return self.tensors

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Be as when `state` was asked."""
        for name, tensor in self.tensors.items():
            tensor.copy_(state[name])
