"""The texts that a decoder-only model is proven on, and what the equations say of them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from qkvae.models import Decoder
from qkvae.models.decoder import Prompted
from qkvae.nn.embedding import Embedding
from qkvae.prove.case import WritingCase, in_a_row, numbers, random_ids, real, rows_of

_PADDING = ((0, 0), (0, 7), (3, 2), (7, 0))


@dataclass(frozen=True)
class DecoderCase(WritingCase):
    """A decoder-only model with texts, which are prompts too."""

    model: Decoder
    taps: tuple[str, ...] = ("input.looked_up",)

    @property
    def texts(self) -> list[Int[Tensor, " n"]]:
        """The texts, each with BOS before it."""
        (ids,), bos = random_ids(self.model.settings, self.seed, 1), self.model.settings.marks.bos
        return [torch.tensor([bos, *ids[row].tolist()], device=self.device) for row in range(len(ids))]

    def alone(self, text: Int[Tensor, " n"]) -> list[Float[Tensor, "n v"]]:
        return [self.model(text[None])[0]]

    def together(self, padding: int = 0) -> list[Float[Tensor, "n v"]]:
        """Padding behind the texts needs no mask; before them it is a document of its own."""
        rows, lengths = rows_of(self.texts)
        if not padding:
            return self._cut(self.model(rows), lengths, 0)
        before, after = _PADDING[padding]
        after = min(after, self.model.settings.max_length - rows.shape[1])
        rows = self.garbage(rows, lengths, after)
        if not before:
            return self._cut(self.model(rows), lengths, 0)
        documents = torch.where(real(lengths, rows.shape[1]), 0, -1)
        rows = torch.cat([rows[:, :before], rows], 1)  # any tokens
        return self._cut(
            self.model(rows, torch.nn.functional.pad(documents, (before, 0), value=-1)), lengths, before
        )

    def packed(self) -> list[Float[Tensor, "n v"]]:
        texts = self.texts
        return list(self.model(*in_a_row(texts))[0].split([len(text) for text in texts]))

    def lengths(self) -> dict[str, Int[Tensor, " b"]]:
        return {self.taps[0]: rows_of(self.texts)[1]}

    def reach(self, text: Int[Tensor, " n"]) -> dict[str, int]:
        return {self.taps[0]: len(text) if self.window is None else self.window + 1}

    def table(self, name: str) -> Bool[Tensor, "1 1 n n"]:
        return self.near(max(len(text) for text in self.texts)).tril()[None, None]

    def embeddings(self) -> list[tuple[Embedding, float]]:
        settings = self.model.settings
        return [
            (self.model.input.embedding, settings.block.dim**0.5 if settings.embedding == "scaled" else 1.0)
        ]

    def not_tied(self) -> int:
        tied = self.model.head.weight is self.model.input.embedding.weight
        return int(tied is not (self.model.settings.tie == "embedding"))

    def inputs(self) -> list[list[int]]:
        return [text[: self.model.settings.max_length // 2].tolist() for text in self.texts]

    def begin(self, beam: int) -> Prompted:
        rows, lengths = rows_of([torch.tensor(ids, device=self.device) for ids in self.inputs()])
        return self.model.start(rows, lengths, beam, 1)

    def continued(
        self, texts: Int[Tensor, " rows"], tokens: Int[Tensor, "rows t"]
    ) -> Float[Tensor, "rows v"]:
        prompts = self.inputs()
        last: list[Tensor] = []
        for text, row in zip(numbers(texts), tokens, strict=True):
            prompt = torch.tensor(prompts[text], device=self.device)
            last.append(self.model(torch.cat([prompt, row])[None])[0, -1])
        return torch.stack(last)

    def log_p(self, ids: list[int], answer: list[int]) -> Float[Tensor, ""]:
        read = torch.tensor([*ids, *answer[:-1]], device=self.device)
        found = self.model(read[None])[0, len(ids) - 1 :].cpu().double().log_softmax(-1)
        return found.gather(1, torch.tensor(answer)[:, None]).sum()

    def _cut(self, logits: Tensor, lengths: Tensor, before: int) -> list[Tensor]:
        return [row[before : before + n] for row, n in zip(logits, numbers(lengths), strict=True)]


@dataclass(frozen=True)
class RememberingCase(DecoderCase):
    """A decoder-only model that carries keys and values from one segment of a text into the next."""

    def in_segments(self) -> list[Float[Tensor, "n v"]]:
        """The answers to all texts, each read in up to three segments, of which none outlasts the memory."""
        return [self._in_segments(text) for text in self.texts]

    def _in_segments(self, text: Int[Tensor, " n"]) -> Float[Tensor, "n v"]:
        before = min(self.model.settings.memory, len(text) - 1)
        cuts = itertools.pairwise((0, before // 2, before, len(text)))
        carried = self.model.carry()
        parts = [text[begin:end] for begin, end in cuts if end > begin]
        return torch.cat([self.model(part[None], None, carried)[0] for part in parts])
