"""Decoders small enough to be compared token for token."""

from __future__ import annotations

import torch

from qkvae import config
from qkvae.generate.speculative import SpeculativePen
from qkvae.generate.writing import Pen, window_start
from qkvae.models import Decoder, build

VOCAB, CONTEXT = 12, 8


def model(positions: str = "rotary", vocab: int = VOCAB) -> Decoder:
    block = config.Block(dim=16, heads=2, hidden=32, positions=positions)  # type: ignore[arg-type]
    found = build(config.Decoder(block=block, depth=2, conv_size=3, vocab=vocab, max_length=CONTEXT)).eval()
    with torch.no_grad():
        for p in found.parameters():
            p.copy_(0.6 * torch.randn_like(p))  # no fresh model: its answers must depend on what it read
    return found


def written(pen: Pen | SpeculativePen) -> list[list[int]]:
    while pen.live:
        pen.step()
    return pen.texts


def distribution(found: Decoder, text: list[int], context: int) -> torch.Tensor:
    """Logits of what follows, by reading at once what is looked at."""
    with torch.no_grad():
        return found(torch.tensor([text[window_start(len(text), context) :]]))[0, -1]
