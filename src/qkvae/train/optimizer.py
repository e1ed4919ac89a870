"""The optimisers: Muon for the matrices of the blocks, AdamW for everything else, or AdamW for all."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.config import Optimizer
from qkvae.nn.projection import Projection
from qkvae.train import foreach


@dataclass(frozen=True)
class Matrix:
    """A trained matrix, and what takes a tensor of its shape apart into the single maps it holds (views)."""

    weight: Tensor
    maps: Callable[[Tensor], list[Tensor]]


def orthogonalize(x: Float[Tensor, "k r c"], steps: int = 5) -> Float[Tensor, "k r c"]:
    """The nearest semi-orthogonal matrices, about: singular values pushed to within about 0.7…1.2.  r ≤ c.

    Newton–Schulz with the quintic of Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/):
    X ← (aI + bA + cA²)X, A = XXᵀ, (a, b, c) = (3.4445, −4.7750, 2.0315), once X has the Frobenius norm 1.
    All factors are polynomials of the first A and commute; so for wide matrices the iteration runs on the
    r × r matrices A ← M²A and P ← MP, M = aI + bA + cA², and P meets X once, at the end.  Not in bf16: what
    rounding makes negative among the eigenvalues of A would grow from step to step.

    >>> stretched = torch.tensor([[[3.0, 0.0], [0.0, 0.5]]])
    >>> torch.linalg.svdvals(orthogonalize(stretched))
    tensor([[1.0420, 0.7136]])
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = x / (cast("Tensor", x.norm(dim=(1, 2), keepdim=True)) + 1e-7)
    if x.shape[2] < 2 * x.shape[1] or x.dtype == torch.bfloat16:
        for _ in range(steps):
            gram = x @ x.mT
            x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
        return x
    gram = x @ x.mT
    identity = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    product: Tensor | None = None
    for step in range(steps):
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c) + a * identity
        product = factor if product is None else factor @ product
        if step + 1 < steps:
            gram = factor @ (factor @ gram)
    return x if product is None else product @ x


