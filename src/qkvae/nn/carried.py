"""Keys and values carried from one segment of a text into the next, so that context outlasts a segment."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.nn.blocks import Block, Stack
from qkvae.nn.cache import Cache, Past
from qkvae.nn.masks import Mask


class _Kept(Past):
    """Keys and values of earlier places that new ones are joined to, so that gradients reach the new ones."""

    def append(self, keys: Float[Tensor, "b k t w"], values: Float[Tensor, "b k t w"], length: int) -> Past:
        if length:
            keys, values = torch.cat([self.keys, keys], 2), torch.cat([self.values, values], 2)
        self.keys, self.values = keys, values
        return self


@dataclass
class Carried:
    """What a stack remembers of earlier segments: keys and values of the last ``memory`` tokens of each row.

    Transformer-XL, Dai et al. 2019, arXiv:1901.02860, section 3.2, with the keys and values themselves in
    place of what they were computed from.  No gradient flows into these.  Places are counted
    from the oldest token that is kept, so positions must tell distances only.

    >>> from qkvae import config
    >>> stack = Stack(config.Block(dim=8, heads=2, positions="alibi"), depth=2, length=16)
    >>> carried = Carried(memory=6)
    >>> for _ in range(3):
    ...     y = carried.read(stack, torch.zeros(1, 4, 8), Mask(causal=True))
    >>> y.shape, carried.length
    (torch.Size([1, 4, 8]), 6)
    """

    memory: int
    """Tokens kept."""

    length: int = 0
    """Tokens remembered now."""

    _pasts: list[Past] = field(default_factory=list[Past], repr=False)
    _documents: Int[Tensor, "b kept"] | None = field(default=None, repr=False)
    _tokens: Int[Tensor, "b back"] | None = field(default=None, repr=False)

    def beside(
        self, tokens: Int[Tensor, "b n"], documents: Int[Tensor, "b n"] | None, back: int
    ) -> tuple[Int[Tensor, "b before"] | None, Int[Tensor, "b before_n"] | None]:
        """Up to ``back`` tokens before these, which are remembered; and the documents of both.

        To be asked before the segment is read; ``back`` is no more than what is kept.

        Raises:
            ValueError: as in `read`.
        """
        self._check(len(tokens), documents)
        if not back:
            return None, documents
        before = tokens[:, :0] if self._tokens is None else self._tokens
        self._tokens = torch.cat([before, tokens], 1)[:, -back:]
        if documents is not None and self._documents is not None:
            documents = torch.cat([self._documents[:, self.length - before.shape[1] :], documents], 1)
        return before, documents

    def read(
        self,
        stack: Stack,
        x: Float[Tensor, "b n d"],
        mask: Mask,
        documents: Int[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "b n d"]:
        """The stack's output for the next segment of each row, which is remembered for the one after it.

        ``documents`` tells a row's documents apart, by one numbering through all its segments.

        Raises:
            ValueError: there are not as many rows as before, or documents are told of some segments only.
        """
        self._check(len(x), documents)
        if documents is not None:
            mask = mask & self._told_apart(documents)
        blocks = list(cast("Iterable[Block]", stack.blocks))
        if not self.length:
            nothing = x.new_empty(len(x), 1, 0, 1)
            self._pasts = [_Kept(nothing, nothing) for _ in blocks]
        y = stack(x, mask, None, Cache(self._pasts, [], length=self.length))
        dropped = max(0, self.length + x.shape[1] - self.memory)
        for block, past in zip(blocks, self._pasts, strict=True):
            past.keys, past.values = (each[:, :, dropped:].detach() for each in (past.keys, past.values))
            if dropped and block.attention.rotary is not None:
                past.keys = block.attention.rotary.moved_back(past.keys, dropped)
        if self._documents is not None:
            self._documents = self._documents[:, dropped:]
        self.length += x.shape[1] - dropped
        return y

    def _check(self, rows: int, documents: Tensor | None) -> None:
        """Refuse a segment that does not go on where the last one ended."""
        if self.length and (documents is None) is not (self._documents is None):
            raise ValueError("documents are told of some segments only: tell them of all, or of none")
        if self.length and len(self._pasts[0].keys) != rows:
            raise ValueError(
                f"{rows} rows cannot continue {len(self._pasts[0].keys)}: "
                "each row of a segment continues the same row of the one before"
            )

    def _told_apart(self, documents: Tensor) -> Mask:
        """A query sees its own document, in this segment and in those before."""
        before = self._documents
        self._documents = documents if before is None else torch.cat([before, documents], 1)
        return Mask(documents=documents, key_documents=self._documents)
