"""Normal distributions whose numbers are independent of each other, and how to move them by what they draw.

Each is told by its mean μ and by ln σ², which may be any number.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

LOG_2_PI = math.log(2 * math.pi)


def reparameterize(
    mu: Float[Tensor, "*#shape"], logvar: Float[Tensor, "*#shape"], eps: Float[Tensor, "*#shape"]
) -> Float[Tensor, "*shape"]:
    """z = μ + σ·ε with σ = exp(½ ln σ²): a draw as a differentiable function of what it is drawn from.

    Kingma and Welling 2014, arXiv:1312.6114, section 2.4.  ε is drawn from N(0, 1) by whoever calls.

    >>> mu, logvar = torch.tensor([0.5, -1.0, 2.0]), torch.tensor([0.0, -2.0, 1.0])
    >>> z = reparameterize(mu, logvar, torch.tensor([0.1, -0.5, 1.2]))
    >>> [round(number, 4) for number in z.tolist()]
    [0.6, -1.1839, 3.9785]
    """
    return torch.addcmul(mu, torch.exp(0.5 * logvar), eps)


def log_standard(z: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """ln N(z; 0, 1) = −½ (ln 2π + z²) of each number, in nats.

    >>> log_standard(torch.zeros(1))
    tensor([-0.9189])
    """
    return -0.5 * (LOG_2_PI + z.square())


class Gaussian(NamedTuple):
    """N(μ, σ²) for each number by itself, [*, numbers].

    >>> q = Gaussian(torch.tensor([1.0, 0.0]), torch.zeros(2))
    >>> q.log_prob(torch.tensor([1.0, 0.0])), q.kl()
    (tensor([-0.9189, -0.9189]), tensor([0.5000, 0.0000]))
    """

    mu: Tensor
    """μ."""

    logvar: Tensor
    """ln σ²."""

    def draw(self, eps: Float[Tensor, "*draws"]) -> Float[Tensor, "*draws"]:
        """`reparameterize` with this ε, of any number of draws in front."""
        return reparameterize(self.mu, self.logvar, eps)

    def log_prob(self, z: Tensor) -> Tensor:
        """ln N(z; μ, σ²) = −½ (ln 2π + ln σ² + (z − μ)²/σ²) of each number, in nats."""
        return -0.5 * (LOG_2_PI + self.logvar + (z - self.mu).square() * torch.exp(-self.logvar))

    def kl(self, other: Gaussian | None = None) -> Tensor:
        """KL(this ‖ other) of each number, in nats; to N(0, 1) if no other is given.

        ½ (σ² + μ² − 1 − ln σ²), Kingma and Welling 2014, appendix B; between two
        ½ (ln σ₂² − ln σ₁² + (σ₁² + (μ₁ − μ₂)²)/σ₂² − 1).
        """
        if other is None:
            return 0.5 * (torch.exp(self.logvar) + self.mu.square() - 1 - self.logvar)
        ratio = self.logvar - other.logvar
        apart = (self.mu - other.mu).square() * torch.exp(-other.logvar)
        return 0.5 * (torch.exp(ratio) + apart - 1 - ratio)

    def detached(self) -> Gaussian:
        """The same, through which no gradient flows."""
        return Gaussian(self.mu.detach(), self.logvar.detach())


def pathwise(
    function: Callable[[Tensor], Tensor], q: Gaussian, eps: Float[Tensor, "*shape"]
) -> Float[Tensor, "..."]:
    """f(μ + σε): its gradient is a draw of ∇ E_q[f(z)], by way of where z falls.

    ``function`` takes z [*, numbers] to [*].  Kingma and Welling 2014, section 2.4.

    >>> mu = torch.tensor([3.0], requires_grad=True)
    >>> q = Gaussian(mu, torch.zeros(1))
    >>> value = pathwise(lambda z: z.square().sum(-1), q, torch.tensor([[0.5], [-0.5]]))
    >>> torch.autograd.grad(value.mean(), mu)  # E z² = μ² + σ², whose slope is 2 μ
    (tensor([6.]),)
    """
    return function(q.draw(eps))


def score_function(
    function: Callable[[Tensor], Tensor],
    q: Gaussian,
    eps: Float[Tensor, "*shape"],
    baseline: float = 0.0,
) -> Float[Tensor, "..."]:
    """(f(z) − b) · ln q(z), z held where it fell: its *gradient* is a draw of ∇ E_q[f(z)]; its value is none.

    ∇ E_q[f] = E_q[(f(z) − b) ∇ ln q(z)], Williams 1992 (REINFORCE, https://doi.org/10.1007/BF00992696).  It
    asks no derivative of f and varies far more than `pathwise`: by how much, a test measures.  A baseline
    b that does not depend on z changes the variance and not the mean.

    >>> mu = torch.tensor([3.0], requires_grad=True)
    >>> q = Gaussian(mu, torch.zeros(1))
    >>> value = score_function(lambda z: z.square().sum(-1), q, torch.tensor([[0.5], [-0.5]]))
    >>> torch.autograd.grad(value.mean(), mu)
    (tensor([1.5000]),)
    """
    z = q.draw(eps).detach()
    return (function(z).detach() - baseline) * q.log_prob(z).sum(-1)
