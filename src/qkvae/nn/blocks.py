"""The Transformer's block, pre- and post-normalised, and stacks of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import cast

from jaxtyping import Float
from torch import Tensor, nn

from qkvae import config
from qkvae.nn.cache import Cache, Memory, Past
from qkvae.nn.dropout import Residual
from qkvae.nn.feedforward import FeedForward
from qkvae.nn.masks import EVERYTHING, Mask
from qkvae.nn.multihead import CrossAttention, SelfAttention
from qkvae.nn.norms import make_norm
from qkvae.nn.positions import Rotation, make_bias
from qkvae.nn.taps import Tap


class Block(nn.Module):
    """The parts of one block: self-attention, feed-forward, and between them what looks at a memory, if any.

    ``cross`` makes that part: `CrossAttention` in the decoder of an encoder-decoder.
    """

    def __init__(self, block: config.Block, length: int, cross: type[CrossAttention] | None = None) -> None:
        super().__init__()
        self.attention = SelfAttention(block, length)
        self.norm1 = make_norm(block)
        if cross is not None:
            self.cross_attention = cross(block)
            self.norm2 = make_norm(block)
        self.feedforward = FeedForward(block)
        self.norm3 = make_norm(block)
        self.add = Residual(block.dropout)
        self.residual_pre, self.residual_mid, self.residual_post = Tap(), Tap(), Tap()


class PreNormBlock(Block):
    """Each part reads the normalised stream and adds to it: x + part(norm(x)).

    Xiong et al. 2020, arXiv:2002.04745.  The stack ends with a norm of its own.

    >>> import torch
    >>> settings = config.Block(dim=8, heads=2, hidden=16, norm_order="pre")
    >>> PreNormBlock(settings, length=16)(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Mask = EVERYTHING,
        bias: Tensor | None = None,
        memory: Memory | None = None,
        past: Past | None = None,
        offset: int = 0,
        rotation: Rotation | None = None,
        asked: int | None = None,
    ) -> Float[Tensor, "b asked d"]:
        x = self.residual_pre(x)
        mixed = self.attention(self.norm1(x), mask, bias, past, offset, rotation, asked)
        x = self.add(x if asked is None else x[:, :asked], mixed)
        if memory is not None:
            x = self.add(x, self.cross_attention(self.norm2(x), memory))
        x = self.residual_mid(x)
        x = self.add(x, self.feedforward(self.norm3(x)))
        return self.residual_post(x)


class PostNormBlock(Block):
    """The sum of stream and part is normalised: norm(x + part(x)).  Vaswani et al. 2017, section 3.1.

    >>> import torch
    >>> settings = config.Block(dim=8, heads=2, hidden=16, norm_order="post")
    >>> PostNormBlock(settings, length=16)(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Mask = EVERYTHING,
        bias: Tensor | None = None,
        memory: Memory | None = None,
        past: Past | None = None,
        offset: int = 0,
        rotation: Rotation | None = None,
        asked: int | None = None,
    ) -> Float[Tensor, "b asked d"]:
        x = self.residual_pre(x)
        mixed = self.attention(x, mask, bias, past, offset, rotation, asked)
        x = self.norm1(self.add(x if asked is None else x[:, :asked], mixed))
        if memory is not None:
            x = self.norm2(self.add(x, self.cross_attention(x, memory)))
        x = self.residual_mid(x)
        x = self.norm3(self.add(x, self.feedforward(x)))
        return self.residual_post(x)


class Stack(nn.Module):
    """``depth`` blocks, one after the other, under one mask and one bias; pre-norm stacks end with a norm.

    >>> import torch
    >>> stack = Stack(config.Block(dim=8, heads=2, hidden=16), depth=2, length=16)
    >>> stack(torch.zeros(1, 5, 8)).shape
    torch.Size([1, 5, 8])
    """

    def __init__(
        self, block: config.Block, depth: int, length: int, cross: type[CrossAttention] | None = None
    ) -> None:
        super().__init__()
        kind = PreNormBlock if block.norm_order == "pre" else PostNormBlock
        self.blocks = nn.ModuleList(kind(block, length, cross) for _ in range(depth))
        self.bias = make_bias(block)
        self.norm = make_norm(block) if block.norm_order == "pre" else nn.Identity()

    def forward(
        self,
        x: Float[Tensor, "b n d"],
        mask: Mask = EVERYTHING,
        memories: list[Memory] | None = None,
        cache: Cache | None = None,
        rotation: Rotation | None = None,
        asked: int | None = None,
        before: Callable[[int, Tensor], Tensor] | None = None,
    ) -> Float[Tensor, "b asked d"]:
        """With a cache, x continues the sequence that the cache remembers.

        With ``asked`` the last block answers for so many first positions only, which see everything.
        ``before`` is told the number of each block and what it is about to read, and gives what it reads.
        """
        assert asked is None or (mask.hides_nothing and cache is None and self.bias is None)
        offset = 0 if cache is None else cache.length
        n = x.shape[1]
        bias = None if self.bias is None else self.bias(n, offset + n, offset)
        if cache is not None:
            mask = cache.grow(n, mask)
            if bias is not None and cache.beam > 1:
                bias = bias.repeat_interleave(cache.beam, -1).expand(-1, cache.beam, -1)
        for i, block in enumerate(self.blocks):
            memory = None if memories is None else memories[i]
            past = None if cache is None else cache.pasts[i]
            some = asked if i == len(self.blocks) - 1 else None
            x = x if before is None else before(i, x)
            x = block(x, mask, bias, memory, past, offset, rotation, some)
        return self.norm(x)

    def remember(self, encoded: Float[Tensor, "b n d"], mask: Mask) -> list[Memory]:
        """The encoder's output as the keys and values of each block's cross-attention."""
        blocks = cast("Iterable[Block]", self.blocks)  # which torch knows as modules only
        return [block.cross_attention.remember(encoded, mask) for block in blocks]
