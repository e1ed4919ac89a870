"""The mask law: a mask is a small description; its truth table, True = may look, is built here only."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

_TABLES = 8  # kept by one mask: those of one pass through a model, not of every length that ever came


@dataclass(frozen=True, kw_only=True, eq=False)
class Mask:
    """Which keys each query may look at.  All conditions hold together.

    Query i stands at place ``offset + i`` of the keys' sequence (``offset`` is not 0 when earlier keys come
    from a cache).

    >>> mask = Mask(causal=True) & Mask(key_lengths=torch.tensor([2]))
    >>> mask.allowed(3, 3)[0, 0].int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 0]], dtype=torch.int32)
    """

    causal: bool = False
    """A query sees its own place and the past only."""

    window: int | None = None
    """A query sees at most this many places on each side of its own."""

    key_lengths: Int[Tensor, " b"] | None = None
    """Keys from this place on are padding."""

    documents: Int[Tensor, "b n"] | None = None
    """Several documents packed in one row: a query sees keys of its own document only."""

    key_documents: Int[Tensor, "b m"] | None = None
    """The keys' documents, where they are not the queries' own."""

    lineage: Int[Tensor, "b beam places"] | None = None
    """The hypotheses of a beam search stand side by side: the queries are theirs at the newest place, the
    keys theirs at place 0, then at place 1, …  Query q sees, at place p, the key of hypothesis
    ``lineage[:, q, p]`` only."""

    _tables: dict[tuple[object, ...], Tensor] = field(
        default_factory=dict[tuple[object, ...], Tensor], init=False, repr=False
    )

    def __post_init__(self) -> None:
        if self.window is not None and self.window < 1:
            raise ValueError(f"a window of {self.window}, but it must be at least 1")
        assert self.documents is not None or self.key_documents is None
        assert self.lineage is None or (self.key_lengths is None and self.documents is None)

    def __and__(self, other: Mask) -> Mask:
        """Both conditions together."""
        windows = [w for w in (self.window, other.window) if w is not None]
        lengths = [x for x in (self.key_lengths, other.key_lengths) if x is not None]
        if self.documents is not None and other.documents is not None:
            raise ValueError("both masks name documents: number the documents once")
        packed = self if self.documents is not None else other
        return Mask(
            causal=self.causal or other.causal,
            window=min(windows) if windows else None,
            key_lengths=torch.minimum(*lengths) if len(lengths) == 2 else lengths[0] if lengths else None,
            documents=packed.documents,
            key_documents=packed.key_documents,
            lineage=self.lineage if other.lineage is None else other.lineage,
        )

    @property
    def same_for_all_rows(self) -> bool:
        """Whether the truth table is the same for every row of the batch."""
        return self.key_lengths is None and self.documents is None and self.lineage is None

    @cached_property
    def every_row_has_keys(self) -> bool:
        """Whether no row of the batch is all padding."""
        return self.key_lengths is None or not len(self.key_lengths) or int(self.key_lengths.min()) > 0

    @property
    def hides_nothing(self) -> bool:
        """Whether every query sees every key."""
        return self.same_for_all_rows and not self.causal and self.window is None

    @property
    def only_causal(self) -> bool:
        """Whether the future is hidden and nothing else."""
        return self.same_for_all_rows and self.causal and self.window is None

    def allowed(
        self, n: int, m: int, offset: int = 0, device: torch.device | str | None = None
    ) -> Bool[Tensor, "#b 1 n m"]:
        """The truth table, True = may look, for ``n`` queries and ``m`` keys.

        It is kept for a while, since all blocks of a stack ask for the same one.
        """
        return self._kept((n, m, offset, str(device)), lambda: self._table(n, m, offset, device))

    def added(
        self, n: int, m: int, offset: int, device: torch.device, dtype: torch.dtype
    ) -> Float[Tensor, "#b 1 n m"]:
        """The truth table as what is added to scores: 0 where a query may look, otherwise −∞.

        >>> Mask(causal=True).added(2, 2, 0, torch.device("cpu"), torch.float32)[0, 0]
        tensor([[0., -inf],
                [0., 0.]])
        """

        def table() -> Tensor:
            forbidden = ~self.allowed(n, m, offset, device)
            return torch.zeros(forbidden.shape, dtype=dtype, device=device).masked_fill_(forbidden, -math.inf)

        return self._kept((n, m, offset, str(device), dtype), table)

    def _kept(self, asked: tuple[object, ...], make: Callable[[], Tensor]) -> Tensor:
        """The table that was asked for before, or a new one in place of the oldest."""
        table = self._tables.get(asked)
        if table is None:
            # A table made while decoding may be asked for in training, where inference tensors are refused.
            with torch.inference_mode(False):
                table = make()
            for old in list(self._tables)[: 1 - _TABLES]:
                self._tables.pop(old, None)  # which another thread may have done
            self._tables[asked] = table
        return table

    def _table(self, n: int, m: int, offset: int, device: torch.device | str | None) -> Tensor:
        if self.lineage is not None:
            return self._lineage_table(self.lineage, n, m)
        query = torch.arange(offset, offset + n, device=device)[:, None]
        key = torch.arange(m, device=device)[None, :]
        table = torch.ones(1, 1, n, m, dtype=torch.bool, device=device)
        if self.causal:
            table = table & (key <= query)
        if self.window is not None:
            table = table & ((key - query).abs() <= self.window)
        if self.key_lengths is not None:
            table = table & (key < self.key_lengths[:, None, None, None])
        if self.documents is not None:
            keys = self.documents if self.key_documents is None else self.key_documents
            table = table & (self.documents[:, None, :, None] == keys[:, None, None, :])
        return table

    def _lineage_table(self, lineage: Tensor, n: int, m: int) -> Tensor:
        _, beam, places = lineage.shape
        assert (n, m) == (beam, places * beam), (n, m, lineage.shape)
        hypotheses = torch.arange(beam, device=lineage.device)
        table = (lineage[..., None] == hypotheses).flatten(2)[:, None]
        if self.window is not None and places > self.window + 1:
            table[..., : (places - 1 - self.window) * beam] = False
        return table

    def window_table(self, n: int, device: torch.device | str | None = None) -> Bool[Tensor, "#b 1 c s t"]:
        """The truth table cut into c blocks of one window's size s: which of the t keys nearby may be seen.

        Block i of the queries can see blocks i−1, i and, unless causal, i+1 of the keys, so t is 2s or 3s.
        It is kept like that of `allowed`.
        """
        return self._kept(("window", n, str(device)), lambda: self._window_table(n, device))

    def _window_table(self, n: int, device: torch.device | str | None) -> Tensor:
        size = self.window
        assert size is not None
        assert self.documents is None
        blocks, around = -(-n // size), 2 if self.causal else 3
        start = torch.arange(blocks, device=device)[:, None, None] * size
        query = start + torch.arange(size, device=device)[None, :, None]
        key = start - size + torch.arange(around * size, device=device)[None, None, :]
        table = ((key - query).abs() <= size) & (key >= 0) & (key < n)
        if self.causal:
            table = table & (key <= query)
        table = table[None, None]
        if self.key_lengths is not None:
            table = table & (key < self.key_lengths[:, None, None, None, None])
        return table


EVERYTHING = Mask()
"""The mask that hides nothing."""


def real_places(lengths: Int[Tensor, " b"], n: int) -> Bool[Tensor, "b n"]:
    """Which of n places of each row hold tokens, the others being padding.

    >>> real_places(torch.tensor([2, 0]), 3)
    tensor([[ True,  True, False],
            [False, False, False]])
    """
    return torch.arange(n, device=lengths.device) < lengths[:, None]
