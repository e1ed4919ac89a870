"""What is drawn between encoder and decoder: posterior q(z | x) and prior p(z), of one level or several.

The latents of a hierarchy stand in one row, the top level first.  Each level is a normal distribution that
may depend on all levels above it, z₁ ~ q(z₁ | x), z₂ ~ q(z₂ | z₁, x), …, and likewise in the prior: top-down,
as in Tomczak and Welling 2018, arXiv:1705.07120, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.nn.dense import Dense
from qkvae.nn.gaussian import LOG_2_PI, Gaussian, log_standard
from qkvae.nn.precise import precise
from qkvae.nn.projection import Projection
from qkvae.nn.taps import Tap


class Level(nn.Module):
    """N(μ, σ²) of one level's latents: μ and ln σ² are linear maps of what is read.

    >>> mu, logvar = Level(8, 3)(torch.zeros(2, 8))
    >>> mu.shape, logvar.shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    """

    def __init__(
        self, features: int, latent: int, hidden: Sequence[int] = (), activation: str = "relu"
    ) -> None:
        super().__init__()
        self.hidden = Dense(features, hidden, activation)
        self.output = Projection(self.hidden.features, (latent, latent))
        self.mu, self.logvar = Tap(), Tap()

    def forward(self, features: Float[Tensor, "*batch features"]) -> Gaussian:
        mu, logvar = self.output(self.hidden(features).to(self.output.weight.dtype))
        return Gaussian(self.mu(mu.float()), self.logvar(logvar.float()))


class Posterior(nn.Module):
    """q(z | x) = Π q(zᵢ | z₁ … zᵢ₋₁, x), read from the encoder's features of x.

    >>> posterior = Posterior(8, (2, 3), 16, "relu")
    >>> z, q = posterior.draw(torch.zeros(4, 8), torch.randn(5, 4, 5))
    >>> z.shape, q.mu.shape
    (torch.Size([5, 4, 5]), torch.Size([5, 4, 5]))
    """

    def __init__(self, features: int, latents: Sequence[int], hidden: int, activation: str) -> None:
        super().__init__()
        self.latents = tuple(latents)
        self.levels = nn.ModuleList([Level(features, latents[0])])
        for number, latent in enumerate(latents[1:], 1):
            self.levels.append(Level(features + sum(latents[:number]), latent, (hidden,), activation))
        self.z = Tap()

    def draw(
        self, features: Float[Tensor, "b features"], eps: Float[Tensor, "*draws_b latent"]
    ) -> tuple[Float[Tensor, "*draws_b latent"], Gaussian]:
        """z, level by level from these ε, and the normal distribution each of its numbers was drawn from."""
        parts, drawn, found = eps.split_with_sizes(self.latents, -1), list[Tensor](), list[Gaussian]()
        for level, part in zip(self.levels, parts, strict=True):
            found.append(level(_beside(features, drawn)))
            drawn.append(found[-1].draw(part))
        z = drawn[0] if len(drawn) == 1 else torch.cat(drawn, -1)
        return self.z(z), joined(found, eps.shape[:-1])

    def forward(self, features: Float[Tensor, "b features"], z: Float[Tensor, "*draws_b latent"]) -> Gaussian:
        """The normal distributions along a z that is given: ln q(z | x) is the sum of what they give it."""
        parts = z.split_with_sizes(self.latents, -1)
        found = [level(_beside(features, parts[:number])) for number, level in enumerate(self.levels)]
        return joined(found, z.shape[:-1])


class Standard(nn.Module):
    """The top level's prior N(0, 1)."""

    def log_prob(self, z: Float[Tensor, "*batch latent"], read: object) -> Float[Tensor, "*batch"]:
        """ln p(z)."""
        return log_standard(z).sum(-1)

    def kl(self, q: Gaussian, z: Tensor, read: object) -> Tensor:
        """KL(q ‖ p) of each number, in closed form."""
        return q.kl()

    def draw(self, eps: Float[Tensor, "count latent"], read: object, generator: object) -> Tensor:
        """z, of the ε given."""
        return eps


Read = Callable[[Tensor], Gaussian]
"""What the encoder tells of data: the top level's posterior."""


