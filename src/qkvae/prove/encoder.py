"""The texts that an encoder-only model is proven on, and what the equations say of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from qkvae import config
from qkvae.models import Encoder
from qkvae.nn.embedding import Embedding
from qkvae.prove.case import TextCase, in_a_row, numbers, random_ids, real, rows_of

_MORE = (0, 7, 1, 3)


@dataclass(frozen=True)
class EncoderCase(TextCase):
    """An encoder-only model with texts; its answer is the features, and then what its head makes of them."""

    model: Encoder
    taps: tuple[str, ...] = ("input.looked_up",)

    @property
    def texts(self) -> list[Int[Tensor, " n"]]:
        """The texts."""
        (ids,) = random_ids(self.model.settings, self.seed, 1)
        return [torch.tensor(ids[row].tolist(), device=self.device) for row in range(len(ids))]

    def alone(self, text: Int[Tensor, " n"]) -> list[Float[Tensor, "places numbers"]]:
        features = self.model.features(text[None])
        return [features[0], self.model.head(features)[0] if self._of_tokens else self.model.head(features)]

    def together(self, padding: int = 0) -> list[Float[Tensor, "places numbers"]]:
        rows, lengths = rows_of(self.texts)
        if padding:
            rows = self.garbage(
                rows, lengths, min(_MORE[padding], self.model.settings.max_length - rows.shape[1])
            )
        features = self.model.features(rows, lengths)
        told = self.model.head(features, lengths)
        found: list[Tensor] = []
        for row, n in enumerate(numbers(lengths)):
            found += [features[row, :n], told[row, :n] if self._of_tokens else told[row : row + 1]]
        return found

    def packed(self) -> list[Float[Tensor, "places numbers"]]:
        texts = self.texts
        row, documents = in_a_row(texts)
        features, lengths = self.model.features(row, documents=documents), [len(text) for text in texts]
        told = self.model.head(features, documents=documents)
        parts = torch.split(told[0], lengths) if self._of_tokens else torch.split(told, 1)
        return [each for pair in zip(torch.split(features[0], lengths), parts, strict=True) for each in pair]

    def lengths(self) -> dict[str, Int[Tensor, " b"]]:
        return {self.taps[0]: rows_of(self.texts)[1]}

    def reach(self, text: Int[Tensor, " n"]) -> dict[str, int]:
        return {self.taps[0]: len(text) if self.window is None else self.window + 1}

    def table(self, name: str) -> Bool[Tensor, "b 1 n n"]:
        rows, lengths = rows_of(self.texts)
        return real(lengths, rows.shape[1])[:, None, None, :] & self.near(rows.shape[1])

    def embeddings(self) -> list[tuple[Embedding, float]]:
        settings = self.model.settings
        return [
            (self.model.input.embedding, settings.block.dim**0.5 if settings.embedding == "scaled" else 1.0)
        ]

    def not_tied(self) -> int:
        own = dict(self.model.head.named_parameters()).get("weight", self.model.input.embedding.weight)
        return int(own is not self.model.input.embedding.weight)

    @property
    def _of_tokens(self) -> bool:
        """Whether the head says something of every token, not of the whole text."""
        return isinstance(self.model.settings.head, config.MaskedWords | config.Spans)
