"""Convolutional nets that halve a picture of any size step by step, and double it back."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from qkvae.nn.feedforward import ACTIVATIONS
from qkvae.nn.projection import Projection


class Residual(nn.Module):
    """x + conv(act(conv(act(x)))), whose last convolution is zero at first: He et al. 2016, arXiv:1603.05027.

    Nothing is normalised over the batch, so that a picture is the same alone and among others.

    >>> import torch
    >>> x = torch.randn(2, 3, 5, 7)
    >>> torch.equal(Residual(3, "relu")(x), x)
    True
    """

    def __init__(self, channels: int, activation: str) -> None:
        super().__init__()
        self.activation, _ = ACTIVATIONS[activation]
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        for zero in self.second.parameters():
            nn.init.zeros_(zero)

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return x + self.second(self.activation(self.first(self.activation(x))))


class ConvolutionalEncoder(nn.Module):
    """Each step halves the sides (upwards) by a convolution of stride 2 and mends by a `Residual`.

    The features are all that is left of the picture in one row.

    >>> import torch
    >>> net = ConvolutionalEncoder((3, 28, 21), (8, 16), "relu")
    >>> net(torch.zeros(2, 3, 28, 21)).shape == (2, net.features), net.features == 16 * 7 * 6
    (True, True)
    """

    def __init__(self, shape: tuple[int, ...], widths: Sequence[int], activation: str) -> None:
        super().__init__()
        self.activation, _ = ACTIVATIONS[activation]
        channels, height, width = shape
        self.steps = nn.ModuleList(
            nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), Residual(after, activation))
            for before, after in itertools.pairwise((channels, *widths))
        )
        height, width = sizes(height, width, len(widths))[-1]
        self.width, self.grid = widths[-1], (height, width)
        self.features = self.width * height * width

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b features"]:
        return self._shrunk(x).flatten(1)

    def places(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b n width"]:
        """The same, place by place, in the order in which a picture is read."""
        return self._shrunk(x).flatten(2).mT

    def _shrunk(self, x: Tensor) -> Float[Tensor, "b width h w"]:
        x = x.to(next(self.parameters()).dtype)
        for step in self.steps:
            x = step(x)
        return self.activation(x)


class Growing(nn.Module):
    """The way back: from the smallest picture by steps that double the sides.

    A transposed convolution of kernel 4 and stride 2 treats every place alike (Odena et al. 2016,
    https://distill.pub/2016/deconv-checkerboard); where the larger side was odd, its last line is left off.

    >>> import torch
    >>> net = Growing((3, 28, 21), (8, 16), "relu", outputs=2)
    >>> net.told(torch.zeros(5, 7 * 6, 16)).shape == (5, 2 * 3 * 28 * 21)
    True
    """

    def __init__(self, shape: tuple[int, ...], widths: Sequence[int], activation: str, outputs: int) -> None:
        super().__init__()
        self.activation, _ = ACTIVATIONS[activation]
        channels, height, width = shape
        *self.sizes, (height, width) = sizes(height, width, len(widths))
        self.smallest = (widths[-1], height, width)
        self.steps = nn.ModuleList(
            nn.Sequential(Residual(before, activation), nn.ConvTranspose2d(before, after, 4, 2, 1))
            for before, after in itertools.pairwise((*widths[::-1], widths[0]))
        )
        self.outputs = outputs
        self.output = nn.Conv2d(widths[0], channels * outputs, 3, padding=1)

    def told(self, places: Float[Tensor, "b n width"]) -> Float[Tensor, "b numbers"]:
        """From what stands at each place of the smallest picture."""
        smallest = cast("Tensor", places.mT.unflatten(-1, self.smallest[1:]))
        return self._grown(smallest)

    def _grown(self, x: Float[Tensor, "b width h w"]) -> Float[Tensor, "b numbers"]:
        for step, (height, width) in zip(self.steps, reversed(self.sizes), strict=True):
            x = step(x)[..., :height, :width]
        x = self.output(self.activation(x))
        apart = cast("Tensor", x.unflatten(1, (-1, self.outputs)))
        return apart.movedim(2, -1).flatten(1)


class ConvolutionalDecoder(Growing):
    """`Growing` from a linear map of the latents.

    >>> import torch
    >>> net = ConvolutionalDecoder(20, (3, 28, 21), (8, 16), "relu", outputs=2)
    >>> net(torch.zeros(5, 20)).shape == (5, 2 * 3 * 28 * 21)
    True
    """

    def __init__(
        self, latent: int, shape: tuple[int, ...], widths: Sequence[int], activation: str, outputs: int
    ) -> None:
        super().__init__(shape, widths, activation, outputs)
        self.start = Projection(latent, (math.prod(self.smallest),))

    def forward(self, z: Float[Tensor, "b latent"]) -> Float[Tensor, "b numbers"]:
        smallest = cast("Tensor", self.start(z)[0].unflatten(-1, self.smallest))
        return self._grown(smallest)


def sizes(height: int, width: int, steps: int) -> list[tuple[int, int]]:
    """The sides before and after each halving.

    >>> sizes(28, 21, 2)
    [(28, 21), (14, 11), (7, 6)]
    """
    found = [(height, width)]
    for _ in range(steps):
        height, width = (height + 1) // 2, (width + 1) // 2
        found.append((height, width))
    return found
