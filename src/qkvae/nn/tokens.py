"""Tokens to the vectors that the first block reads: what decoder-only and encoder-only models begin with."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from qkvae.config import Block
from qkvae.nn.dropout import Dropout
from qkvae.nn.embedding import Embedding
from qkvae.nn.norms import make_norm
from qkvae.nn.positions import make_absolute
from qkvae.nn.short_conv import ShortConv
from qkvae.nn.taps import Tap


class TokenInput(nn.Module):
    """dropout(norm(conv(scale · W[token]) + P[place] + S[segment])), each part where the settings have it.

    - scaled: scale = √dim and no norm, Vaswani et al. 2017, section 3.4
    - plain: scale = 1 and no norm, as GPT-2 and Llama have it
    - normed: scale = 1 and the block's norm, as BERT has it (Devlin et al. 2019, arXiv:1810.04805)

    >>> import torch
    >>> TokenInput(Block(dim=8, heads=2), vocab=10, length=16)(torch.tensor([[4, 5, 2]])).shape
    torch.Size([1, 3, 8])
    """

    def __init__(
        self,
        block: Block,
        vocab: int,
        length: int,
        kind: Literal["scaled", "plain", "normed"] = "scaled",
        segments: int = 0,
        conv: ShortConv | None = None,
    ) -> None:
        super().__init__()
        if vocab < 1:
            raise ValueError(
                "vocab is 0: it comes from the tokenizer and must be filled in before a model is built"
            )
        self.embedding = Embedding(vocab, block.dim, None if kind == "scaled" else 1.0)
        self.conv = conv
        self.positions = make_absolute(block, length)
        self.segments = Embedding(segments, block.dim, 1.0) if segments else None
        self.norm = make_norm(block) if kind == "normed" else nn.Identity()
        self.dropout = Dropout(block.dropout)
        self.looked_up, self.embedded = Tap(), Tap()

    def forward(
        self,
        tokens: Int[Tensor, "b n"],
        places: Int[Tensor, "b n"] | None = None,
        segments: Int[Tensor, "b n"] | None = None,
        offset: int = 0,
        documents: Int[Tensor, "b before_n"] | None = None,
        before: Int[Tensor, "b before"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """Tokens at ``places``, or one after the other from ``offset`` on; of segment 0 where none is told.

        A convolution looks at what stands ``before`` the tokens, too, and at nothing of another document.

        Raises:
            ValueError: segments are told to a model that knows none.
        """
        x = self.looked_up(self.embedding(tokens if before is None else torch.cat([before, tokens], 1)))
        if self.conv is not None:
            x = self.conv(x, documents)
        if before is not None:
            x = x[:, before.shape[1] :]
        if self.positions is not None:
            there = self.positions(tokens.shape[1], offset) if places is None else self.positions.at(places)
            x = (x + there).to(x.dtype)
        if self.segments is not None:
            x = x + (self.segments.weight[0] if segments is None else self.segments(segments))
        elif segments is not None:
            raise ValueError("segments are told, but this model was made with segments 0: it knows none")
        return self.embedded(self.dropout(self.norm(x)))
