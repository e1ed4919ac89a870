"""The encoder-only Transformer: every token sees all others; a head makes an answer of what comes out."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae import config
from qkvae.models.seq2seq import padding_mask
from qkvae.nn.blocks import Stack
from qkvae.nn.heads import make_head
from qkvae.nn.masks import Mask, real_places
from qkvae.nn.positions import places_within
from qkvae.nn.short_conv import ShortConv
from qkvae.nn.tokens import TokenInput


class Encoder(nn.Module):
    """head(stack(embed(tokens))).  Devlin et al. 2019, arXiv:1810.04805.

    Texts come one to a row, padded and with their ``lengths``, or several to a row without padding, told
    apart by ``documents``: there a number below 0 is padding, and each text's places count from 0.

    Example:
        >>> block = config.Block(dim=8, heads=2, hidden=16)
        >>> model = Encoder(config.Encoder(block=block, depth=2, head=config.Classes(count=3), vocab=10))
        >>> model(torch.tensor([[4, 5, 2, 0], [6, 7, 8, 2]]), torch.tensor([3, 4])).shape
        torch.Size([2, 3])
    """

    def __init__(self, settings: config.Encoder) -> None:
        super().__init__()
        self.settings = settings
        block, length = settings.block, settings.max_length
        conv = ShortConv(block.dim, settings.conv_size, causal=False) if settings.conv_size else None
        self.input = TokenInput(block, settings.vocab, length, settings.embedding, settings.segments, conv)
        self.stack = Stack(block, settings.depth, length)
        self.head = make_head(settings.head, block, self.input.embedding)

    def forward(
        self,
        tokens: Int[Tensor, "b n"],
        lengths: Int[Tensor, " b"] | None = None,
        segments: Int[Tensor, "b n"] | None = None,
        documents: Int[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "..."]:
        """What the head makes of the features; what padding holds never matters."""
        return self.head(self.features(tokens, lengths, segments, documents), lengths, documents)

    def features(
        self,
        tokens: Int[Tensor, "b n"],
        lengths: Int[Tensor, " b"] | None = None,
        segments: Int[Tensor, "b n"] | None = None,
        documents: Int[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """What the head reads."""
        places = None if documents is None else places_within(documents)
        told_apart = None if self.input.conv is None else _told_apart(tokens, lengths, documents)
        x = self.input(tokens, places, segments, documents=told_apart)
        mask = padding_mask(tokens, lengths) & Mask(window=self.settings.block.window, documents=documents)
        return self.stack(x, mask)


def _told_apart(
    tokens: Int[Tensor, "b n"], lengths: Int[Tensor, " b"] | None, documents: Int[Tensor, "b n"] | None
) -> Int[Tensor, "b n"] | None:
    """To which document each token belongs, and −1 for padding; None where all is one text."""
    if lengths is None:
        return documents
    there = real_places(lengths, tokens.shape[1])
    return (torch.zeros_like(tokens) if documents is None else documents).masked_fill(~there, -1)
