"""What a variational autoencoder's latents are used for: which are active, and how much they tell."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from qkvae.nn.gaussian import Gaussian
from qkvae.nn.precise import precise

ACTIVE = 0.01
"""A latent is active if its mean varies by more than this: Burda et al. 2016, arXiv:1509.00519."""

_CHUNK = 64  # data compared with all posteriors at a time


def active_units(mu: Float[Tensor, "data latent"]) -> Bool[Tensor, " latent"]:
    """Which latents tell data apart: Var_x(E_q[z]) > 0.01; none where there is but one datum.

    Burda et al. 2016, arXiv:1509.00519, section 5.2.

    >>> active_units(torch.tensor([[1.0, 0.1], [-1.0, 0.2]])).tolist()
    [True, False]
    """
    return mu.var(0, correction=0) > ACTIVE


def code_perplexity(counts: Int[Tensor, " codes"]) -> Float[Tensor, ""]:
    """exp(−Σ pₖ ln pₖ), pₖ the share of code k: how many codes, used evenly, would be as many as these.

    >>> code_perplexity(torch.tensor([5, 5, 5, 5])), code_perplexity(torch.tensor([7, 0]))
    (tensor(4.), tensor(1.))
    """
    share = counts.to(precise(counts)) / counts.sum()
    return torch.exp(-torch.xlogy(share, share).sum()).float()


def mutual_information(q: Gaussian, z: Float[Tensor, "draws data latent"]) -> Float[Tensor, ""]:
    """I(x; z) = E_x E_q(z|x)[ln q(z | x) − ln q(z)] in nats, q(z) the mean of the posteriors of all data.

    Hoffman and Johnson 2016, http://approximateinference.org/accepted/HoffmanJohnson2016.pdf: the rate is
    this and KL(q(z) ‖ p(z)).  It is at most ln N of N data, which is why many are needed.

    >>> q = Gaussian(torch.tensor([[-50.0], [50.0]]), torch.zeros(2, 1))
    >>> mutual_information(q, q.draw(torch.zeros(1, 2, 1))).exp()  # one bit: which of the two
    tensor(2.)
    """
    own = q.log_prob(z).sum(-1)
    total = 0.0
    for begin in range(0, z.shape[1], _CHUNK):
        part = z[:, begin : begin + _CHUNK, None]
        log_q = q.log_prob(part).sum(-1).logsumexp(-1) - math.log(len(q.mu))
        total += float((own[:, begin : begin + _CHUNK] - log_q).sum(dtype=precise(own)))
    return own.new_tensor(total / own.numel())


class Rates:
    """KL per latent, rate and distortion of many data, added up batch by batch.

    The rate is the mean KL, the distortion the mean of −ln p(x | z), both in nats; their sum is −ELBO: Alemi
    et al. 2018, arXiv:1711.00464.

    >>> rates = Rates()
    >>> rates.add(torch.tensor([-80.0, -90.0]), torch.tensor([[3.0, 0.0], [2.0, 0.0]]))
    >>> rates.kl.tolist(), rates.rate, rates.distortion, rates.elbo
    ([2.5, 0.0], 2.5, 85.0, -87.5)
    """

    def __init__(self) -> None:
        self.count, self._distortion = 0, 0.0
        self._kl: Tensor | None = None

    def add(self, log_likelihood: Float[Tensor, " b"], kl: Float[Tensor, "b latent"]) -> None:
        """Add the terms of some data."""
        self.count += len(kl)
        self._distortion -= float(log_likelihood.sum(dtype=precise(log_likelihood)))
        more = kl.detach().cpu().sum(0, dtype=torch.float64)
        self._kl = more if self._kl is None else self._kl + more

    @property
    def kl(self) -> Float[Tensor, " latent"]:
        """The mean KL of each latent."""
        assert self._kl is not None, "no data were added"
        return self._kl / self.count

    @property
    def rate(self) -> float:
        """The mean KL of a datum."""
        return float(self.kl.sum())

    @property
    def distortion(self) -> float:
        """The mean −ln p(x | z) of a datum."""
        return self._distortion / self.count

    @property
    def elbo(self) -> float:
        """The mean bound of ln p(x)."""
        return -self.distortion - self.rate
