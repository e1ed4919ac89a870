"""The variational autoencoder: a datum is told by a few numbers, which are drawn and told back."""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.nn.convnet import ConvolutionalDecoder, ConvolutionalEncoder
from qkvae.nn.dense import DenseDecoder, DenseEncoder
from qkvae.nn.gaussian import Gaussian
from qkvae.nn.latents import Level, Posterior, Prior, Standard, Vamp
from qkvae.nn.likelihoods import Bernoulli, Categorical, Likelihood, Logistic, Normal
from qkvae.nn.mixed import Mixed
from qkvae.nn.patch_net import PatchDecoderNet, PatchEncoder
from qkvae.nn.taps import Tap

_ROWS = 1024  # data told at a time when many are drawn
_FARTHEST = 30.0  # deviations from the mean beyond which the encoder sees no difference


class VAE(nn.Module):
    """z ~ p(z), x ~ p(x | z); q(z | x) stands for p(z | x).  Kingma and Welling 2014, arXiv:1312.6114.

    One encoder, one posterior, one prior, one decoder, one likelihood; each is a part that the settings name.

    Example:
        >>> model = VAE(config.VAE(shape=(1, 28, 28), latents=(20,), widths=(400,)))
        >>> x = torch.rand(3, 1, 28, 28)
        >>> model(x).shape, model.sample(2, torch.Generator().manual_seed(0)).shape
        (torch.Size([3, 1, 28, 28]), torch.Size([2, 1, 28, 28]))
    """

    def __init__(self, settings: config.VAE) -> None:
        super().__init__()
        if not settings.numbers or not settings.shape:
            raise ValueError(
                "shape is empty: it comes from the data and is filled in before a model is built"
            )
        self.settings = settings
        self.likelihood = make_likelihood(settings)
        self.encoder = make_encoder(settings)
        hidden = (settings.widths_or_default or (settings.latent,))[-1]
        read = self.encoder.features + settings.classes
        self.posterior = Posterior(read, settings.latents, hidden, settings.activation)
        self.prior = Prior(make_top(settings), settings.latents, hidden, settings.activation)
        self.decoder = make_decoder(settings, self.likelihood.outputs)
        self.told = Tap()

    def forward(
        self,
        x: Float[Tensor, "b *shape"],
        eps: Float[Tensor, "*draws_b latent"] | None = None,
        labels: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "..."]:
        """What is told of x after it went through z = μ + σε; through μ where no ε is given."""
        features = self.features(x, labels)
        eps = features.new_zeros(len(x), self.settings.latent).float() if eps is None else eps
        return self.decode(self.posterior.draw(features, eps)[0], labels)

    def features(
        self, x: Float[Tensor, "b *shape"], labels: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "b features"]:
        """What the posterior reads: of rows of a table, missing numbers as 0, their mean, and those far from
        it as less far, lest a strange row has no finite posterior.  `log_likelihood` is told the row."""
        if self.settings.likelihood == "mixed":
            x = x.nan_to_num().clamp(-_FARTHEST, _FARTHEST)
        return self._with_label(self.encoder(x), labels)

    def decode(
        self, z: Float[Tensor, "*draws_b latent"], labels: Int[Tensor, " b"] | None = None
    ) -> Float[Tensor, "..."]:
        """What is told of the datum that z stands for: of each number a logit, a mean, or levels' logits."""
        z = self._with_label(z, labels)
        z = z.to(next(self.decoder.parameters()).dtype)
        numbers = self.decoder(z.flatten(0, -2)).unflatten(0, z.shape[:-1])
        return self.told(self.likelihood.told(numbers, self.settings.shape))

    def log_likelihood(
        self,
        x: Float[Tensor, "b *shape"],
        z: Float[Tensor, "*draws_b latent"],
        labels: Int[Tensor, " b"] | None = None,
    ) -> Float[Tensor, "*draws_b"]:
        """ln p(x | z) of each datum, in nats."""
        return self.likelihood.log_prob(x, self.decode(z, labels))

    def phi(self) -> list[nn.Parameter]:
        """φ, what an E-step moves: the encoder and the posterior.

        >>> model = VAE(config.VAE(shape=(12,)))
        >>> len(model.phi()) + len(model.theta()) == len(list(model.parameters()))
        True
        """
        return [*self.encoder.parameters(), *self.posterior.parameters()]

    def theta(self) -> list[nn.Parameter]:
        """θ, what an M-step moves: the decoder, the likelihood and the prior."""
        return [p for part in (self.decoder, self.likelihood, self.prior) for p in part.parameters()]

    def read(self, x: Float[Tensor, "b *shape"]) -> Gaussian:
        """The posterior of the top level: what the VampPrior asks of its pseudo-inputs."""
        return cast("Level", self.posterior.levels[0])(self.features(x))

    @torch.no_grad()
    def sample(
        self,
        count: int,
        generator: torch.Generator | None = None,
        labels: Int[Tensor, " count"] | None = None,
    ) -> Float[Tensor, "count *shape"]:
        """E[x | z] for so many z from the prior; a datum itself is drawn by ``likelihood.draw``.

        Some are told at a time, so that what lies between stays in the processor's cache.
        """
        device = next(self.parameters()).device
        eps = torch.randn(count, self.settings.latent, generator=generator, device=device)
        z, x = (
            self.prior.draw(eps, self.read, generator),
            torch.empty(count, *self.settings.shape, device=device),
        )
        for begin in range(0, count, _ROWS):
            rows = slice(begin, begin + _ROWS)
            told = self.decode(z[rows], None if labels is None else labels[rows])
            self.likelihood.write_mean(told, x[rows])
        return x

    def _with_label(self, x: Float[Tensor, "*draws_b n"], labels: Int[Tensor, " b"] | None) -> Tensor:
        """The label's one-hot vector beside x, in a model that is told classes."""
        classes = self.settings.classes
        refuse_labels(classes, labels)
        if labels is None:
            return x
        return torch.cat([x, F.one_hot(labels, classes).to(x.dtype).expand(*x.shape[:-1], classes)], -1)