class Vamp(nn.Module):
    """The top level's prior 1/K Σ q(z | uₖ): a mixture of what is read from K learned pseudo-inputs.

    Tomczak and Welling 2018, arXiv:1705.07120, equation 9.  The pseudo-inputs begin as noise, or, which is
    better, as data (`begin`).
    """

    def __init__(self, shape: tuple[int, ...], components: int) -> None:
        super().__init__()
        self.inputs = nn.Parameter(0.5 + 0.01 * torch.randn(components, *shape))

    @torch.no_grad()
    def begin(self, x: Float[Tensor, "components *shape"]) -> None:
        """Begin with these data as pseudo-inputs."""
        self.inputs.copy_(x)

    def log_prob(self, z: Float[Tensor, "*batch latent"], read: Read) -> Float[Tensor, "*batch"]:
        """ln p(z) = ln 1/K Σ q(z | uₖ).

        The squares are made by one product of matrices, Σ (z − μ)²/σ² = z²·σ⁻² − 2 z·(μ σ⁻²) + Σ μ²/σ², in
        double precision: where σ is small, large numbers are subtracted.
        """
        mu, logvar = (x.to(precise(x)) for x in read(self.inputs))
        z, precision = z.to(mu.dtype), torch.exp(-logvar)
        constant = -0.5 * (LOG_2_PI + logvar + mu.square() * precision).sum(1)
        slopes = torch.cat([-0.5 * precision, mu * precision], 1)
        log_p = torch.cat([z.square(), z], -1) @ slopes.T + constant
        return (log_p.logsumexp(-1) - math.log(len(mu))).float()

    def kl(self, q: Gaussian, z: Tensor, read: Read) -> Tensor:
        """ln q(z) − ln p(z) where z fell: KL(q ‖ p) has no closed form; one number for all latents."""
        return (q.log_prob(z).sum(-1) - self.log_prob(z, read))[..., None]

    def draw(
        self, eps: Float[Tensor, "count latent"], read: Read, generator: torch.Generator | None
    ) -> Tensor:
        """z, of a pseudo-input that is drawn."""
        mu, logvar = read(self.inputs)
        chosen = torch.randint(len(mu), (len(eps),), generator=generator, device=mu.device)
        return Gaussian(mu[chosen], logvar[chosen]).draw(eps)


class Prior(nn.Module):
    """p(z) = p(z₁) Π p(zᵢ | z₁ … zᵢ₋₁): the top level's prior, and normal laws read from the levels above.

    ``read`` is what the encoder tells of data; the VampPrior asks it.

    >>> prior = Prior(Standard(), (2, 3), 16, "relu")
    >>> prior.draw(torch.randn(4, 5), read=lambda x: Gaussian(x, x)).shape
    torch.Size([4, 5])
    """

    def __init__(self, top: Standard | Vamp, latents: Sequence[int], hidden: int, activation: str) -> None:
        super().__init__()
        self.latents, self.top = tuple(latents), top
        self.levels = nn.ModuleList(
            Level(sum(latents[:number]), latent, (hidden,), activation)
            for number, latent in enumerate(latents[1:], 1)
        )

    def log_prob(self, z: Float[Tensor, "*batch latent"], read: Read) -> Float[Tensor, "*batch"]:
        """ln p(z), in nats."""
        parts = z.split_with_sizes(self.latents, -1)
        total = self.top.log_prob(parts[0], read)
        for number, level in enumerate(self.levels, 1):
            total = total + level(torch.cat(parts[:number], -1)).log_prob(parts[number]).sum(-1)
        return total

    def kl(self, q: Gaussian, z: Float[Tensor, "*draws_b latent"], read: Read) -> Tensor:
        """KL(q ‖ p) of each latent, where it has a closed form given the levels above.

        Of a top level without one it is ln q(z) − ln p(z), one number for the level.
        """
        parts, mus, logvars = (x.split_with_sizes(self.latents, -1) for x in (z, *q))
        found = [self.top.kl(Gaussian(mus[0], logvars[0]), parts[0], read)]
        for number, level in enumerate(self.levels, 1):
            p = level(torch.cat(parts[:number], -1))
            found.append(Gaussian(mus[number], logvars[number]).kl(p))
        return found[0] if len(found) == 1 else torch.cat(found, -1)

    def draw(
        self, eps: Float[Tensor, "count latent"], read: Read, generator: torch.Generator | None = None
    ) -> Float[Tensor, "count latent"]:
        """z ~ p(z), of these ε; ``generator`` chooses among pseudo-inputs."""
        parts = eps.split_with_sizes(self.latents, -1)
        drawn = [self.top.draw(parts[0], read, generator)]
        for level, part in zip(self.levels, parts[1:], strict=True):
            drawn.append(level(torch.cat(drawn, -1)).draw(part))
        return torch.cat(drawn, -1)


def joined(levels: Sequence[Gaussian], batch: Sequence[int]) -> Gaussian:
    """The levels side by side; a single one as it is, even where all draws share it."""
    if len(levels) == 1:
        return levels[0]
    return Gaussian(
        *(torch.cat([x.expand(*batch, -1) for x in part], -1) for part in zip(*levels, strict=True))
    )


def _beside(features: Tensor, above: Sequence[Tensor]) -> Tensor:
    """Features, and the latents above: of every draw, if there are any."""
    if not above:
        return features
    return torch.cat([features.expand(*above[0].shape[:-1], -1), *above], -1)
