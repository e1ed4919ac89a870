"""The Transformer that reads grids: signals, pictures, videos, cut into patches that all see each other."""

from __future__ import annotations

from dataclasses import replace

from jaxtyping import Float
from torch import Tensor, nn

from qkvae import config
from qkvae.nn.blocks import Stack
from qkvae.nn.grid_conv import GridConv
from qkvae.nn.grid_input import GridInput, GridVector, LinearClasses
from qkvae.nn.stochastic_depth import leave_out


class Vision(nn.Module):
    """head(stack(embed(patches))).  Dosovitskiy et al. 2021, arXiv:2010.11929.

    Pictures of another size than the model was made for are read too, if they hold whole patches: the
    positions are stretched.

    Example:
        >>> import torch
        >>> block = config.Block(dim=8, heads=2, hidden=16, positions="learned")
        >>> patches = config.Patches(size=(6, 8), channels=3, patch=(2,))
        >>> head = config.LinearClasses(count=5)
        >>> model = Vision(config.Vision(block=block, depth=2, patches=patches, head=head))
        >>> model(torch.zeros(4, 3, 6, 8)).shape, model(torch.zeros(4, 3, 10, 10)).shape
        (torch.Size([4, 5]), torch.Size([4, 5]))
    """

    def __init__(self, settings: config.Vision) -> None:
        super().__init__()
        self.settings = settings
        self.input = GridInput(settings.block, settings.patches, settings.leading)
        block, axes = settings.block, len(settings.patches.size)
        self.convs = nn.ModuleList(
            GridConv(block.dim, settings.conv_size, axes, settings.leading)
            for _ in range(settings.depth if settings.conv_size else 0)
        )
        self.stack = make_stack(settings)
        self.head = (
            LinearClasses(settings.block, settings.head, settings.leading)
            if isinstance(settings.head, config.LinearClasses)
            else GridVector(settings.head.pooling, settings.leading)
        )

    def forward(self, grid: Float[Tensor, "b c *size"]) -> Float[Tensor, "b numbers"]:
        """What the head makes of the features; of those that it does not read, the last block makes none."""
        return self.head(self.features(grid, self.head.reads))

    def features(self, grid: Float[Tensor, "b c *size"], first: int | None = None) -> Float[Tensor, "b m d"]:
        """What the head reads: of the leading tokens first, then of every patch in its order.

        Args:
            first: of so many first ones only, which costs less.
        """
        count = self.input.count(grid)

        def joined(place: int, x: Tensor) -> Tensor:
            return self.convs[place](x, count)

        before = joined if len(self.convs) else None
        rotation = self.input.rotation(count)
        return self.stack(self.input(grid), rotation=rotation, asked=first, before=before)


def make_stack(settings: config.Vision | config.MaskedImage) -> Stack:
    """The blocks; the places of patches are told by the input and by a rotation, not by the blocks."""
    stack = Stack(replace(settings.block, positions="none", base=None), settings.depth, 0)
    leave_out(stack, settings.stochastic_depth)
    return stack
