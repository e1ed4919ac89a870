"""The sentence pairs that an encoder-decoder is proven on, and what the equations say of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from qkvae.data.batches import SentencePairs, Seq2SeqBatch, collate
from qkvae.inspect.taps import record
from qkvae.models import Seq2Seq
from qkvae.nn.cache import Cache
from qkvae.nn.embedding import Embedding
from qkvae.nn.masks import Mask
from qkvae.prove.case import WritingCase, numbers, random_ids, real

_PADDING = ((0, 0), (0, 7), (1, 6), (7, 0))


@dataclass(frozen=True)
class Sentence:
    """One pair as the equations have it: no padding, no batch."""

    source: Int[Tensor, "1 n"]
    target_in: Int[Tensor, "1 m"]
    target_out: Int[Tensor, "1 m"]


@dataclass(frozen=True)
class Seq2SeqCase(WritingCase):
    """An encoder-decoder with sentence pairs."""

    model: Seq2Seq
    taps: tuple[str, ...] = ("source_embedded", "target_embedded")

    @property
    def pairs(self) -> SentencePairs:
        """The tokens of the pairs."""
        sources, targets = random_ids(self.model.settings, self.seed, 2)
        return SentencePairs(sources, targets, self.model.settings.marks)

    @property
    def batch(self) -> Seq2SeqBatch:
        """All pairs as the training sees them."""
        pairs = self.pairs
        return collate(pairs, np.arange(len(pairs))).to(self.device)

    @property
    def texts(self) -> list[Sentence]:
        """Each pair by itself, made here and not by the code that makes batches."""
        pairs = self.pairs
        return [
            self._sentence(pairs.sources[row].tolist(), pairs.targets[row].tolist())
            for row in range(len(pairs))
        ]

    def alone(self, text: Sentence) -> list[Float[Tensor, "m v"]]:
        return [self.model(text.source, text.target_in)[0]]

    def together(self, padding: int = 0) -> list[Float[Tensor, "m v"]]:
        batch, limit = self.batch, self.model.settings.max_length
        room = limit - max(batch.source.shape[1], batch.target_in.shape[1])
        more, less = (min(each, room) for each in _PADDING[padding])
        source, target = batch.source, batch.target_in
        if padding:
            source = self.garbage(source, batch.source_lengths, more)
            target = self.garbage(target, batch.target_lengths, less)
        logits = self.model(source, target, batch.source_lengths)
        return [row[:length] for row, length in zip(logits, numbers(batch.target_lengths), strict=True)]

    def packed(self) -> list[Float[Tensor, "m v"]]:
        parts: dict[str, list[Tensor]] = {name: [] for name in self.taps}
        for text in self.texts:
            with record(self.model, list(self.taps)) as seen:
                self.alone(text)
            for name, each in parts.items():
                each.append(seen[name])
        source, target = ([x.shape[1] for x in parts[name]] for name in self.taps)

        def documents(lengths: list[int]) -> Tensor:
            counts = torch.tensor(lengths, device=self.device)
            return torch.arange(len(lengths), device=self.device).repeat_interleave(counts)[None]

        sources, targets = documents(source), documents(target)
        joined = [torch.cat(parts[name], 1) for name in self.taps]
        encoded = self.model.encoder(joined[0], Mask(documents=sources, window=self.window))
        memories = self.model.decoder.remember(encoded, Mask(documents=targets, key_documents=sources))
        mask = Mask(causal=True, documents=targets, window=self.window)
        return list(self.model.head(self.model.decoder(joined[1], mask, memories))[0].split(target))

    def lengths(self) -> dict[str, Int[Tensor, " b"]]:
        batch = self.batch
        return dict(zip(self.taps, (batch.source_lengths, batch.target_lengths), strict=True))

    def reach(self, text: Sentence) -> dict[str, int]:
        target = text.target_in.shape[1] if self.window is None else self.window + 1
        return dict(zip(self.taps, (text.source.shape[1], target), strict=True))

    def table(self, name: str) -> Bool[Tensor, "#b 1 n m"]:
        batch = self.batch
        there = real(batch.source_lengths, batch.source.shape[1])[:, None, None, :]
        if "cross_attention" in name:
            return there
        if name.startswith("encoder."):
            return there & self.near(batch.source.shape[1])
        return self.near(batch.target_in.shape[1]).tril()[None, None]

    def embeddings(self) -> list[tuple[Embedding, float]]:
        scale = self.model.settings.block.dim**0.5
        return [(self.model.source_embedding, scale), (self.model.target_embedding, scale)]

    def not_tied(self) -> int:
        model = self.model
        head, target, source = model.head.weight, model.target_embedding.weight, model.source_embedding.weight
        match model.settings.tie:
            case "all":
                return (head is not target) + (source is not target)
            case "target":
                return (head is not target) + (source is target)
            case "none":
                return (head is target) + (source is target)

    def inputs(self) -> list[list[int]]:
        pairs = self.pairs
        return [pairs.sources[row].tolist() for row in range(len(pairs))]

    def begin(self, beam: int) -> Cache:
        batch = self.batch
        return self.model.start(batch.source, batch.source_lengths, beam, 1)

    def continued(
        self, texts: Int[Tensor, " rows"], tokens: Int[Tensor, "rows t"]
    ) -> Float[Tensor, "rows v"]:
        batch = self.batch
        return self.model(batch.source[texts], tokens, batch.source_lengths[texts])[:, -1]

    def log_p(self, ids: list[int], answer: list[int]) -> Float[Tensor, ""]:
        text = self._sentence(ids, answer[:-1])
        found = self.log_p_of(text).gather(1, torch.tensor(answer)[:, None])
        return found.sum()

    def log_p_of(self, text: Sentence) -> Float[Tensor, "m v"]:
        """ln p of every token at every place, in double precision, on the CPU."""
        return self.alone(text)[0].cpu().double().log_softmax(-1)

    def _sentence(self, source: list[int], target: list[int]) -> Sentence:
        marks = self.model.settings.marks
        rows = ([*source, marks.eos], [marks.bos, *target], [*target, marks.eos])
        return Sentence(*(torch.tensor([ids], device=self.device) for ids in rows))
