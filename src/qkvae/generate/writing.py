"""Texts continued side by side, a token of each at a time, however long they become."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.config import Writing
from qkvae.data.tokenizer import PAD
from qkvae.generate.filters import filtered, only, without_repetition
from qkvae.generate.sampling import inverse_cdf, uniforms
from qkvae.models import Decoder
from qkvae.models.decoder import Prompted


def window_start(length: int, context: int) -> int:
    """The first token of a text of ``length`` tokens that is still looked at.

    A model that learned to look back over ``context`` tokens is shown at most so many.  When they are full,
    the older half is forgotten and the newer one is read again as if the text began there, which is how a row
    of training begins; so half of the context at least is always seen, and where the window stands depends on
    nothing but the length.

    >>> [window_start(length, context=4) for length in (3, 4, 5, 6, 7)]
    [0, 0, 2, 2, 4]
    """
    half = max(1, context // 2)
    return 0 if length <= context else half * (-(-length // half) - 2 if context > 1 else length - 1)


class Pen:
    """Some texts, each of which is continued by one token at each step.

    A text goes on as it would alone: neither the others nor the order of them matter.

    >>> from qkvae.config import Block, Decoder as Settings
    >>> model = Decoder(Settings(block=Block(dim=8, heads=2, hidden=16), depth=1, vocab=10)).eval()
    >>> pen = Pen(model, [[1, 5], [1]], Writing(tokens=3, temperature=0), context=4)
    >>> while pen.live:
    ...     written = pen.step()
    >>> [len(text) for text in pen.texts], len(written)
    ([5, 4], 2)
    """

    def __init__(
        self,
        model: Decoder,
        prompts: Sequence[Sequence[int]],
        settings: Writing,
        context: int,
        forbidden: Sequence[int] = (),
        seed: int = 0,
        first: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        """
        Args:
            model: in the mode for use.
            prompts: token ids with all that they begin with, at least one token each.
            settings: ``stop``, ``batch`` and ``draft`` are the caller's to obey.
            context: how far back the model looks, in tokens.
            forbidden: tokens that are never written.
            seed: of the drawing; ``settings.seed`` is the caller's to choose.
            first: of these texts, by number, the first token that is written is one of those named.

        Raises:
            ValueError: a prompt is empty.
        """
        if not all(len(prompt) for prompt in prompts):
            raise ValueError("a prompt is empty: begin it with <s>")
        self.texts = [list(map(int, prompt)) for prompt in prompts]
        self.live = list(range(len(prompts)))
        """The texts that go on, by number."""
        self._model, self._settings, self._context = model, settings, context
        self._device = next(model.parameters()).device
        self._forbidden = torch.tensor(list(forbidden), dtype=torch.long, device=self._device)
        self._begins = [len(prompt) for prompt in prompts]
        self._first = first or {}
        self._drawn: Tensor | None = None
        if settings.temperature:
            limits = [settings.tokens] * len(prompts)
            self._drawn = uniforms(self.texts, limits, 1, seed)
        self._cache: Prompted | None = None
        self._starts: list[int] = []  # where the window of each live text stands
        self._steps = 0

    @torch.inference_mode()
    def step(self) -> dict[int, int]:
        """Continue every live text by one token; the tokens by the numbers of the texts.

        A text that has ``settings.tokens`` tokens more than its prompt lives no longer.
        """
        starts = [window_start(len(self.texts[row]), self._context) for row in self.live]
        if self._cache is None or starts != self._starts:
            self._cache, self._starts = self._read(starts), starts
        newest = torch.tensor([self.texts[row][-1] for row in self.live], device=self._device)
        features = self._model.read(newest, self._cache)
        chosen = cast("list[int]", self._choose(self._model.predict(features).float()).tolist())
        written = dict(zip(self.live, chosen, strict=True))
        for row, token in written.items():
            self.texts[row].append(token)
        self._steps += 1
        if self._steps == self._settings.tokens:
            self.live = []
        return written

    def end(self, row: int) -> None:
        """This text is finished."""
        if row not in self.live:
            return
        kept = [place for place, each in enumerate(self.live) if each != row]
        self.live.remove(row)
        self._starts = [self._starts[place] for place in kept]
        if self.live and self._cache is not None:
            with torch.inference_mode():
                self._cache.keep(torch.tensor(kept, device=self._device))

    def _read(self, starts: list[int]) -> Prompted:
        """A cache that has read what each live text shows but its newest token, which the step reads."""
        shown = [self.texts[row][start:-1] for row, start in zip(self.live, starts, strict=True)]
        longest = max(map(len, shown))
        rows = [ids + [PAD] * (longest - len(ids)) for ids in shown]
        prompt = torch.tensor(rows, dtype=torch.long, device=self._device).view(len(rows), longest)
        lengths = torch.tensor([len(ids) for ids in shown], device=self._device)
        room = min(self._settings.tokens - self._steps, max(1, self._context - longest))
        return self._model.start(prompt, lengths, 1, room)

    def _choose(self, logits: Float[Tensor, "live v"]) -> Int[Tensor, " live"]:
        logits[:, self._forbidden] = -torch.inf
        for place, row in enumerate(self.live):
            if row in self._first and not self._steps:
                logits[place] = only(logits[place], self._first[row])
            if self._settings.repetition > 1:
                written = self.texts[row][self._begins[row] :]
                logits[place] = without_repetition(logits[place], written, self._settings.repetition)
        if self._drawn is None:
            return logits.argmax(-1)
        return inverse_cdf(filtered(logits, self._settings), self._drawn[self.live, self._steps])
