"""A step of training, as qkvae's loop takes it and as a user of torch writes it."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from timing import Work

Arrays = dict[str, np.ndarray]

CLIP, LR = 1.0, 1e-3


def rounds(step: Callable[[Any], float], batches: list[Arrays], each: int) -> Work:
    """Rounds of ``each`` batches; a step tells how many units its batch was."""
    import torch

    tensors = [{name: torch.from_numpy(array) for name, array in batch.items()} for batch in batches]

    def one(number: int) -> float:
        places = range(number * each, (number + 1) * each)
        return sum(step(tensors[place % len(tensors)]) for place in places)

    return one


def ours(model: Any, loss: Callable[[Any], Any], optimizer: str, precision: str) -> Callable[[Any], None]:
    """A step of `qkvae.train.learner`: gradients, optimiser, moving average.

    ``loss`` gives the summed loss of a batch, and over how many tokens it is.
    """
    import torch

    from qkvae import config
    from qkvae.train.average import Ema
    from qkvae.train.device import keep_freed_memory
    from qkvae.train.optimizer import Optimizers
    from qkvae.train.precision import Weights

    keep_freed_memory()
    weights = Weights(model.train(), precision)
    optimizers = Optimizers(config.Optimizer(name=optimizer, lr=LR), model, weights.masters)
    average, steps = Ema(weights.masters), itertools.count(1)

    def step(batch: Any) -> None:
        number = next(steps)
        torch.default_generator.manual_seed(number)
        total, tokens = loss(batch)
        total.backward()
        float(total.detach())
        weights.collect_gradients(1 / tokens, CLIP)
        optimizers.step(1.0)
        weights.publish()
        average.update(weights.masters, number * 1e-4)

    return step


def usual(model: Any, loss: Callable[[Any], Any], bf16: bool) -> Callable[[Any], None]:
    """The usual step of a user of torch: autocast, mean loss, clip, fused AdamW."""
    import torch

    optimizer = torch.optim.AdamW(model.parameters(), LR, betas=(0.9, 0.98), fused=True)

    def step(batch: Any) -> None:
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            mean = loss(batch)
        optimizer.zero_grad()
        mean.backward()
        mean.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    return step
