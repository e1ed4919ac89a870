"""Models small enough to be searched whole, and one whose distribution is known."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from qkvae.config import Block, Seq2Seq
from qkvae.data.tokenizer import EOS
from qkvae.models import build

Positions = Literal["sinusoidal", "learned", "rotary", "alibi", "relative", "none"]


def tiny(
    vocab: int = 40,
    positions: Positions = "sinusoidal",
    key_heads: int | None = None,
    window: int | None = None,
    order: Literal["pre", "post"] = "pre",
    eos: float = 0.0,
    seed: int = 0,
) -> Any:
    """A model with random weights, sharp enough to have opinions; ``eos`` makes it end sooner or later."""
    torch.manual_seed(seed)
    block = Block(
        dim=16, heads=4, key_heads=key_heads, hidden=32, positions=positions, window=window, norm_order=order
    )
    model = build(Seq2Seq(block=block, encoder_depth=1, decoder_depth=2, vocab=vocab, tie="none")).eval()
    with torch.no_grad():
        model.head.weight.mul_(2.0)
        if model.decoder.bias is not None and positions == "relative":
            model.decoder.bias.table.normal_()  # pyright: ignore
        if eos:
            # The last norm's shift is what the head reads in every step.
            direction = model.head.weight[EOS]
            norm = model.decoder.norm if order == "pre" else model.decoder.blocks[-1].norm3
            norm.bias.add_(eos * direction / direction.norm())  # pyright: ignore
    return model


def sentences(number: int, vocab: int = 40, longest: int = 12, seed: int = 0) -> list[list[int]]:
    """Random inputs, the empty one among them."""
    generator = torch.Generator().manual_seed(seed)
    lengths = [0, *torch.randint(1, longest + 1, (number - 1,), generator=generator).tolist()]
    return [torch.randint(4, vocab, (length,), generator=generator).tolist() for length in lengths]


def every_answer(model: Any, source: list[int], limit: int) -> dict[tuple[int, ...], float]:
    """ln p of every answer, by running the whole model on each; those of ``limit`` tokens are cut."""
    vocab = model.settings.vocab
    words = range(3, vocab)
    found: dict[tuple[int, ...], float] = {}
    with torch.no_grad():
        for length in range(limit + 1):
            for ids in itertools.product(words, repeat=length):
                target = [*ids, EOS] if length < limit else [*ids]
                read = torch.tensor([[1, *target[:-1]]])
                log_p = model(torch.tensor([[*source, EOS]]), read).log_softmax(-1)[0]
                found[ids] = sum(float(log_p[place, token]) for place, token in enumerate(target))
    return found


class Dice:
    """A model that says the same whatever it reads."""

    def __init__(self, probabilities: list[float]) -> None:
        self.logits = torch.tensor(probabilities).log()
        self.training = False

    def train(self, mode: bool = True) -> None:
        self.training = mode

    def parameters(self) -> Iterator[Tensor]:
        yield self.logits

    def start(self, source: Tensor, source_lengths: Tensor, beam: int, capacity: int) -> Dice:
        return self

    def read(self, tokens: Tensor, cache: Dice) -> Tensor:
        return tokens[:, None].float()

    def predict(self, features: Tensor) -> Tensor:
        return self.logits.repeat(len(features), 1)

    def reorder(self, rows: Tensor) -> None: ...

    def keep(self, sentences: Tensor) -> None: ...
