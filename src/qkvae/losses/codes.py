"""What a model of codes is trained by, and the bound of ln p(x) that it gives with a prior of codes.

    −ln p(x) ≤ −ln p(x | codes(x)) − ln p(codes(x)):

the ELBO where the posterior is certain, van den Oord et al. 2017, arXiv:1711.00937, section 3.1 and 3.2.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from qkvae.nn.codebook import Codebook, commitment
from qkvae.nn.likelihoods import Likelihood


@runtime_checkable
class Coding(Protocol):
    """What is asked of a model."""

    likelihood: Likelihood
    codebook: Codebook

    def features(self, x: Tensor) -> Tensor:
        """What is looked for in the book."""
        ...

    def decode(self, z: Tensor) -> Tensor:
        """What the likelihood reads."""
        ...


class CodedTerms(NamedTuple):
    """What is told of each datum through its codes."""

    log_likelihood: Tensor
    """ln p(x | codes), [b]."""

    commitment: Tensor
    """Σ ‖features − codes‖² over all data, which pulls the features only."""

    ids: Tensor
    """The codes, [b, n]."""

    def negative(self, weight: float) -> Float[Tensor, ""]:
        """−Σ ln p(x | codes) + β Σ ‖features − sg(codes)‖²: equation 3, the codes following by themselves."""
        return weight * self.commitment - self.log_likelihood.sum()


def coded_terms(model: Coding, x: Float[Tensor, "b *shape"]) -> CodedTerms:
    """The features' codes, and what they tell.

    >>> import torch
    >>> from qkvae.config import VQ as Settings
    >>> from qkvae.models import VQ
    >>> model = VQ(Settings(shape=(1, 8, 8), codes=4, widths=(8, 8)))
    >>> found = coded_terms(model, torch.zeros(2, 1, 8, 8))
    >>> found.log_likelihood.shape, found.commitment.shape, found.ids.shape
    (torch.Size([2]), torch.Size([]), torch.Size([2, 4]))
    """
    features = model.features(x)
    coded = model.codebook(features)
    log_likelihood = model.likelihood.log_prob(x, model.decode(coded.z))
    return CodedTerms(log_likelihood, commitment(features, coded.z), coded.ids)