class Muon(torch.optim.Optimizer):
    """Momentum, then orthogonalised: W ← (1 − ηλ)W − η·0.2·√max(r, c)·orthogonalize(βm + (1 − β)g).

    m ← βm + (1 − β)g.  The factor gives an update of the size of an AdamW update (Liu et al. 2025,
    arXiv:2502.16982).  It is `torch.optim.Muon` with ``adjust_lr_fn="match_rms_adamw"``; what is added: a
    matrix that holds several maps (parts, heads) is taken apart first, and maps of one shape are
    orthogonalised together in batched products, rounded to ``dtype`` for them.

    >>> maps = Projection(8, (4, 4))
    >>> optimizer = Muon([Matrix(maps.weight, maps.maps)], lr=0.01, weight_decay=0.0, momentum=0.95)
    >>> sum(maps(torch.ones(1, 8))).sum().backward()
    >>> optimizer.step()
    """

    def __init__(
        self,
        matrices: Iterable[Matrix],
        lr: float,
        weight_decay: float,
        momentum: float,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        matrices, self.dtype = list(matrices), dtype
        self.maps = {id(matrix.weight): matrix.maps for matrix in matrices}
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum}
        super().__init__([matrix.weight for matrix in matrices], defaults)

    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """One update of every matrix that has a gradient; what the closure gives, if there is one."""
        loss = None if closure is None else closure()
        self._update()
        return loss

    @torch.no_grad()
    def _update(self) -> None:
        for group in self.param_groups:
            weights: list[Tensor] = [p for p in group["params"] if p.grad is not None]
            gradients: list[Tensor] = [p.grad for p in weights if p.grad is not None]
            for p in weights:
                if "momentum" not in self.state[p]:
                    self.state[p]["momentum"] = torch.zeros_like(p)
            momenta: list[Tensor] = [self.state[p]["momentum"] for p in weights]
            foreach.blend_(momenta, gradients, 1 - group["momentum"])
            updates = foreach.blend(gradients, momenta, group["momentum"])
            foreach.scale_(weights, 1 - group["lr"] * group["weight_decay"])
            self._apply(weights, updates, group["lr"])

    def _apply(self, weights: list[Tensor], updates: list[Tensor], lr: float) -> None:
        """Orthogonalise all maps of one shape side by side, and subtract them."""
        alike: dict[tuple[int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for weight, update in zip(weights, updates, strict=True):
            maps = self.maps[id(weight)]
            for w, u in zip(maps(weight), maps(update), strict=True):
                wide = w.shape[0] <= w.shape[1]
                w, u = (w, u) if wide else (w.T, u.T)
                alike[w.shape[0], w.shape[1]].append((w, u))
        for shape, pairs in alike.items():
            stacked = torch.empty(len(pairs), *shape, dtype=self.dtype, device=pairs[0][0].device)
            foreach.copy_(list(stacked.unbind()), [u for _, u in pairs])
            directions = orthogonalize(stacked).unbind()
            foreach.add_([w for w, _ in pairs], list(directions), -lr * 0.2 * math.sqrt(shape[1]))


class Optimizers:
    """The optimisers of one training, stepped together; ``weights`` maps names to fp32 parameters.

    Muon orthogonalises in the type that the model computes in.

    >>> model = nn.Sequential(Projection(8, (8,)))
    >>> optimizers = Optimizers(Optimizer(), model, dict(model.named_parameters()))
    >>> model(torch.ones(1, 8))[0].sum().backward()
    >>> optimizers.step(factor=0.5)
    >>> sorted(optimizers.state())[:2]
    ['optimizer.exp_avg.0.bias', 'optimizer.exp_avg_sq.0.bias']
    """

    def __init__(self, settings: Optimizer, model: nn.Module, weights: dict[str, Tensor]) -> None:
        self.settings = settings
        modules = cast("Iterable[tuple[str, nn.Module]]", model.named_modules())
        inside = {f"{name}.weight": m.maps for name, m in modules if isinstance(m, Projection)}
        within = [Matrix(w, inside[name]) for name, w in weights.items() if name in inside]
        rest = [w for name, w in weights.items() if name not in inside]
        betas = (settings.beta1, settings.beta2)
        lr_rest = settings.lr_rest or settings.lr
        first: torch.optim.Optimizer
        if settings.name == "muon":
            dtype = next(model.parameters()).dtype
            first = Muon(within, settings.lr, settings.weight_decay, settings.momentum_or_default, dtype)
        else:
            decayed = [matrix.weight for matrix in within]
            first = torch.optim.AdamW(
                decayed, settings.lr, betas, weight_decay=settings.weight_decay, fused=True
            )
        second = torch.optim.AdamW(rest, lr_rest, betas, weight_decay=0.0, fused=True)
        self.optimizers = [(first, settings.lr), (second, lr_rest)]
        self.names = {id(w): name for name, w in weights.items()}

    def step(self, factor: float) -> None:
        """One update at ``factor`` times the peak learning rates."""
        for optimizer, lr in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = lr * factor
            optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """Everything the optimisers remember, named ``optimizer.<quantity>.<weight>``."""
        return {
            f"optimizer.{quantity}.{self.names[id(weight)]}": torch.as_tensor(value)
            for optimizer, _ in self.optimizers
            for weight, values in optimizer.state.items()
            for quantity, value in values.items()
        }

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Remember again what `state` gave."""
        memories: dict[str, dict[str, Any]] = defaultdict(dict)
        for key, value in state.items():
            if key.startswith("optimizer."):
                _, quantity, name = key.split(".", 2)
                memories[name][quantity] = value.clone()
        for optimizer, _ in self.optimizers:
            for group in optimizer.param_groups:
                for weight in group["params"]:
                    if self.names[id(weight)] in memories:
                        optimizer.state[weight] = memories[self.names[id(weight)]]
