"""What is minimised where a model tells patches that were hidden from it."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor


def masked_patches(
    told: Float[Tensor, "b n numbers"],
    truth: Float[Tensor, "b n numbers"],
    kept: Int[Tensor, "b k"],
) -> Float[Tensor, ""]:
    """The mean squared error of each patch that was hidden, summed over them; what was seen costs nothing.

    He et al. 2022, arXiv:2111.06377, section 3.  But for its scale and a constant it is −ln p of the patch
    under a normal distribution of variance ½ around what was told, for each of its numbers.

    Args:
        kept: the places of the patches that were seen.

    >>> import torch
    >>> told, truth = torch.zeros(1, 3, 2), torch.tensor([[[7.0, 7.0], [1.0, 3.0], [2.0, 2.0]]])
    >>> masked_patches(told, truth, torch.tensor([[0]]))
    tensor(9.)
    """
    errors = (told.float() - truth.float()).square().mean(-1)
    return errors.scatter(1, kept, 0.0).sum()
