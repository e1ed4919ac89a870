"""The pictures that models of codes are proven on, and what must hold of their codes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.losses.codes import coded_terms
from qkvae.models import VQ, CodePrior
from qkvae.nn.likelihoods import Categorical, Logistic
from qkvae.prove.case import Case
from qkvae.prove.rows import difference

_DATA = 5


@dataclass(frozen=True)
class VQCase(Case):
    """A VQ-VAE; it tells a picture's numbers, its features, its codes and ln p(x | codes)."""

    model: VQ | CodePrior

    @property
    def vq(self) -> VQ:
        """What reads and tells pictures."""
        return self.model if isinstance(self.model, VQ) else self.model.vq

    @property
    def examples(self) -> list[Float[Tensor, "1 *shape"]]:
        """Random pictures that the likelihood may have made: levels between 0 and 1."""
        kind = self.vq.likelihood
        levels = kind.levels if isinstance(kind, Logistic | Categorical) else 2
        shape = (_DATA, *self.vq.settings.shape)
        x = torch.randint(levels, shape, generator=self.generator()) / (levels - 1)
        return list(torch.split(x.to(self.device), 1))

    def alone(self, example: Float[Tensor, "1 *shape"]) -> list[Float[Tensor, "places numbers"]]:
        return self._read(example)

    def together(self, padding: int = 0) -> list[Float[Tensor, "places numbers"]]:
        return self._read(torch.cat(self.examples))

    def _read(self, x: Tensor) -> list[Tensor]:
        found = self._found(x)
        return [
            each[row].flatten(1) if each.ndim > 2 else each[row : row + 1]
            for row in range(len(x))
            for each in found
        ]

    def _found(self, x: Tensor) -> list[Tensor]:
        """What the model says of these pictures."""
        told = self.vq(x)
        log_p = self.vq.likelihood.log_prob(x, told)[:, None]
        return [told, self.vq.features(x), self.vq.coded(x).z, log_p]


@dataclass(frozen=True)
class CodePriorCase(VQCase):
    """A VQ-VAE with a Transformer; it tells ln p of each of a picture's codes, too."""

    model: CodePrior

    def labels(self, count: int) -> Int[Tensor, " b"] | None:
        """The last of the classes for every picture, where the model is told some."""
        classes = self.model.settings.classes
        return torch.full((count,), classes - 1, device=self.device) if classes else None

    @property
    def ids(self) -> Int[Tensor, "b n"]:
        """Random rows of codes."""
        shape = (_DATA, math.prod(self.vq.grid))
        return torch.randint(self.vq.settings.codes, shape, generator=self.generator()).to(self.device)

    def _found(self, x: Tensor) -> list[Tensor]:
        return [*super()._found(x), self.model.log_prior(self.vq.ids(x), self.labels(len(x)))]


@torch.no_grad()
def codes_seen_ahead(case: CodePriorCase) -> float:
    """How much what is told of a code changes with itself and those behind it, at most."""
    ids, labels = case.ids, case.labels(_DATA)
    told, changes = case.model(ids, labels), list[Tensor]()
    for place in range(ids.shape[1]):
        other = ids.clone()
        other[:, place:] = (other[:, place:] + 1) % case.vq.settings.codes
        changes.append((case.model(other, labels) - told)[:, : place + 1].abs().max())
    return float(torch.stack(changes).max())


@torch.no_grad()
def codes_written_otherwise(case: CodePriorCase) -> float:
    """What is told of each code while a row is written, against what is told of the row at once."""
    model, ids, labels = case.model, case.ids, case.labels(_DATA)
    cache = model.prior.start(ids[:, :0], capacity=ids.shape[1])
    shown = torch.cat([model.first(_DATA, labels).to(ids.device)[:, None], ids[:, :-1]], 1)
    told = [model.predict(model.prior.read(token, cache)) for token in shown.T]
    return difference(torch.stack(told, 1), model(ids, labels))


@torch.no_grad()
def codes_not_nearest(case: VQCase) -> float:
    """How much further from its features a code is than the nearest one, at most."""
    model, x = case.vq, torch.cat(case.examples)
    apart = torch.cdist(model.features(x).cpu().double(), model.codebook.codes.cpu().double())
    chosen = apart.gather(-1, model.ids(x).cpu()[..., None])[..., 0]
    return float((chosen - apart.amin(-1)).max())


@torch.no_grad()
def told_by_codes_alone(case: VQCase) -> float:
    """What is told of a picture, against what is told of the numbers of its codes."""
    x = torch.cat(case.examples)
    return difference(case.vq.decode_ids(case.vq.ids(x)), case.vq(x))


def straight_through(case: VQCase) -> float:
    """The gradient of the loss by the features, against that by the codes and the pull towards them."""
    model, x = case.vq, torch.cat(case.examples)
    weight = model.settings.commitment
    features = model.features(x).detach().requires_grad_()
    found = coded_terms(_Held(model, features), x)
    (slope,) = torch.autograd.grad(found.negative(weight), features)
    z = model.codebook.codes[model.ids(x)].requires_grad_()
    (by_codes,) = torch.autograd.grad(-model.likelihood.log_prob(x, model.decode(z)).sum(), z)
    expected = by_codes + 2 * weight * (features - z).detach()
    return difference(slope, expected)


class _Held:
    """The model with features that are given."""

    def __init__(self, model: VQ, features: Tensor) -> None:
        self.likelihood, self.codebook, self._model = model.likelihood, model.codebook, model
        self._features = features

    def features(self, x: Tensor) -> Tensor:
        return self._features

    def decode(self, z: Tensor) -> Tensor:
        return self._model.decode(z)
