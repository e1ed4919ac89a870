"""Multi-head attention as modules: projections around `qkvae.nn.attention`, with a tap on every quantity."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from qkvae.config import Block
from qkvae.nn import attention as A
from qkvae.nn.cache import Memory, Past
from qkvae.nn.masks import EVERYTHING, Mask
from qkvae.nn.positions import Rotary, Rotation, make_rotary
from qkvae.nn.projection import Projection
from qkvae.nn.taps import Tap


def split_heads(x: Float[Tensor, "b n c"], width: int) -> Float[Tensor, "b h n w"]:
    """Neighbouring channels form a head: [b, n, h·w] → [b, h, n, w].

    >>> import torch
    >>> split_heads(torch.zeros(1, 5, 8), width=4).shape
    torch.Size([1, 2, 5, 4])
    """
    return x.view(*x.shape[:-1], x.shape[-1] // width, width).transpose(1, 2)


def merge_heads(x: Float[Tensor, "b h n w"]) -> Float[Tensor, "b n c"]:
    """Concatenate the heads: [b, h, n, w] → [b, n, h·w].

    >>> import torch
    >>> merge_heads(torch.zeros(1, 2, 5, 4)).shape
    torch.Size([1, 5, 8])
    """
    return x.transpose(1, 2).flatten(2)


class HeadMixer(nn.Module):
    """What self- and cross-attention share: attention, a tap on each quantity, and the projection W_O."""

    def __init__(self, block: Block) -> None:
        super().__init__()
        self.width = block.width
        self.output = Projection(block.dim, (block.dim,), head_columns=block.width)
        self.queries, self.keys, self.values = Tap(), Tap(), Tap()
        self.scores, self.weights, self.mixed = Tap(), Tap(), Tap()

    def mix(
        self,
        queries: Float[Tensor, "b h n w"],
        keys: Float[Tensor, "b k m w"],
        values: Float[Tensor, "b k m w"],
        mask: Mask,
        bias: Tensor | None = None,
        offset: int = 0,
    ) -> Float[Tensor, "b h n w"]:
        """Attention, by the fast kernel unless somebody wants to see what it never holds."""
        queries, keys, values = self.queries(queries), self.keys(keys), self.values(values)
        if self.scores.listening or self.weights.listening:
            keys, values = A.shared(keys, queries), A.shared(values, queries)
            raw = self.scores(A.scores(queries, keys, mask, bias, offset))
            return self.mixed(self.weights(A.weights(raw)) @ values)
        return self.mixed(A.attention(queries, keys, values, mask, bias, offset))


class SelfAttention(HeadMixer):
    """Each position looks at the positions of its own sequence.

    MultiHead(X) = Concat(head₁, …, head_H) W_O, head_i = attention(X W_Qi, X W_Ki, X W_Vi).  Vaswani et al.
    2017, section 3.2.2.  The heads' matrices stand side by side in one: a head is a group of channels.

    >>> import torch
    >>> mix = SelfAttention(Block(dim=8, heads=2, hidden=16), length=16)
    >>> mix(torch.zeros(1, 5, 8), Mask(causal=True)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(self, block: Block, length: int) -> None:
        super().__init__(block)
        key_dim = (block.key_heads or block.heads) * block.width
        self.qkv = Projection(block.dim, (block.dim, key_dim, key_dim), head_rows=block.width)
        self.rotary: Rotary | None = make_rotary(block, length)

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Mask = EVERYTHING,
        bias: Tensor | None = None,
        past: Past | None = None,
        offset: int = 0,
        rotation: Rotation | None = None,
        asked: int | None = None,
    ) -> Float[Tensor, "b asked d"]:
        """A ``rotation`` that is told takes the place of rotary positions one after the other.

        With ``asked`` only so many first positions look at the others.
        """
        if asked is not None:
            return self._first(x, rotation, asked)
        # While decoding, neighbouring rows are a sentence's hypotheses: side by side they share their keys.
        beam = 1 if past is None else len(x) // len(past.keys)
        together = x if beam == 1 else x.view(-1, beam, x.shape[-1])
        queries, keys, values = (split_heads(part, self.width) for part in self.qkv(together))
        if rotation is not None:
            queries, keys = rotation(queries), rotation(keys)
        elif self.rotary is not None:
            queries, keys = _turn(self.rotary, queries, offset, beam), _turn(self.rotary, keys, offset, beam)
        if past is not None:
            known = past.append(keys, values, offset * beam)
            keys, values = known.keys, known.values
        mixed = self.mix(queries, keys, values, mask, bias, offset)
        return self.output(merge_heads(mixed))[0].view_as(x)

    def _first(self, x: Float[Tensor, "b n d"], rotation: Rotation | None, asked: int) -> Tensor:
        """What the first positions, which everything may be seen from, get."""
        queries, keys, values = *self.qkv.some(x[:, :asked], 0, 1), *self.qkv.some(x, 1, 3)
        queries, keys, values = (split_heads(part, self.width) for part in (queries, keys, values))
        if rotation is not None:
            queries, keys = rotation.first(asked)(queries), rotation(keys)
        return self.output(merge_heads(self.mix(queries, keys, values, EVERYTHING)))[0]


def _turn(rotary: Rotary, x: Float[Tensor, "b h n w"], offset: int, beam: int) -> Float[Tensor, "b h n w"]:
    """Rotary positions from ``offset`` on; a beam's hypotheses, side by side, are all at that place."""
    if beam == 1:
        return rotary(x, offset)
    return rotary(x.flatten(1, 2)[:, :, None], offset).view(x.shape)


class CrossAttention(HeadMixer):
    """Each position of the target looks at the encoder's output: queries from x, keys and values from memory.

    >>> import torch
    >>> mix = CrossAttention(Block(dim=8, heads=2, hidden=16))
    >>> mix(torch.zeros(1, 3, 8), mix.remember(torch.zeros(1, 5, 8), EVERYTHING)).shape
    torch.Size([1, 3, 8])
    """

    def __init__(self, block: Block) -> None:
        super().__init__(block)
        key_dim = (block.key_heads or block.heads) * block.width
        self.q = Projection(block.dim, (block.dim,), head_rows=block.width)
        self.kv = Projection(block.dim, (key_dim, key_dim), head_rows=block.width)

    def forward(self, x: Float[Tensor, "rows m d"], memory: Memory) -> Float[Tensor, "rows m d"]:
        # While decoding, neighbouring rows are a sentence's hypotheses: together they are its queries.
        together = x.view(memory.keys.shape[0], -1, x.shape[-1])
        queries = split_heads(self.q(together)[0], self.width)
        mixed = self.mix(queries, memory.keys, memory.values, memory.mask)
        return self.output(merge_heads(mixed))[0].view_as(x)

    def remember(self, encoded: Float[Tensor, "b n d"], mask: Mask) -> Memory:
        """The encoder's output as keys and values: computed once for a whole translation."""
        keys, values = self.kv(encoded)
        return Memory(split_heads(keys, self.width), split_heads(values, self.width), mask)
