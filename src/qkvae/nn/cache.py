"""Keys and values kept between decoding steps, so that each step computes one position only."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.nn.masks import Mask


@dataclass
class Past:
    """One block's keys and values of the places so far, with room for more."""

    keys: Float[Tensor, "rows k capacity w"]
    values: Float[Tensor, "rows k capacity w"]

    def append(
        self, keys: Float[Tensor, "rows k t w"], values: Float[Tensor, "rows k t w"], length: int
    ) -> Past:
        """Store the keys and values of places length, length+1, …; what all places so far hold comes back."""
        end = length + keys.shape[2]
        if end > self.keys.shape[2]:
            self.keys, self.values = _longer(self.keys, end), _longer(self.values, end)
        self.keys[:, :, length:end] = keys
        self.values[:, :, length:end] = values
        return Past(self.keys[:, :, :end], self.values[:, :, :end])


@dataclass
class Memory:
    """What cross-attention of one block looks at: the encoder's output as keys and values."""

    keys: Float[Tensor, "b k n w"]
    values: Float[Tensor, "b k n w"]
    mask: Mask


@dataclass
class Cache:
    """What a decoder remembers between steps.

    Rows are hypotheses: ``beam`` neighbouring rows belong to one sentence and share its memory, which is kept once.
    """

    pasts: list[Past]
    memories: list[Memory]
    beam: int = 1
    length: int = 0

    def reorder(self, rows: Int[Tensor, " rows"]) -> None:
        """Row r goes on with what row ``rows[r]`` remembered (both of the same sentence)."""
        for past in self.pasts:
            past.keys = _picked(past.keys, rows, self.length)
            past.values = _picked(past.values, rows, self.length)

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Forget all sentences but these."""
        rows = (sentences[:, None] * self.beam + torch.arange(self.beam, device=sentences.device)).flatten()
        self.reorder(rows)
        lengths = self.memories[0].mask.key_lengths if self.memories else None
        mask = Mask(key_lengths=None if lengths is None else lengths.index_select(0, sentences))
        for memory in self.memories:
            memory.keys = memory.keys.index_select(0, sentences)
            memory.values = memory.values.index_select(0, sentences)
            memory.mask = mask


def empty_past(rows: int, key_heads: int, capacity: int, width: int, like: Tensor) -> Past:
    """Room for ``capacity`` places."""
    shape = (rows, key_heads, capacity, width)
    return Past(like.new_empty(shape), like.new_empty(shape))


def _picked(x: Tensor, rows: Tensor, length: int) -> Tensor:
    """The rows picked, with as much room as before; only the places in use are copied."""
    picked = x.new_empty(len(rows), *x.shape[1:])
    picked[:, :, :length] = x[:, :, :length].index_select(0, rows)
    return picked


def _longer(x: Tensor, length: int) -> Tensor:
    """Room for twice ``length`` places, so that appending costs little on average."""
    longer = x.new_empty(x.shape[0], x.shape[1], 2 * length, x.shape[3])
    longer[:, :, : x.shape[2]] = x
    return longer
