"""Keys and values kept between decoding steps, so that each step computes one position only."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.nn.masks import Mask


@dataclass
class Past:
    """One block's keys and values of the places so far, with room for more.

    A sentence's hypotheses stand side by side: its keys are theirs at place 0, then theirs at place 1, …

    >>> past = empty_past(sentences=1, key_heads=2, capacity=1, width=4, like=torch.zeros(1))
    >>> for place in range(3):
    ...     known = past.append(torch.ones(1, 2, 1, 4), torch.ones(1, 2, 1, 4), place)
    >>> known.keys.shape
    torch.Size([1, 2, 3, 4])
    """

    keys: Float[Tensor, "b k capacity w"]
    values: Float[Tensor, "b k capacity w"]

    def append(self, keys: Float[Tensor, "b k t w"], values: Float[Tensor, "b k t w"], length: int) -> Past:
        """Store keys and values after the ``length`` that are there; all so far come back."""
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

    Rows are hypotheses: ``beam`` neighbouring rows belong to one sentence and share its memory, which is kept
    once.  Keys and values stay where they are when hypotheses change places: only the table of who descends
    from whom, which becomes a mask, is rewritten.
    """

    pasts: list[Past]
    memories: list[Memory]
    beam: int = 1
    length: int = 0
    _lineage: Int[Tensor, "b beam places"] | None = field(default=None, repr=False)

    def reorder(self, rows: Int[Tensor, " rows"]) -> None:
        """Row r goes on with what row ``rows[r]`` remembered (with a beam, both are of the same sentence)."""
        if self._lineage is not None:
            self._lineage = self._lineage.flatten(0, 1).index_select(0, rows).view(self._lineage.shape)
        elif self.beam == 1:
            self._pick(rows)

    def keep(self, sentences: Int[Tensor, " kept"]) -> None:
        """Forget all sentences but these."""
        if self._lineage is not None:
            self._lineage = self._lineage.index_select(0, sentences)
        self._pick(sentences)
        lengths = self.memories[0].mask.key_lengths if self.memories else None
        mask = Mask(key_lengths=None if lengths is None else lengths.index_select(0, sentences))
        for memory in self.memories:
            memory.keys = memory.keys.index_select(0, sentences)
            memory.values = memory.values.index_select(0, sentences)
            memory.mask = mask

    def back_to(self, length: int) -> None:
        """Forget all places from this one on (not for a beam, whose lineage would have to be undone)."""
        assert self.beam == 1
        assert length <= self.length, (length, self.length)
        self.length = length

    def grow(self, places: int, mask: Mask) -> Mask:
        """Make ready for so many places more; the decoder's mask comes back as it is seen from them."""
        self.length += places
        if self.beam == 1:
            return mask
        assert places == 1, "hypotheses grow by one token at a time"
        sentences, device = self.pasts[0].keys.shape[0], self.pasts[0].keys.device
        own = torch.arange(self.beam, device=device).expand(sentences, self.beam)[..., None]
        self._lineage = own if self._lineage is None else torch.cat([self._lineage, own], -1)
        return Mask(lineage=self._lineage, window=mask.window)

    def _pick(self, sentences: Int[Tensor, " kept"]) -> None:
        for past in self.pasts:
            past.keys = _picked(past.keys, sentences, self.length * self.beam)
            past.values = _picked(past.values, sentences, self.length * self.beam)


def empty_past(sentences: int, key_heads: int, capacity: int, width: int, like: Tensor) -> Past:
    """Room for ``capacity`` keys: places times hypotheses."""
    return Past(*(_room(like, sentences, key_heads, capacity, width) for _ in range(2)))


def _room(like: Tensor, sentences: int, key_heads: int, capacity: int, width: int) -> Tensor:
    """A tensor whose heads lie side by side in memory, as a projection gives them: copied in one piece."""
    return like.new_empty(sentences, capacity, key_heads, width).transpose(1, 2)


def _picked(x: Tensor, rows: Tensor, length: int) -> Tensor:
    """The rows picked, with as much room as before; only the places in use are copied."""
    picked = _room(x, len(rows), *x.shape[1:])
    picked[:, :, :length] = x[:, :, :length].index_select(0, rows)
    return picked


def _longer(x: Tensor, length: int) -> Tensor:
    """Room for twice ``length`` places, so that appending costs little on average."""
    longer = _room(x, x.shape[0], x.shape[1], 2 * length, x.shape[3])
    longer[:, :, : x.shape[2]] = x
    return longer
