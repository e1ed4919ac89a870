"""The VQ-VAE: a picture is told by a row of codes, which a language model can learn."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.models.vae import make_likelihood, refuse_labels
from qkvae.nn.codebook import Codebook, Coded
from qkvae.nn.convnet import ConvolutionalEncoder, Growing
from qkvae.nn.patch_net import PatchEncoder, PatchTeller
from qkvae.nn.projection import Projection
from qkvae.nn.taps import Tap


class VQ(nn.Module):
    """x → the nearest code at each place → p(x | codes).  van den Oord et al. 2017, arXiv:1711.00937.

    The posterior is certain of its codes, so that ln p(x) ≥ ln p(x | codes) + ln p(codes), whatever model of
    the codes the second term is told by.

    Example:
        >>> import torch
        >>> model = VQ(config.VQ(shape=(1, 28, 28), codes=16, widths=(8, 8)))
        >>> x = torch.rand(3, 1, 28, 28)
        >>> model(x).shape, model.ids(x).shape
        (torch.Size([3, 1, 28, 28]), torch.Size([3, 49]))
    """

    def __init__(self, settings: config.VQ) -> None:
        super().__init__()
        if not settings.shape:
            raise ValueError(
                "shape is empty: it comes from the data and is filled in before a model is built"
            )
        self.settings = settings
        self.likelihood = make_likelihood(settings.told)
        self.encoder = make_reader(settings)
        self.into = Projection(self.encoder.width, (settings.dim,))
        self.codebook = Codebook(settings.codes, settings.dim, settings.keep)
        self.out = Projection(settings.dim, (self.encoder.width,))
        self.decoder = make_teller(settings, self.likelihood.outputs)
        self.told = Tap()

    @property
    def grid(self) -> tuple[int, ...]:
        """How many codes stand along each axis."""
        return self.encoder.grid

    def forward(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "..."]:
        """What is told of x after it went through its codes."""
        return self.decode(self.coded(x).z)

    def features(self, x: Float[Tensor, "b *shape"]) -> Float[Tensor, "b n dim"]:
        """What is looked for in the book, at each place in the order in which a picture is read."""
        return self.into(self.encoder.places(x))[0]

    def coded(self, x: Float[Tensor, "b *shape"]) -> Coded:
        """The codes of x, through which gradients go straight."""
        return self.codebook(self.features(x))

    def ids(self, x: Float[Tensor, "b *shape"]) -> Int[Tensor, "b n"]:
        """Which codes those are."""
        return self.codebook.nearest(self.features(x))

    def decode(self, z: Float[Tensor, "b n dim"]) -> Float[Tensor, "..."]:
        """What is told of the pictures that these codes stand for: of each number a logit, a mean, …"""
        z = z.to(self.out.weight.dtype)
        return self.told(self.likelihood.told(self.decoder.told(self.out(z)[0]), self.settings.shape))

    def decode_ids(self, ids: Int[Tensor, "b n"]) -> Float[Tensor, "..."]:
        """The same of codes that are named."""
        return self.decode(self.codebook.codes[ids])

    def log_prior(
        self, ids: Int[Tensor, "b n"], labels: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b n"]:
        """ln p(code) = −ln codes at each place: as long as nobody knows better, all are as probable.

        Raises:
            ValueError: labels are told, of which the codes know nothing.
        """
        refuse_labels(0, labels)
        return torch.full(ids.shape, -math.log(self.settings.codes), device=ids.device)


def make_reader(settings: config.VQ) -> ConvolutionalEncoder | PatchEncoder:
    """What reads a picture, by name."""
    kind = ConvolutionalEncoder if settings.net == "convolutional" else PatchEncoder
    return kind(settings.shape, settings.told.widths_or_default, settings.activation)


def make_teller(settings: config.VQ, outputs: int) -> Growing | PatchTeller:
    """What tells a picture, by name; so many outputs for each of its numbers."""
    kind = Growing if settings.net == "convolutional" else PatchTeller
    return kind(settings.shape, settings.told.widths_or_default, settings.activation, outputs)
