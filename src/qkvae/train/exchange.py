"""A model with other weights than those that are trained: the averaged ones, in fp32."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def exchanged(model: nn.Module, weights: dict[str, Tensor]) -> Generator[None]:
    """The model computes with these weights, rounded to its own type, while the block runs.

    >>> import torch
    >>> model = nn.Linear(1, 1)
    >>> own = model.weight.item()
    >>> with exchanged(model, {"weight": torch.tensor([[7.0]])}):
    ...     model.weight.item()
    7.0
    >>> model.weight.item() == own
    True
    """
    parameters = {name: p for name, p in model.named_parameters() if name in weights}
    originals = {name: p.data for name, p in parameters.items()}
    for name, p in parameters.items():
        p.data = weights[name].detach().to(p.dtype)
    try:
        yield
    finally:
        for name, p in parameters.items():
            p.data = originals[name]


def state_with(model: nn.Module, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The model's state with these weights in place of its own; a tied one stands under each of its names.

    >>> import torch
    >>> sorted(state_with(nn.Linear(1, 1), {"weight": torch.ones(1, 1)}))
    ['bias', 'weight']
    """
    names = {id(p): name for name, p in model.named_parameters()}
    tied = {name: names[id(p)] for name, p in model.named_parameters(remove_duplicate=False)}
    state: dict[str, Tensor] = model.state_dict()
    return {name: weights.get(tied.get(name, name), value).detach() for name, value in state.items()}
