"""New data, and ways through the latents: what is shown of a run, as numbers; of texts, as token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from qkvae.models import VAE, TextVAE
from qkvae.tasks.vae.measure import kl_per_dimension, posterior_means
from qkvae.tasks.vae.text_form import PADDING, padded

REACH = 3.0
"""How far a latent is moved: hardly any lies farther from 0 under N(0, 1)."""


@torch.no_grad()
def expected(
    model: VAE | TextVAE, z: Float[Tensor, "b latent"], labels: Int[Tensor, " b"] | None
) -> Shaped[Tensor, "b *shape"]:
    """E[x | z]; of a text its most probable tokens, one after the other."""
    if isinstance(model, TextVAE):
        return padded(model.write(z, model.settings.max_length))
    return model.likelihood.mean(model.decode(z, labels))


@torch.no_grad()
def drawn(
    model: VAE | TextVAE,
    z: Float[Tensor, "b latent"],
    labels: Int[Tensor, " b"] | None,
    generator: torch.Generator,
) -> Shaped[Tensor, "b *shape"]:
    """Data from p(x | z)."""
    if isinstance(model, TextVAE):
        return padded(model.write(z, model.settings.max_length, generator))
    return model.likelihood.draw(model.decode(z, labels), generator)


def together(parts: Sequence[Shaped[Tensor, "_ *shape"]]) -> Shaped[Tensor, "count *shape"]:
    """Some data behind others; rows of ids get the width of the widest."""
    if parts[0].is_floating_point():
        return torch.cat(list(parts))
    width = max(part.shape[1] for part in parts)
    return torch.cat([F.pad(part, (0, width - part.shape[1]), value=PADDING) for part in parts])


@torch.no_grad()
def reconstructed(
    model: VAE | TextVAE, x: Shaped[Tensor, "b *shape"], labels: Int[Tensor, " b"] | None
) -> Shaped[Tensor, "b *there"]:
    """What is expected at the mean of the posterior of each datum."""
    return expected(model, posterior_means(model, x, labels), labels)


@torch.no_grad()
def interpolated(
    model: VAE | TextVAE, x: Shaped[Tensor, "b *shape"], labels: Int[Tensor, " b"] | None, steps: int
) -> Shaped[Tensor, "pairs steps *there"]:
    """What is expected on the straight way from each datum's latents to those of the next, with both ends.

    The label, where there is one, is that of the nearer end.
    """
    z = posterior_means(model, x, labels)
    share = torch.linspace(0, 1, steps)
    ways = z[:-1, None] + share[:, None] * (z[1:, None] - z[:-1, None])
    told = None
    if labels is not None:
        told = torch.where(share < 0.5, labels[:-1, None], labels[1:, None]).flatten()
    found = expected(model, ways.flatten(0, 1), told)
    return found.view(len(ways), steps, *found.shape[1:])


@torch.no_grad()
def traversed(
    model: VAE | TextVAE,
    x: Shaped[Tensor, "1 *shape"],
    label: Int[Tensor, " 1"] | None,
    which: list[int],
    steps: int,
) -> Shaped[Tensor, "latents steps *there"]:
    """What is expected where one latent of a datum after the other is moved from -3 to 3."""
    z = posterior_means(model, x, label).expand(len(which), steps, -1).clone()
    for row, latent in enumerate(which):
        z[row, :, latent] = torch.linspace(-REACH, REACH, steps)
    told = None if label is None else label.expand(len(which) * steps)
    found = expected(model, z.flatten(0, 1), told)
    return found.view(len(which), steps, *found.shape[1:])


@torch.no_grad()
def telling(
    model: VAE | TextVAE, x: Shaped[Tensor, "b *shape"], labels: Int[Tensor, " b"] | None, most: int
) -> list[int]:
    """The latents that tell most of such data, by KL, at most so many; under a VampPrior, by the variance of
    their means, or of a single datum by how far they lie from 0."""
    told = kl_per_dimension(model, x, labels)
    if len(told) < model.settings.latent:
        means = posterior_means(model, x, labels)
        told = means.var(0) if len(means) > 1 else means[0].abs()
    return cast("list[int]", told.argsort(descending=True)[:most].tolist())


@torch.no_grad()
def plane(z: Float[Tensor, "count latent"]) -> Float[Tensor, "count 2"]:
    """The two directions in which latents vary most (principal components)."""
    centred = z - z.mean(0)
    directions = cast("Tensor", torch.linalg.svd(centred, full_matrices=False)[2])
    found = centred @ directions[:2].T
    return found if found.shape[1] == 2 else torch.cat([found, torch.zeros(len(z), 1)], 1)
