"""The pictures that a model of codes is proven on, and what must hold of its codes."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from qkvae.losses.codes import coded_terms
from qkvae.models import VQ
from qkvae.nn.likelihoods import Categorical, Logistic
from qkvae.prove.case import Case
from qkvae.prove.rows import difference

_DATA = 5


@dataclass(frozen=True)
class VQCase(Case):
    """A VQ-VAE; it tells a picture's numbers, its features, its codes and ln p(x | codes)."""

    model: VQ

    @property
    def examples(self) -> list[Float[Tensor, "1 *shape"]]:
        """Random pictures that the likelihood may have made: levels between 0 and 1."""
        kind = self.model.likelihood
        levels = kind.levels if isinstance(kind, Logistic | Categorical) else 2
        shape = (_DATA, *self.model.settings.shape)
        x = torch.randint(levels, shape, generator=self.generator()) / (levels - 1)
        return list(torch.split(x.to(self.device), 1))

    def alone(self, example: Float[Tensor, "1 *shape"]) -> list[Float[Tensor, "places numbers"]]:
        return self._read(example)

    def together(self, padding: int = 0) -> list[Float[Tensor, "places numbers"]]:
        return self._read(torch.cat(self.examples))

    def _read(self, x: Tensor) -> list[Tensor]:
        told, features, codes = self.model(x), self.model.features(x), self.model.coded(x).z
        log_p = self.model.likelihood.log_prob(x, told)[:, None]
        return [
            each[row].flatten(1) if each.ndim > 2 else each[row : row + 1]
            for row in range(len(x))
            for each in (told, features, codes, log_p)
        ]


@torch.no_grad()
def codes_not_nearest(case: VQCase) -> float:
    """How much further from its features a code is than the nearest one, at most."""
    model, x = case.model, torch.cat(case.examples)
    apart = torch.cdist(model.features(x).double(), model.codebook.codes.double())
    chosen = apart.gather(-1, model.ids(x)[..., None])[..., 0]
    return float((chosen - apart.amin(-1)).max())


@torch.no_grad()
def told_by_codes_alone(case: VQCase) -> float:
    """What is told of a picture, against what is told of the numbers of its codes."""
    x = torch.cat(case.examples)
    return difference(case.model.decode_ids(case.model.ids(x)), case.model(x))


def straight_through(case: VQCase) -> float:
    """The gradient of the loss by the features, against that by the codes and the pull towards them."""
    model, x = case.model, torch.cat(case.examples)
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
