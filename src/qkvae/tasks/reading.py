"""Many texts through an encoder, without padding: what its head makes of each.  For every task that reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae.config import Marks
from qkvae.config.names import many
from qkvae.data.encoded import Sentences
from qkvae.data.packed import PackedBatch, PackedSentences
from qkvae.data.ragged import Ints
from qkvae.models import Encoder

if TYPE_CHECKING:  # a run that is used has nobody to tell
    from qkvae.train.progress import Reporter

_TOKENS = 8192  # of a batch: bounds the memory, decides nothing else

PAIRED = 4
"""Kinds of tokens that a new model of pairs of texts tells apart."""


def evenly(count: int, most: int) -> Ints:
    """At most so many of the numbers below ``count``, evenly spread, so that sorted data are met in all their
    parts.

    >>> evenly(10, 4).tolist(), evenly(3, 4).tolist()
    ([0, 3, 6, 9], [0, 1, 2])
    """
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def say_cuts(reporter: Reporter, training: int, validation: int, longest: int) -> None:
    """Tell how many texts of each part were cut at so many tokens, where any were."""
    for part, count in (("training", training), ("validation", validation)):
        if count:
            reporter.say(f"note: the ends of {many(count, f'{part} text')} are cut, after {longest} tokens")


def read_packed(model: Encoder, batch: PackedBatch) -> Float[Tensor, "..."]:
    """What the head makes of a packed batch: of its texts in the order of ``batch.sentences``, or of every
    token."""
    return model(batch.ids, None, _segments(model, batch), batch.documents)


def packed_features(model: Encoder, batch: PackedBatch) -> Float[Tensor, "rows length dim"]:
    """What the head reads of a packed batch."""
    return model.features(batch.ids, None, _segments(model, batch), batch.documents)


def _segments(model: Encoder, batch: PackedBatch) -> Int[Tensor, "rows length"] | None:
    return told(model, batch.segments)


def told(model: Encoder, kinds: Int[Tensor, "*batch"]) -> Int[Tensor, "*batch"] | None:
    """What of the kinds of tokens (see `data.encoded.Sentences.kinds`) a model is told: all, in which text
    each is, or nothing.

    >>> from qkvae import config
    >>> block = config.Block(dim=8, heads=2, hidden=16)
    >>> of_texts = Encoder(config.Encoder(block=block, depth=1, segments=2, vocab=9))
    >>> told(of_texts, torch.tensor([0, 2, 1, 3]))
    tensor([0, 0, 1, 1])
    """
    known = model.settings.segments
    if known < 2:
        return None
    return kinds if known == PAIRED else kinds % 2


def kinds_told(model: Encoder, text: Sentences) -> list[int] | None:
    """What a model is told of the tokens of a text, or of a pair, beside what they are; None if nothing."""
    kinds = told(model, torch.from_numpy(text.kinds()))
    return None if kinds is None else cast("list[int]", kinds.tolist())


def read_all(model: Encoder, sentences: Sentences) -> Float[Tensor, "texts classes"]:
    """What the head tells of each text, in their order, in fp32 on the CPU: [texts, classes].

    Raises:
        ValueError: there are no texts.
    """
    longest = int(sentences.ids.lengths.max(initial=1))
    device, was_training = next(model.parameters()).device, model.training
    found: list[Tensor] = []
    order: list[Tensor] = []
    model.eval()
    try:
        with torch.no_grad():
            for batch in PackedSentences(sentences, longest, _TOKENS, seed=0).once():
                found.append(read_packed(model, batch.to(device)).float().cpu())
                order.append(batch.sentences)
    finally:
        model.train(was_training)
    told, places = torch.cat(found), torch.cat(order)
    return torch.empty_like(told).index_copy(0, places, told)


def words_hidden(batch: PackedBatch, p: float, marks: Marks) -> PackedBatch:
    """The batch with tokens of the texts unknown, each with probability ``p``; special ones stay."""
    hidden = marks.pad if marks.unk is None else marks.unk
    framing = torch.tensor([marks.pad, marks.bos, marks.eos, hidden])
    chosen = (torch.rand(batch.ids.shape) < p) & ~torch.isin(batch.ids, framing)
    return replace(batch, ids=batch.ids.masked_fill(chosen, hidden))
