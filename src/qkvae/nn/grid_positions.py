"""The place of a patch in its grid, made known as that of a token is: added to it, or turned into attention.

Where a grid of another size comes, its positions are stretched over the extent that the model knows: a
learned table is interpolated, fixed waves are taken at the places between.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.nn.positions import Rotation, waves

Count = tuple[int, ...]
"""How many patches stand along each axis."""


def stretched(count: int, known: int) -> Float[Tensor, " count"]:
    """The places of ``count`` patches that stand where ``known`` stood, whose places are 0, 1, 2, …

    The edges of the two rows of patches lie upon each other: place p is at (p + ½)·known/count − ½.

    >>> stretched(2, 2), stretched(4, 2)
    (tensor([0., 1.]), tensor([-0.2500, 0.2500, 0.7500, 1.2500]))
    """
    return (torch.arange(count) + 0.5) * (known / count) - 0.5


def grid_waves(count: Count, known: Count, dim: int, base: float) -> Float[Tensor, "n dim"]:
    """`waves` of each axis side by side: the first dim/axes channels tell the place along the first axis.

    He et al. 2022, arXiv:2111.06377, use them for pictures; along one axis they are `sinusoids`.

    >>> grid_waves((1, 2), (1, 2), 4, 10000.0)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.0000, 1.0000, 0.8415, 0.5403]])
    """
    parts: list[Tensor] = []
    for axis, (channels, own, made) in enumerate(zip(_dealt(dim, len(count)), count, known, strict=True)):
        along = waves(stretched(own, made), channels, base)
        shape = [1] * len(count) + [channels]
        shape[axis] = own
        parts.append(along.view(shape).expand(*count, channels))
    return torch.cat(parts, -1).flatten(0, -2)


class GridSinusoidal(nn.Module):
    """The fixed table of `grid_waves`.

    >>> GridSinusoidal(8, 10000.0, (2, 3))((2, 3)).shape
    torch.Size([6, 8])
    """

    def __init__(self, dim: int, base: float, known: Count) -> None:
        super().__init__()
        self.dim, self.base, self.known = dim, base, known
        self.table: Tensor
        self.register_buffer("table", grid_waves(known, known, dim, base), persistent=False)

    def forward(self, count: Count) -> Float[Tensor, "n dim"]:
        if count == self.known:
            return self.table
        return grid_waves(count, self.known, self.dim, self.base).to(self.table)


class GridLearned(nn.Module):
    """A trained vector for each place of the grid; for another size it is interpolated.

    Pictures by cubic splines, as Dosovitskiy et al. 2021, section 3.2, resize theirs; signals and videos
    linearly.

    >>> GridLearned(8, (2, 3))((4, 6)).shape
    torch.Size([24, 8])
    """

    def __init__(self, dim: int, known: Count) -> None:
        super().__init__()
        self.known = known
        self.table = nn.Parameter(torch.empty(math.prod(known), dim))
        nn.init.normal_(self.table, std=0.02)

    def forward(self, count: Count) -> Float[Tensor, "n dim"]:
        return self.table if count == self.known else resized(self.table, self.known, count)


def resized(table: Float[Tensor, "known dim"], known: Count, count: Count) -> Float[Tensor, "n dim"]:
    """A table of vectors for one grid at the places of another: by cubic splines along two axes, linearly
    along one or three.

    >>> resized(torch.arange(3.0)[:, None], (3,), (6,)).flatten().tolist()
    [0.0, 0.25, 0.75, 1.25, 1.75, 2.0]
    """
    mode = ("linear", "bicubic", "trilinear")[len(count) - 1]
    grid = table.float().T.reshape(1, -1, *known)
    return F.interpolate(grid, size=count, mode=mode, align_corners=False)[0].flatten(1).T


class GridRotary(nn.Module):
    """`Rotary` over axes: of a head's pairs of channels, each axis turns its share by the place along it.

    The product of a query and a key then depends on how far apart they are along each axis, and on nothing
    else.  Heo et al. 2024, arXiv:2403.13298 (their axial form).  Leading tokens are not turned.

    >>> rotary, x = GridRotary(8, 100.0, (2, 3)), torch.ones(1, 1, 7, 8)
    >>> turned = rotary((2, 3), leading=1)(x)[0, 0]
    >>> right, below = turned[1] @ turned[2], turned[1] @ turned[4]
    >>> torch.allclose(right, turned[5] @ turned[6]), torch.allclose(below, turned[3] @ turned[6])
    (True, True)
    """

    def __init__(self, width: int, base: float, known: Count) -> None:
        super().__init__()
        self.width, self.base, self.known = width, base, known
        self.table: Tensor
        self.register_buffer("table", grid_waves(known, known, width, base), persistent=False)

    def forward(self, count: Count, leading: int = 0, kept: Int[Tensor, "b k"] | None = None) -> Rotation:
        """For leading tokens and then all patches, or those at the places ``kept`` of each row."""
        table = self.table
        if count != self.known:
            table = grid_waves(count, self.known, self.width, self.base).to(table)
        sine, cosine = table[:, 0::2], table[:, 1::2]
        sine, cosine = F.pad(sine, (0, 0, leading, 0)), F.pad(cosine, (0, 0, leading, 0), value=1.0)
        cosines, sines = torch.cat([cosine, cosine], -1), torch.cat([-sine, sine], -1)
        if kept is None:
            return Rotation(cosines, sines)
        own = torch.arange(leading, device=kept.device).expand(len(kept), -1)
        places = torch.cat([own, kept + leading], 1)
        return Rotation(cosines[places][:, None], sines[places][:, None])


def make_grid_absolute(block: config.Block, known: Count) -> GridSinusoidal | GridLearned | None:
    """What is added to the patches, if that is how places are told."""
    match block.positions:
        case "sinusoidal":
            return GridSinusoidal(block.dim, block.base_or_default, known)
        case "learned":
            return GridLearned(block.dim, known)
        case _:
            return None


def make_grid_rotary(block: config.Block, known: Count) -> GridRotary | None:
    """What turns queries and keys, if that is how places are told."""
    return GridRotary(block.width, block.base_or_default, known) if block.positions == "rotary" else None


def _dealt(channels: int, axes: int) -> list[int]:
    """Channels for each axis, in pairs as long as there are any; the first axes get what is left over.

    >>> _dealt(8, 2), _dealt(8, 3), _dealt(7, 2)
    ([4, 4], [4, 2, 2], [4, 3])
    """
    pairs = -(-channels // 2)
    dealt = [2 * (pairs // axes + (axis < pairs % axes)) for axis in range(axes)]
    dealt[-1] -= channels % 2
    return dealt
