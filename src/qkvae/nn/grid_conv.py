"""Each patch's vector joined by those around it, before a block."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.nn.grid_positions import Count


class GridConv(nn.Module):
    """x_p + Σ_o w_o ⊙ x_{p+o}: a convolution of each channel by itself over the grid, added to the stream.

    o runs over a cube of ``size`` places along each axis around a patch; beyond the grid there is 0.  Leading
    tokens, which have no place in the grid, stay as they are.  Chu et al. 2021, arXiv:2102.10882, tell the
    places so, behind the first blocks; before every block it is also what lets the model learn from few
    pictures what a convolutional net knows at once, that neighbours belong together.

    Args:
        dim: channels.
        size: places along each axis, the patch's own in the middle; odd.
        axes: of the grid; 1 of a signal, 2 of a picture, 3 of a video.
        leading: tokens before the patches.

    >>> conv = GridConv(1, size=3, axes=2, leading=1)
    >>> _ = nn.init.constant_(conv.weight, 10.0)
    >>> conv(torch.tensor([7.0, 1.0, 2.0, 3.0, 4.0])[None, :, None], (2, 2))[0, :, 0].tolist()
    [7.0, 101.0, 102.0, 103.0, 104.0]
    """

    def __init__(self, dim: int, size: int, axes: int, leading: int) -> None:
        super().__init__()
        assert size % 2
        self.leading = leading
        self.convolve: Callable[..., Tensor] = (F.conv1d, F.conv2d, F.conv3d)[axes - 1]
        self.weight = nn.Parameter(torch.empty(dim, 1, *(size,) * axes))
        nn.init.normal_(self.weight, std=0.3 / math.sqrt(size**axes))

    def forward(self, x: Float[Tensor, "b n d"], count: Count) -> Float[Tensor, "b n d"]:
        """``count`` patches stand along each axis."""
        patches = x[:, self.leading :]
        grid = patches.transpose(1, 2).reshape(x.shape[0], x.shape[2], *count)
        around = self.convolve(grid, self.weight, padding="same", groups=len(self.weight))
        joined = patches + around.flatten(2).transpose(1, 2)
        return torch.cat([x[:, : self.leading], joined], 1) if self.leading else joined
