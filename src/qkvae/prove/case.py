"""What a check asks of a model, whichever family it is of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import SPECIALS
from qkvae.nn.cache import Cache
from qkvae.nn.embedding import Embedding

_TEXTS = 5
_LONGEST = 24


@dataclass(frozen=True)
class Case(ABC):
    """A model in fp32 that drops nothing, and random examples for it.

    An *answer* is what the model says at every place of one example: [places, numbers].
    """

    model: Any
    seed: int

    taps: tuple[str, ...] = ()
    """Where what is read becomes vectors: of each sequence that the model reads."""

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return next(iter(self.model.parameters())).device

    def generator(self) -> torch.Generator:
        """Random numbers of this case's own."""
        return torch.Generator().manual_seed(self.seed)

    @property
    @abstractmethod
    def examples(self) -> Sequence[Any]:
        """What the model reads, one by one."""

    @abstractmethod
    def alone(self, example: Any, /) -> list[Float[Tensor, "places numbers"]]:
        """The answer to one example, and what else the model says of it."""

    @abstractmethod
    def together(self, padding: int = 0) -> list[Float[Tensor, "places numbers"]]:
        """What `alone` gives of all examples, read in one batch; ``padding`` chooses how much there is and
        where, if there can be any."""

    def not_tied(self) -> int:
        """How many of the matrices that the config calls one are not, or the other way round."""
        return 0


@dataclass(frozen=True)
class AttentionCase(Case):
    """A model whose vectors look at each other."""

    @abstractmethod
    def reach(self, example: Any, /) -> dict[str, int]:
        """How many of an example's last vectors must decide the last number of its answer, by tap."""

    @abstractmethod
    def table(self, name: str) -> Bool[Tensor, "#b 1 #n #m"]:
        """Who may see whom in the attention of this name, in the batch of `together`."""


@dataclass(frozen=True)
class TextCase(AttentionCase):
    """A model that reads texts, of different lengths."""

    @property
    def examples(self) -> Sequence[Any]:
        """The texts."""
        return self.texts

    @property
    def window(self) -> int | None:
        """How far self-attention sees."""
        return self.model.settings.block.window

    def garbage(self, ids: Int[Tensor, "b n"], lengths: Int[Tensor, " b"], more: int) -> Int[Tensor, "b m"]:
        """The same rows with ``more`` places of padding, which holds any tokens."""
        shape = (len(ids), ids.shape[1] + more)
        noise = torch.randint(self.model.settings.vocab, shape, generator=self.generator()).to(ids.device)
        return torch.where(real(lengths, shape[1]), F.pad(ids, (0, more)), noise)

    def near(self, n: int) -> Bool[Tensor, "n n"]:
        """Which places the window leaves to each."""
        places = torch.arange(n, device=self.device)
        return (places[:, None] - places).abs() <= (n if self.window is None else self.window)

    @property
    @abstractmethod
    def texts(self) -> Sequence[Any]:
        """The texts, each by itself."""

    @abstractmethod
    def packed(self) -> list[Float[Tensor, "places numbers"]]:
        """The answers to all texts, read in one row that a mask of documents divides."""

    @abstractmethod
    def lengths(self) -> dict[str, Int[Tensor, " b"]]:
        """How many tokens of each row of the batch of `together` are real, by tap."""

    @abstractmethod
    def embeddings(self) -> list[tuple[Embedding, float]]:
        """Each embedding, and by what its look-ups are to be multiplied."""


class WritingCase(TextCase):
    """A model that also writes."""

    @abstractmethod
    def inputs(self) -> list[list[int]]:
        """What `generate` is given."""

    @abstractmethod
    def begin(self, beam: int) -> Cache:
        """The inputs read, for so many hypotheses each."""

    @abstractmethod
    def continued(
        self, texts: Int[Tensor, " rows"], tokens: Int[Tensor, "rows t"]
    ) -> Float[Tensor, "rows v"]:
        """Logits of the token after ``tokens``, which go on from these inputs, without a cache."""

    @abstractmethod
    def log_p(self, ids: list[int], answer: list[int]) -> Float[Tensor, ""]:
        """ln p(answer | ids), all at once, in double precision."""


def numbers(x: Tensor) -> list[int]:
    """A vector of whole numbers as a list."""
    return cast("list[int]", x.tolist())


def real(lengths: Int[Tensor, " b"], length: int) -> Bool[Tensor, "b length"]:
    """Which places of a padded batch hold tokens."""
    return torch.arange(length, device=lengths.device) < lengths[:, None]


def rows_of(texts: list[Tensor]) -> tuple[Int[Tensor, "b n"], Int[Tensor, " b"]]:
    """Texts as a rectangle, and their lengths."""
    lengths = torch.tensor([len(text) for text in texts], device=texts[0].device)
    return torch.nn.utils.rnn.pad_sequence(texts, batch_first=True), lengths


def in_a_row(texts: list[Tensor]) -> tuple[Int[Tensor, "1 n"], Int[Tensor, "1 n"]]:
    """Texts one after the other, and the number of each."""
    lengths = torch.tensor([len(text) for text in texts], device=texts[0].device)
    return torch.cat(texts)[None], torch.arange(len(texts), device=lengths.device).repeat_interleave(lengths)[
        None
    ]


def random_ids(settings: Any, seed: int, sides: int) -> list[Ragged]:
    """Random texts that fit a model: one long enough for its window, one of a single token, none empty."""
    longest = max(1, min(settings.max_length - 8, max(_LONGEST, 4 * (settings.block.window or 0) + 4)))
    first = min(len(SPECIALS), settings.vocab - 1)
    generator = np.random.default_rng(seed)
    made: list[Ragged] = []
    for side in range(sides):
        lengths = [longest, 1] if side == 0 else [1, longest]
        lengths += [int(n) for n in generator.integers(1, longest + 1, _TEXTS - 2)]
        texts = [[int(x) for x in generator.integers(first, settings.vocab, n)] for n in lengths]
        made.append(Ragged.from_lists(texts))
    return made
