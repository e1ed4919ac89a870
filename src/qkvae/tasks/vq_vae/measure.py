"""What a model of codes tells of pictures in memory: both terms of the bound, and which codes are used.

    −ln p(x) ≤ −ln p(x | codes(x)) − ln p(codes(x)):

the ELBO where the posterior is certain of its codes, so that KL(q ‖ p) is −ln p(codes).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.losses.codes import coded_terms
from qkvae.metrics.latents import code_perplexity
from qkvae.models import VQ, CodePrior
from qkvae.tasks.vae.measure import pieces

_ROWS = 250


@dataclass(frozen=True, eq=False)
class Told:
    """What is told of each picture, and by which codes."""

    log_likelihood: Float[Tensor, " count"]
    """ln p(x | codes), in nats."""

    log_prior: Float[Tensor, "count places"]
    """ln p(code | those before it), in nats."""

    counts: Int[Tensor, " codes"]
    """How often each code was chosen."""

    @property
    def nll(self) -> Float[Tensor, " count"]:
        """The upper bound of −ln p(x)."""
        return -self.log_likelihood - self.log_prior.sum(1)

    @property
    def figures(self) -> dict[str, float]:
        """The bound and both terms, in nats a picture, and how many codes are used and how evenly."""
        distortion = -float(self.log_likelihood.mean(dtype=torch.float64))
        kl = -float(self.log_prior.sum(1).mean(dtype=torch.float64))
        return {
            "elbo": -distortion - kl,
            "distortion": distortion,
            "kl": kl,
            "code_perplexity": float(code_perplexity(self.counts)),
            "codes_used": int((self.counts > 0).sum()),
        }


def vq_of(model: VQ | CodePrior) -> VQ:
    """What makes pictures codes and codes pictures."""
    return model if isinstance(model, VQ) else model.vq


@torch.no_grad()
def told_of(
    model: VQ | CodePrior,
    x: Float[Tensor, "count *shape"],
    labels: Int[Tensor, " count"] | None,
    rows: int = _ROWS,
) -> Told:
    """What the model tells of these pictures, so many side by side."""
    vq, likelihoods, priors = vq_of(model), list[Tensor](), list[Tensor]()
    counts = torch.zeros(vq.settings.codes, dtype=torch.long)
    for some, told in pieces(model, x, labels, rows):
        found = coded_terms(vq, some)
        likelihoods.append(found.log_likelihood.cpu())
        priors.append(model.log_prior(found.ids, told).cpu())
        counts += found.ids.flatten().bincount(minlength=len(counts)).cpu()
    return Told(torch.cat(likelihoods), torch.cat(priors), counts)
