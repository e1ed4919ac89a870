"""Arithmetic: fp32 throughout, or products in bf16 with the weights kept in fp32."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from qkvae.train import foreach


@runtime_checkable
class Holding(Protocol):
    """A model that holds another one, which is not trained."""

    @property
    def held(self) -> nn.Module:
        """The one that is held."""
        ...


class Weights:
    """The fp32 weights that the optimiser moves, and the model that computes with them.

    In fp32 both are the same tensors.  In bf16 the model's weights are a rounded copy: a step moves the fp32
    weights by the copy's gradients and rounds them into the copy again, so that small updates are not lost
    (Micikevicius et al. 2018, arXiv:1710.03740).  Buffers, and a model that is held within, stay as they
    are.  Tied weights appear once.

    >>> weights = Weights(nn.Linear(2, 2), "bf16")
    >>> weights.model.weight.dtype, weights.masters["weight"].dtype
    (torch.bfloat16, torch.float32)
    """

    def __init__(self, model: nn.Module, precision: str) -> None:
        self.model = model
        self.exact = precision == "fp32"
        self.masters: dict[str, Tensor] = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.copies: list[Tensor] = []
        self._all = [*model.parameters()]  # to look for them at each step takes as long as a small product
        if self.exact:
            return
        self.masters = {name: p.detach().float().clone() for name, p in self.masters.items()}
        self.copies = [p for p in model.parameters() if p.requires_grad]
        held = {id(p) for p in model.held.parameters()} if isinstance(model, Holding) else set[int]()
        for p in model.parameters():  # not the buffers: tables of positions need all their digits
            if id(p) not in held:
                p.data = p.data.bfloat16()

    @torch.no_grad()
    def gather(self) -> None:
        """Move the gradients of the model's weights to the fp32 weights; nothing in fp32."""
        pairs = zip(self.masters.values(), self.copies, strict=True) if not self.exact else ()
        computed = [(master, copy, copy.grad) for master, copy in pairs if copy.grad is not None]
        if not computed:
            return
        exact = [torch.empty_like(master) for master, _, _ in computed]
        foreach.copy_(exact, [gradient for _, _, gradient in computed])
        for (master, copy, _), gradient in zip(computed, exact, strict=True):
            master.grad, copy.grad = gradient, None

    @torch.no_grad()
    def collect_gradients(self, scale: float, clip: float) -> float:
        """Multiply the gradients by ``scale`` and shorten them to norm ``clip`` (0: leave them as they are).

        Returns their norm between the two.
        """
        self.gather()
        gradients = [master.grad for master in self.masters.values() if master.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients)) * scale
        factor = scale * min(1.0, clip / (norm + 1e-6)) if clip else scale
        if factor != 1.0:
            foreach.scale_(gradients, factor)
        return norm

    @torch.no_grad()
    def publish(self) -> None:
        """Round the fp32 weights into the model and forget the gradients."""
        if not self.exact:
            foreach.copy_(self.copies, list(self.masters.values()))
        for p in (*self._all, *self.masters.values()):
            p.grad = None

    @torch.no_grad()
    def load(self, state: dict[str, Tensor]) -> None:
        """Take the fp32 weights from ``state``."""
        for name, master in self.masters.items():
            master.copy_(state[name])
        self.publish()
