"""The light decoder of a masked autoencoder: from the patches that were seen to the numbers of all."""

from __future__ import annotations

from dataclasses import replace

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.nn.blocks import Stack
from qkvae.nn.grid_positions import Count, make_grid_absolute, make_grid_rotary
from qkvae.nn.taps import Tap


class PatchDecoder(nn.Module):
    """output(stack(each seen patch's features · W + b at its place, one learned vector elsewhere, + P)).

    He et al. 2022, arXiv:2111.06377, section 3.  A linear map tells the numbers of every patch.

    >>> patches = config.Patches(size=(6, 8), channels=3, patch=(2,))
    >>> made = PatchDecoder(16, config.Block(dim=8, heads=2, hidden=8), 1, patches, leading=1)
    >>> made(torch.zeros(5, 4, 16), torch.arange(3).expand(5, -1), (3, 4)).shape
    torch.Size([5, 12, 12])
    """

    def __init__(
        self, dim: int, block: config.Block, depth: int, patches: config.Patches, leading: int
    ) -> None:
        super().__init__()
        self.leading = leading
        self.embedding = nn.Linear(dim, block.dim)
        self.hidden = nn.Parameter(torch.empty(block.dim))
        nn.init.normal_(self.hidden, std=0.02)
        self.positions = make_grid_absolute(block, patches.grid)
        self.rotary = make_grid_rotary(block, patches.grid)
        self.stack = Stack(replace(block, positions="none", base=None), depth, 0)
        self.output = nn.Linear(block.dim, patches.numbers)
        for layer in (self.embedding, self.output):
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.embedded, self.told = Tap(), Tap()

    def forward(
        self, features: Float[Tensor, "b k d"], kept: Int[Tensor, "b seen"] | None, count: Count
    ) -> Float[Tensor, "b n numbers"]:
        """``features`` are those of the leading tokens and of the patches ``kept``; all, if not told."""
        x = self.embedding(features)
        leading, seen = x[:, : self.leading], x[:, self.leading :]
        if kept is not None:
            n = torch.Size(count).numel()
            everywhere = self.hidden.expand(len(x), n, -1)
            seen = everywhere.scatter(1, kept[..., None].expand_as(seen), seen)
        if self.positions is not None:
            seen = (seen + self.positions(count)).to(seen.dtype)
        x = self.embedded(torch.cat([leading, seen], 1))
        rotation = None if self.rotary is None else self.rotary(count, self.leading)
        x = self.stack(x, rotation=rotation)[:, self.leading :]
        return self.told(self.output(x))
