"""Speculative decoding: a small model proposes some tokens, a large one judges them all in one reading.

Leviathan et al. 2023, arXiv:2211.17192; Chen et al. 2023, arXiv:2302.01318.  What is written has the large
model's distribution, whatever the small one proposes: that decides only how quickly it is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from qkvae.config import Writing
from qkvae.generate.filters import filtered, only, without_repetition
from qkvae.generate.sampling import inverse_cdf
from qkvae.generate.writing import window_start
from qkvae.models import Decoder
from qkvae.models.decoder import Prompted


@runtime_checkable
class Chance(Protocol):
    """Where chance decides."""

    def draw(self, distribution: Float[Tensor, " v"]) -> int:
        """A token, drawn from its distribution."""
        ...

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        ...


class Drawn:
    """Chance that is a function of a seed and what a text begins with."""

    def __init__(self, seed: int, prompt: Sequence[int]) -> None:
        self._generator = np.random.default_rng([seed, *prompt])

    def draw(self, distribution: Float[Tensor, " v"]) -> int:
        """A token, drawn from its distribution."""
        uniform = torch.tensor([self._generator.random()], dtype=torch.float64)
        return int(inverse_cdf(distribution.log()[None], uniform))

    def happens(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return bool(self._generator.random() < probability)


def judged(
    proposed: Sequence[int],
    draft: Float[Tensor, "k v"],
    model: Float[Tensor, "k+1 v"],
    chance: Chance,
) -> list[int]:
    """The tokens to write when ``proposed`` were drawn from the rows of ``draft``: k + 1 of them at most.

    A token x that was drawn from q is kept with the probability min(1, p(x) / q(x)); instead of the first one
    that is not, a token is drawn from max(0, p − q) / Σ max(0, p − q), and what was proposed after it is
    dropped.  A token is then x with the probability
    min(p(x), q(x)) + (1 − Σ min(p, q)) · max(0, p(x) − q(x)) / Σ max(0, p − q) = p(x).  Where all are kept,
    one more is drawn from p.

    >>> certain = torch.eye(3, dtype=torch.float64)  # the model says 0, then 1, then 2
    >>> judged([0, 2], certain[[0, 2]], certain, Drawn(0, []))
    [0, 1]
    """
    for place, token in enumerate(proposed):
        p, q = model[place], draft[place]
        if not chance.happens(min(1.0, float(p[token] / q[token]))):
            rest = (p - q).clamp_min(0)
            return [*proposed[:place], chance.draw(rest / rest.sum())]
    return [*proposed, chance.draw(model[len(proposed)])]


class Following:
    """A model that reads along with one text, of which some tokens may be taken back."""

    def __init__(self, model: Decoder, context: int) -> None:
        """
        Args:
            model: in the mode for use.
            context: how far back it looks, in tokens; what it looks at slides as `writing.window_start` says.
        """
        self.model, self.context = model, context
        self._device = next(model.parameters()).device
        self._cache: Prompted | None = None
        self._start = 0
        self._read: list[int] = []  # what the cache holds

    def logits(self, text: Sequence[int], count: int) -> Float[Tensor, "count v"]:
        """What follows each of the last ``count`` tokens of the text, which one window must hold."""
        start = window_start(len(text), self.context)
        assert start == window_start(len(text) - count + 1, self.context)
        shown = list(text[start:])
        if self._cache is None or start != self._start:
            before = torch.tensor([shown[:-count]], dtype=torch.long, device=self._device)
            self._cache = self.model.start(before, capacity=max(count, self.context - before.shape[1]))
            self._start, self._read = start, shown[:-count]
        known = min(_alike(self._read, shown), len(shown) - count)
        self._cache.back_to(known)
        tokens = torch.tensor([shown[known:]], dtype=torch.long, device=self._device)
        features = self.model.read_on(tokens, self._cache)
        self._read = shown
        return self.model.predict(features[0, -count:]).float().cpu()


@dataclass(frozen=True)
class Draft:
    """Who proposes."""

    model: Decoder
    """With the same vocabulary as the model that judges; in the mode for use."""

    context: int
    """How far back it looks, in tokens."""

    ahead: int
    """Tokens proposed at a time, at most."""


class SpeculativePen:
    """`writing.Pen` with a draft: each text has the same distribution as there, but is another draw from it.

    Always taking the most probable token (``temperature`` 0), the texts are the same.  Each is written by
    itself: reading ahead is for one text at a time, where a large model waits for its weights.

    >>> from qkvae.config import Block, Decoder as Settings
    >>> large, small = (Settings(block=Block(dim=8, heads=2, hidden=16), depth=n, vocab=10) for n in (2, 1))
    >>> draft = Draft(Decoder(small).eval(), context=8, ahead=3)
    >>> pen = SpeculativePen(Decoder(large).eval(), draft, [[1, 5]], Writing(tokens=6), context=8)
    >>> while pen.live:
    ...     written = pen.step()
    >>> [len(text) for text in pen.texts]
    [8]
    """

    def __init__(
        self,
        model: Decoder,
        draft: Draft,
        prompts: Sequence[Sequence[int]],
        settings: Writing,
        context: int,
        forbidden: Sequence[int] = (),
        seed: int = 0,
        first: Mapping[int, Sequence[int]] | None = None,
    ) -> None:
        """
        Args:
            draft: who proposes.
            model, prompts, settings, context, forbidden, seed, first: as for `writing.Pen`.

        Raises:
            ValueError: a prompt is empty, or the draft knows another number of tokens.
        """
        known = (model.settings.vocab, draft.model.settings.vocab)
        if known[0] != known[1]:
            raise ValueError(
                f"the draft knows {known[1]} tokens, but the model {known[0]}: their tokenizers differ"
            )
        if not all(len(prompt) for prompt in prompts):
            raise ValueError("a prompt is empty: begin it with <s>")
        self.texts = [list(map(int, prompt)) for prompt in prompts]
        self.live = list(range(len(prompts)))
        """The texts that go on, by number."""
        self.proposed = self.kept = 0
        """Tokens that the draft proposed, and those of them that were written."""
        self._ahead, self._settings = draft.ahead, settings
        self._forbidden, self._first = list(forbidden), first or {}
        self._begins = [len(prompt) for prompt in prompts]
        self._waiting: list[list[int]] = [[] for _ in prompts]  # decided, and not yet handed out
        self._chances: list[Chance] = [Drawn(seed, prompt) for prompt in self.texts]
        self._models = [Following(model, context) for _ in prompts]
        self._drafts = [Following(draft.model, draft.context) for _ in prompts]

    @torch.inference_mode()
    def step(self) -> dict[int, int]:
        """Continue every live text by one token; the tokens by the numbers of the texts."""
        written: dict[int, int] = {}
        for row in self.live:
            if not self._waiting[row]:
                self._waiting[row] = self._decide(row)
            written[row] = self._waiting[row].pop(0)
            self.texts[row].append(written[row])
        self.live = [row for row in self.live if self._left(row)]
        return written

    def end(self, row: int) -> None:
        """This text is finished."""
        if row in self.live:
            self.live.remove(row)

    def _left(self, row: int) -> int:
        return self._settings.tokens - (len(self.texts[row]) - self._begins[row])

    def _decide(self, row: int) -> list[int]:
        """The next tokens of a text: one at least."""
        text, model, drafting = list(self.texts[row]), self._models[row], self._drafts[row]
        begin = window_start(len(text), model.context)
        most = min(self._ahead, self._left(row) - 1)
        while window_start(len(text) + most, model.context) != begin:
            most -= 1  # what is judged together is seen through one window
        guesses: list[Tensor] = []
        for _ in range(most):
            guesses.append(self._distribution(drafting.logits(text, 1)[0], row, text))
            text.append(self._chances[row].draw(guesses[-1]))
        logits = model.logits(text, most + 1)
        there = len(text) - most
        truths = [self._distribution(each, row, text[: there + place]) for place, each in enumerate(logits)]
        proposed = text[there:]
        draft = torch.stack(guesses) if guesses else logits.new_empty(0, logits.shape[1])
        found = judged(proposed, draft, torch.stack(truths), self._chances[row])
        self.proposed += most
        self.kept += len(found) - 1
        return found

    def _distribution(
        self, logits: Float[Tensor, " v"], row: int, text: Sequence[int]
    ) -> Float[Tensor, " v"]:
        """From what a model says to what the settings make of it, in double precision."""
        written = text[self._begins[row] :]
        logits[self._forbidden] = -torch.inf
        if not written and row in self._first:
            logits = only(logits, self._first[row])
        logits = without_repetition(logits, written, self._settings.repetition)
        if not self._settings.temperature:
            certain = torch.zeros_like(logits, dtype=torch.float64)
            certain[logits.argmax()] = 1
            return certain
        return filtered(logits[None], self._settings)[0].double().softmax(-1)


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """How many first tokens two texts share.

    >>> _alike([1, 2, 3], [1, 2, 4, 5])
    2
    """
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))
