"""Both halves together: a decoder-only Transformer that knows which codes of a VQ-VAE are probable."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.models.decoder import Decoder
from qkvae.models.vae import refuse_labels
from qkvae.models.vq import VQ
from qkvae.nn.likelihoods import Likelihood


class CodePrior(nn.Module):
    """p(codes) = Π p(codeᵢ | code₁ … codeᵢ₋₁, label), the prior of a VQ-VAE, which is held as it is.

    A picture is a text of as many tokens as it has places, in the order in which it is read; new pictures are
    told of codes that are written.  van den Oord et al. 2017, arXiv:1711.00937, section 3.2.

    Example:
        >>> block = config.Block(dim=8, heads=2, hidden=16, positions="learned")
        >>> settings = config.CodePrior(vq=config.VQ(shape=(1, 8, 8), codes=6, widths=(4, 4)), block=block)
        >>> model = CodePrior(settings)
        >>> ids = model.vq.ids(torch.rand(3, 1, 8, 8))
        >>> model(ids).shape, model.log_prior(ids).shape
        (torch.Size([3, 4, 6]), torch.Size([3, 4]))
    """

    def __init__(self, settings: config.CodePrior) -> None:
        super().__init__()
        self.settings = settings
        self.vq = VQ(settings.vq).requires_grad_(False)
        self.prior = Decoder(settings.decoder(math.prod(self.vq.grid)))

    @property
    def likelihood(self) -> Likelihood:
        """p(x | what is told)."""
        return self.vq.likelihood

    @property
    def held(self) -> VQ:
        """What is no more trained, and computes in fp32 as it was judged."""
        return self.vq

    def train(self, mode: bool = True) -> CodePrior:
        """As of any module; the VQ-VAE learns nothing any more."""
        super().train(mode)
        self.vq.eval()
        return self

    def forward(
        self, ids: Int[Tensor, "b n"], labels: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b n codes"]:
        """Logits of each code, given those before it."""
        return self.predict(self.features(ids, labels))

    def features(
        self, ids: Int[Tensor, "b n"], labels: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b n d"]:
        """What the head reads: at each place, of what a row begins with and the codes before."""
        first = self.first(len(ids), labels).to(ids.device)
        return self.prior.features(torch.cat([first[:, None], ids[:, :-1]], 1))

    def predict(self, features: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch codes"]:
        """The head, of codes only: what a row begins with stands nowhere else."""
        return self.prior.logits(self.prior.head(features))[..., : self.settings.vq.codes]

    def first(self, count: int, labels: Int[Tensor, " b"] | None = None) -> Int[Tensor, " b"]:
        """The tokens with which so many rows begin.

        Raises:
            ValueError: labels are told to a model that knows none, or none to one that does.
        """
        refuse_labels(self.settings.classes, labels)
        codes = self.settings.vq.codes
        return torch.full((count,), codes) if labels is None else codes + labels

    def log_prior(
        self, ids: Int[Tensor, "b n"], labels: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b n"]:
        """ln p(code | those before it) at each place, in nats."""
        log_p = self(ids, labels).float().log_softmax(-1)
        return log_p.gather(-1, ids[..., None])[..., 0]
