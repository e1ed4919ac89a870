"""Small models of each family, with nothing in them that is zero or one by chance."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from qkvae import config
from qkvae.models import Decoder, Encoder, build
from torch_twins import shake

POSITIONS = ["sinusoidal", "learned", "rotary", "alibi", "relative", "none"]
DISTANCES = ["rotary", "alibi", "relative", "none"]
VOCAB = 29


def shaken(model: nn.Module) -> Any:
    """Biases, norms and relative positions moved from where they start, in evaluation mode."""
    shake(model)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if name.endswith("bias.table"):
                p.normal_()
    return model.eval()


def small_block(**parts: Any) -> config.Block:
    return config.Block(**{"dim": 16, "heads": 4, "hidden": 24, "dropout": 0.2, **parts})


def small_decoder(
    depth: int = 2,
    memory: int = 0,
    tie: Any = "none",
    embedding: Any = "scaled",
    conv_size: int = 0,
    **parts: Any,
) -> Decoder:
    settings = config.Decoder(
        block=small_block(**parts),
        depth=depth,
        memory=memory,
        conv_size=conv_size,
        tie=tie,
        embedding=embedding,
        max_length=40,
        vocab=VOCAB,
    )
    return shaken(build(settings))


def small_encoder(
    head: config.Head | None = None,
    segments: int = 0,
    embedding: Any = "scaled",
    conv_size: int = 0,
    **parts: Any,
) -> Encoder:
    settings = config.Encoder(
        block=small_block(**parts),
        depth=2,
        head=head or config.MaskedWords(),
        segments=segments,
        conv_size=conv_size,
        embedding=embedding,
        max_length=40,
        vocab=VOCAB,
    )
    return shaken(build(settings))


def texts(*lengths: int) -> list[torch.Tensor]:
    """Random texts."""
    return [torch.randint(VOCAB, (length,)) for length in lengths]


def packed(rows: list[torch.Tensor], padding: tuple[int, int] = (0, 0)) -> tuple[torch.Tensor, torch.Tensor]:
    """All texts in one row with random padding around them, and their numbers."""
    numbers = torch.arange(len(rows)).repeat_interleave(torch.tensor([len(row) for row in rows]))
    before, after = padding
    row = torch.cat([torch.randint(VOCAB, (before,)), *rows, torch.randint(VOCAB, (after,))])
    return row[None], nn.functional.pad(numbers, padding, value=-1)[None]
