"""Vectors out of any run that reads text: of whole texts, or of every token."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from qkvae.config import nearest
from qkvae.data.plan import bucketed
from qkvae.data.ragged import Ints, Ragged, spans
from qkvae.data.tokenizer import PAD, Tokenizer
from qkvae.data.vectors import Floats, Vectors
from qkvae.models import Decoder, Encoder, Family, Seq2Seq
from qkvae.nn.heads import Vector
from qkvae.tasks.answering import said_of_long

Pool = Literal["mean", "first", "last"]
"""What stands for a text: the mean of its tokens' features, or those of its first or of its last token."""

POOLS: tuple[Pool, ...] = get_args(Pool)

_TOKENS = 8192  # of a batch, padding counted: bounds the memory, decides nothing else


@dataclass(frozen=True)
class TokenVectors:
    """The tokens of one text and their vectors; special tokens are left out."""

    tokens: tuple[str, ...]
    """As people read them: ``▁`` is a space."""

    places: tuple[tuple[int, int], ...]
    """Where each stands in the text: first character, and the one behind the last."""

    matrix: Floats
    """float32[tokens, dim]"""

    cut: bool = False
    """Whether the text has more tokens than the run reads: the rest have no vector."""


class Embedder:
    """A model and its tokenizer, as what turns texts into vectors: the features that its head would read.

    An encoder reads ``<s> text </s>``, an encoder-decoder ``text </s>`` (its encoder's output is taken), a
    decoder what it would continue.  The mean is over all that is read, as in the heads of `nn.heads`.
    A text without tokens has the vector zero, whose cosine with any is 0.

    >>> from qkvae.config import Block
    >>> from qkvae.config import Encoder as Settings
    >>> tokenizer = Tokenizer.train(["two dogs play"] * 2, "word")
    >>> model = Encoder(Settings(block=Block(dim=8, heads=2, hidden=16), depth=1, vocab=len(tokenizer)))
    >>> matrix, cut = Embedder(model.eval(), tokenizer, longest=64).texts(["two dogs", "play", ""])
    >>> matrix.shape, matrix[2].any()
    ((3, 8), np.False_)
    """

    def __init__(self, model: Family, tokenizer: Tokenizer, longest: int, *, begins: bool = True) -> None:
        """
        Args:
            model: in evaluation mode; it is used where it is (CPU, CUDA, MPS).
            tokenizer: the one that the model was trained with.
            longest: tokens of a text that are read, special ones too.
            begins: whether a decoder's texts begin with BOS.
        """
        self.model, self.tokenizer, self.longest = model, tokenizer, longest
        encoder, decoder = isinstance(model, Encoder), isinstance(model, Decoder)
        marks = tokenizer.marks
        self._first = [marks.bos] if encoder or (decoder and begins) else []
        self._last = [] if decoder else [marks.eos]

    @classmethod
    def of(cls, answerer: Any, config: Any) -> Embedder:
        """What answers, as what makes vectors.

        Raises:
            ValueError: it reads no text.
        """
        model, tokenizer = answerer.model, getattr(answerer, "tokenizer", None)
        if tokenizer is None:
            raise ValueError(f"{type(answerer).__name__} reads no text: vectors are made of text only")
        learned = (getattr(config.data, name, None) for name in ("max_length", "length"))
        longest = min([model.settings.max_length, *(length for length in learned if length is not None)])
        return cls(model, tokenizer, longest, begins=getattr(answerer, "begins", True))

    @property
    def pool(self) -> Pool:
        """What stands for a text in the model's own head; the mean where the head tells nothing of it."""
        head = getattr(self.model.settings, "head", None)
        pools: dict[str, Pool] = {"class": "first", "last": "last"}
        return pools.get(getattr(head, "pooling", "mean"), "mean")

    def texts(self, texts: Sequence[str], pool: str | None = None) -> tuple[Floats, NDArray[np.bool_]]:
        """The vector of every text, float32[texts, dim], and whose ends were not read.

        Raises:
            ValueError: an unknown pool, or the first token of a decoder, which sees nothing of its text.
        """
        chosen = self._refuse(pool or self.pool)
        rows, cut = self._rows(texts)
        found = np.zeros((len(texts), self.model.settings.block.dim), np.float32)
        for places, features, lengths in self._features(rows):
            if chosen == "last":
                pooled = features[torch.arange(len(features)), lengths - 1]
            else:
                pooled = Vector("class" if chosen == "first" else "mean")(features, lengths)
            found[places] = pooled.float().cpu().numpy()
        return found, cut

    def tokens(self, texts: Sequence[str]) -> list[TokenVectors]:
        """The tokens of every text and their vectors."""
        rows, cut = self._rows(texts)
        begin, end = len(self._first), len(self._last)
        empty = TokenVectors((), (), np.zeros((0, self.model.settings.block.dim), np.float32))
        found = [empty] * len(texts)
        for places, features, lengths in self._features(rows):
            for row, place in enumerate(map(int, places)):
                matrix = features[row, begin : int(lengths[row]) - end].float().cpu().numpy()
                pieces = self.tokenizer.pieces(texts[place])[: len(matrix)]
                found[place] = TokenVectors(
                    tuple(piece.token for piece in pieces),
                    tuple((piece.start, piece.end) for piece in pieces),
                    matrix,
                    bool(cut[place]),
                )
        return found

    def index(
        self, texts: Sequence[str], pool: str | None = None
    ) -> Callable[[Sequence[str], int], list[list[tuple[str, float]]]]:
        """What finds, for every query, so many of these texts: those whose vectors have the greatest cosine
        with its own, nearest first.  Equal texts count once."""
        once = list(dict.fromkeys(texts))
        known = Vectors(once, self.texts(once, pool)[0])

        def search(queries: Sequence[str], count: int) -> list[list[tuple[str, float]]]:
            return [known.neighbours(vector, count) for vector in self.texts(queries, pool)[0]]

        return search

    def said_of(self, count: int) -> str | None:
        """What a person must be told if the ends of ``count`` texts were not read, in one line."""
        return said_of_long(count, self.longest, "text")

    def _refuse(self, pool: str) -> str:
        if pool not in POOLS:
            raise ValueError(f'pool is "{pool}": {nearest(pool, POOLS)}')
        if pool == "first" and isinstance(self.model, Decoder):
            raise ValueError(
                "pool is first, but the first token of a decoder sees nothing of its text: use last or mean"
            )
        return pool

    def _rows(self, texts: Sequence[str]) -> tuple[Ragged, NDArray[np.bool_]]:
        """What the model reads of each text, none of an empty one, and which had to be cut."""
        ids = self.tokenizer.encode_batch(texts)
        room = self.longest - len(self._first) - len(self._last)
        kept = [[*self._first, *row[:room].tolist(), *self._last] if len(row) else [] for row in ids]
        return Ragged.from_lists(kept), ids.lengths > room

    def _features(self, rows: Ragged) -> Iterator[tuple[Ints, Float[Tensor, "b n d"], Int[Tensor, " b"]]]:
        """The features of all rows that hold something, texts of about one length side by side."""
        device, lengths = next(self.model.parameters()).device, rows.lengths
        there = np.flatnonzero(lengths)
        for chosen in bucketed(lengths[there], lengths[there], _TOKENS) if len(there) else ():
            places = there[chosen]
            long = lengths[places]
            ids = np.full((len(places), int(long.max())), PAD, np.int64)
            ids.flat[spans(np.arange(len(places)) * ids.shape[1], long)] = rows[places].flat
            count = torch.from_numpy(long).to(device)
            yield places, _read(self.model, torch.from_numpy(ids).to(device), count), count


@torch.no_grad()
def _read(model: Family, ids: Int[Tensor, "b n"], lengths: Int[Tensor, " b"]) -> Float[Tensor, "b n d"]:
    """What the model's head, or the decoder of an encoder-decoder, would read; padding follows each text."""
    match model:
        case Encoder():
            return model.features(ids, lengths)
        case Decoder():
            return model.features(ids)  # no token sees the padding behind it
        case Seq2Seq():
            return model.encode(ids, lengths)
