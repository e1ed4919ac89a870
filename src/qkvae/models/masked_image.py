"""The masked autoencoder: an encoder that reads some patches, and a light decoder that tells all of them."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.models.vision import make_stack
from qkvae.nn.grid_input import GridInput
from qkvae.nn.patch_decoder import PatchDecoder
from qkvae.nn.patches import pick, to_grid, to_patches


class MaskedImage(nn.Module):
    """head(stack(embed(the patches that are left))).  He et al. 2022, arXiv:2111.06377.

    What is hidden never reaches the encoder, which so computes a quarter of the places.  Input and stack have
    the names that they have in `Vision`, which can begin with their weights.

    Example:
        >>> import torch
        >>> block = config.Block(dim=8, heads=2, hidden=16, positions="learned")
        >>> patches = config.Patches(size=(6, 8), channels=3, patch=(2,))
        >>> model = MaskedImage(config.MaskedImage(block=block, decoder_block=block, patches=patches))
        >>> model(torch.zeros(4, 3, 6, 8), torch.tensor([[0, 5, 11]]).expand(4, -1)).shape
        torch.Size([4, 12, 12])
    """

    def __init__(self, settings: config.MaskedImage) -> None:
        super().__init__()
        self.settings = settings
        self.input = GridInput(settings.block, settings.patches, settings.leading)
        self.stack = make_stack(settings)
        self.head = PatchDecoder(
            settings.block.dim,
            settings.decoder_block,
            settings.decoder_depth,
            settings.patches,
            settings.leading,
        )

    def forward(
        self, grid: Float[Tensor, "b c *size"], kept: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b n numbers"]:
        """What is told of every patch, from those at the places ``kept``; from all, if none are told."""
        return self.head(self.features(grid, kept), kept, self.input.count(grid))

    def features(
        self, grid: Float[Tensor, "b c *size"], kept: Int[Tensor, "b k"] | None = None
    ) -> Float[Tensor, "b m d"]:
        """What the head reads: of the leading tokens first, then of the patches ``kept``."""
        rotation = self.input.rotation(self.input.count(grid), kept)
        return self.stack(self.input(grid, kept), rotation=rotation)

    def truth(self, grid: Float[Tensor, "b c *size"]) -> Float[Tensor, "b n numbers"]:
        """What is to be told of every patch."""
        patches = to_patches(grid, self.settings.patches.sides)
        return normalised(patches) if self.settings.target == "normalised" else patches

    def picture(
        self,
        told: Float[Tensor, "b n numbers"],
        grid: Float[Tensor, "b c *size"],
        kept: Int[Tensor, "b k"] | None = None,
    ) -> Float[Tensor, "b c *size"]:
        """What was told as a grid, with the patches ``kept`` as they are.

        A patch that was told less its mean and over its deviation gets those that it truly has.
        """
        patches = to_patches(grid, self.settings.patches.sides)
        if self.settings.target == "normalised":
            mean, deviation = _moments(patches)
            told = told * deviation + mean
        if kept is not None:
            told = told.scatter(1, kept[..., None].expand(-1, -1, told.shape[2]), pick(patches, kept))
        return to_grid(told, self.input.count(grid), self.settings.patches.sides)


def normalised(patches: Float[Tensor, "b n numbers"]) -> Float[Tensor, "b n numbers"]:
    """(x − μ) / √(s² + 1e-6) of each patch by itself, s its sample deviation; He et al. 2022, section 4.

    >>> import torch
    >>> normalised(torch.tensor([[[1.0, 3.0]]]))
    tensor([[[-0.7071,  0.7071]]])
    """
    mean, deviation = _moments(patches)
    return (patches - mean) / deviation


def _moments(patches: Tensor) -> tuple[Tensor, Tensor]:
    return patches.mean(-1, keepdim=True), (patches.var(-1, keepdim=True) + 1e-6).sqrt()