def refuse_labels(classes: int, labels: Tensor | None) -> None:
    """Refuse labels that a model does not expect, or that it lacks.

    Raises:
        ValueError: labels are told to a model that knows none, or none to one that does.
    """
    if (labels is None) is bool(classes):
        told = "no labels are told" if labels is None else "labels are told"
        raise ValueError(f"{told}, but this model was made with classes {classes}")


def make_likelihood(settings: config.VAE) -> Likelihood:
    """p(x | what is told), by name."""
    noise = settings.shape if settings.noise == "each" else ()
    match settings.likelihood:
        case None | "bernoulli":
            return Bernoulli()
        case "gaussian":
            return Normal(noise)
        case "logistic":
            return Logistic(noise, settings.levels_or_default)
        case "categorical":
            return Categorical(settings.levels_or_default)
        case "mixed":
            return Mixed(settings.numbers - sum(settings.categories), settings.categories)


def make_encoder(settings: config.VAE) -> DenseEncoder | ConvolutionalEncoder | PatchEncoder:
    """What reads a datum, by name."""
    widths, activation = settings.widths_or_default, settings.activation
    match settings.net:
        case "dense":
            return DenseEncoder(settings.numbers, widths, activation)
        case "convolutional":
            return ConvolutionalEncoder(settings.shape, widths, activation)
        case "transformer":
            return PatchEncoder(settings.shape, widths, activation)


def make_decoder(settings: config.VAE, outputs: int) -> DenseDecoder | ConvolutionalDecoder | PatchDecoderNet:
    """What tells a datum, by name; so many outputs for each of its numbers."""
    read = settings.latent + settings.classes
    widths, activation = settings.widths_or_default, settings.activation
    match settings.net:
        case "dense":
            return DenseDecoder(read, widths, activation, settings.numbers * outputs)
        case "convolutional":
            return ConvolutionalDecoder(read, settings.shape, widths, activation, outputs)
        case "transformer":
            return PatchDecoderNet(read, settings.shape, widths, activation, outputs)


def make_top(settings: config.VAE) -> Standard | Vamp:
    """The prior of the top level, by name."""
    if settings.prior == "standard":
        return Standard()
    return Vamp(settings.shape, settings.components_or_default)
