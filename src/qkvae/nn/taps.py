"""Names for the quantities inside a model, free while nobody listens."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class Tap(nn.Module):
    """Passes its tensor through; whoever listens may keep it or give another one back.

    A tap has no name of its own: its place in the model is its name, so that
    ``decoder.blocks.0.cross_attention.weights`` is what ``named_modules()`` calls it.

    >>> import torch
    >>> tap = Tap()
    >>> tap.listener = lambda x: 2 * x
    >>> tap(torch.ones(2))
    tensor([2., 2.])
    """

    def __init__(self) -> None:
        super().__init__()
        self.listener: Callable[[Tensor], Tensor] | None = None

    @property
    def listening(self) -> bool:
        """Whether somebody asked for this quantity."""
        return self.listener is not None

    def __call__(self, x: Tensor) -> Tensor:  # not forward: a module call costs ten times as much
        listener = self.listener
        return x if listener is None else listener(x)
