"""Faults of models of codes, each planted by replacing one part."""

from __future__ import annotations

from typing import Any

import torch
from planted import Fault, plant
from torch import Tensor

from qkvae import config
from qkvae.losses import codes as losses
from qkvae.models.code_prior import CodePrior
from qkvae.models.vq import VQ
from qkvae.nn import codebook


def second(original: Any, self: Any, x: Tensor) -> Tensor:
    """The second nearest."""
    return torch.cdist(x.detach(), self.codes).topk(2, -1, largest=False).indices[..., 1]


def longest(original: Any, self: Any, x: Tensor) -> Tensor:
    """The largest product, as if all codes had one length."""
    return (x.detach() @ self.codes.T).argmax(-1)


def stopped(original: Any, self: Any, x: Tensor) -> Any:
    return codebook.Coded(self.codes[self.nearest(x)], self.nearest(x))


def features_through(original: Any, self: Any, x: Tensor) -> Tensor:
    return self.decode(self.features(x))


def never(original: Any, self: Any, x: Tensor, generator: Any) -> int:
    return 0


def not_moved_on(original: Any, self: Any, ids: Tensor, labels: Any = None) -> Tensor:
    """Each code is shown at its own place."""
    return self.prior.features(ids)


def one_place_late(original: Any, self: Any, ids: Tensor, labels: Any = None) -> Tensor:
    """The row begins with the first code twice."""
    return self.prior.features(torch.cat([ids[:, :1], ids[:, :-1]], 1))


def fault(name: str, planted: Any, caught_by: str) -> Fault:
    return Fault(name, planted, caught_by, family=config.VQ)


CODED_FAULTS = [
    fault("second nearest code", plant(codebook.Codebook, "nearest", second), "each code is the nearest"),
    fault(
        "nearest by the product, lengths forgotten",
        plant(codebook.Codebook, "nearest", longest),
        "each code is the nearest",
    ),
    fault(
        "gradient stopped at the codes",
        plant(codebook.Codebook, "forward", stopped),
        "gradients go straight through the codes",
    ),
    fault(
        "commitment without its factor 2",
        plant(losses, "commitment", lambda original, x, z: original(x, z) / 2),
        "gradients go straight through the codes",
    ),
    fault("codes passed by in training", plant(VQ, "forward", features_through), "told by the codes alone"),
    Fault(
        "a code sees itself",
        plant(CodePrior, "features", not_moved_on),
        "no look-ahead among codes",
        family=config.CodePrior,
    ),
    Fault(
        "a row of codes begins with its first code",
        plant(CodePrior, "features", one_place_late),
        "codes written = codes read",
        family=config.CodePrior,
    ),
    Fault(
        "codes follow sums, not means",
        plant(
            codebook.Codebook,
            "_move",
            lambda original, self, counts, sums: (original(self, counts, sums), self.codes.copy_(self.sums)),
        ),
        "codes move by the moving average",
    ),
    Fault(
        "what the codes stood for is forgotten at once",
        plant(
            codebook.Codebook,
            "_move",
            lambda original, self, counts, sums: (
                setattr(self, "keep", 0.0),
                original(self, counts, sums),
                setattr(self, "keep", 0.9),
            ),
        ),
        "codes move by the moving average",
    ),
    Fault("dead codes stay dead", plant(codebook.Codebook, "restart", never), "dead codes come back"),
]
