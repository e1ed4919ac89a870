"""Which patches of each grid a masked autoencoder sees: a pure function of the seed and the step."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

_KIND = 0x6D61736B  # tells these draws from others that are made of the same seed and step


def kept_patches(seed: int, step: int, rows: int, patches: int, share: float) -> Int[Tensor, "rows kept"]:
    """The places of the patches that are seen: of each row others, ascending, each set equally likely.

    Row i of a step is the same however many rows follow it.

    Args:
        share: part of the patches that is seen; at least one is, and at least one is not.

    >>> kept_patches(0, 7, rows=2, patches=8, share=0.25)
    tensor([[2, 6],
            [0, 1]])

    Raises:
        ValueError: there is one patch only, so that nothing can be hidden.
    """
    if patches < 2:
        raise ValueError(
            f"{patches} patch, but hiding some and seeing others needs 2: choose a smaller patch"
        )
    seen = min(max(1, round(share * patches)), patches - 1)
    draws = np.random.default_rng([seed, step, _KIND]).random((rows, patches))
    chosen = np.argpartition(draws, seen - 1, axis=1)[:, :seen]
    return torch.from_numpy(np.sort(chosen, axis=1))


def hidden_patches(kept: Int[Tensor, "rows kept"], patches: int) -> Int[Tensor, "rows hidden"]:
    """The places of the others, ascending.

    >>> hidden_patches(torch.tensor([[0, 2]]), 4)
    tensor([[1, 3]])
    """
    seen = torch.zeros(len(kept), patches, dtype=torch.bool).scatter(1, kept, True)
    return (~seen).nonzero()[:, 1].view(len(kept), patches - kept.shape[1])
