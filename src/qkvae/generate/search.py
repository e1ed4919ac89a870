"""Inputs to answers: batches longest first, answers in the order of the inputs."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from qkvae.config import Generation
from qkvae.data.tokenizer import PAD
from qkvae.generate.beam import beam_search
from qkvae.generate.chains import chains
from qkvae.generate.hypothesis import Hypothesis, rerank
from qkvae.generate.model import Decodable, marks_of
from qkvae.generate.quick import quick
from qkvae.generate.sampling import Sampler, most_probable, uniforms
from qkvae.models import Decoder

Ids = Sequence[int] | NDArray[Any]
"""The tokens of one input: a source without special tokens, or a prompt with all that it begins with."""


def generate(
    model: Decodable[Any], sources: Sequence[Ids], settings: Generation, longest: int | None = None
) -> list[list[Hypothesis]]:
    """The ``settings.nbest`` best answers to each input, best first.

    No answer is longer than ``longest`` tokens, whatever the settings say: what a model can write.  An answer
    does not depend on the other inputs.  Ranked by log-probability / length ** length_penalty, EOS counted.
    A search may find fewer answers than asked for where there are no more (a tiny vocabulary, a short limit).

    >>> from qkvae.config import Block, Seq2Seq
    >>> from qkvae.models import build
    >>> model = build(Seq2Seq(block=Block(dim=8, heads=2, hidden=16), vocab=10))
    >>> answers = generate(model, [[5, 6, 7], [8]], Generation(beam=3, nbest=2, max_length=4))
    >>> [len(each) for each in answers], answers[0][0].score >= answers[0][1].score
    ([2, 2], True)
    """
    return [each[: settings.nbest] for each in finished_hypotheses(model, sources, settings, longest)]


def finished_hypotheses(
    model: Decodable[Any], sources: Sequence[Ids], settings: Generation, longest: int | None = None
) -> list[list[Hypothesis]]:
    """All answers that one search (or sampling) finishes for each input, best first.

    The search takes no notice of the length penalty: `rerank` gives what a search with another one would
    give.
    """
    found: list[list[Hypothesis]] = [[] for _ in sources]
    order = sorted(range(len(sources)), key=lambda place: -len(sources[place]))
    model = quick(model, settings.precision, rows_of(settings))
    was_training = model.training
    if was_training:
        model.train(False)
    try:
        with torch.inference_mode():
            for start in range(0, len(order), settings.batch):
                places = order[start : start + settings.batch]
                batch = [[int(x) for x in sources[place]] for place in places]
                limits = [limit(each, settings, longest) for each in batch]
                answers = _decode(model, batch, limits, settings)
                for place, each in zip(places, answers, strict=True):
                    found[place] = rerank(each, settings.length_penalty)
    finally:
        if was_training:
            model.train()
    return found


def rows_of(settings: Generation) -> int:
    """How many hypotheses are continued at a step, at most."""
    return settings.batch * max(settings.beam, settings.nbest)


def limit(source: Ids, settings: Generation, longest: int | None = None) -> int:
    """Most tokens of an answer, EOS counted."""
    wanted = settings.max_length or 2 * len(source) + 10
    return wanted if longest is None else min(wanted, longest)


def _decode(
    model: Decodable[Any], sources: list[list[int]], limits: list[int], settings: Generation
) -> list[list[Hypothesis]]:
    """One batch."""
    device = next(iter(model.parameters())).device
    marks = marks_of(model)
    framed = [framing(model, ids) for ids in sources]
    source, lengths = _padded([before for before, _ in framed])
    source, lengths = source.to(device), lengths.to(device)
    first = torch.tensor([token for _, token in framed], device=device)
    if settings.beam > 1:
        return beam_search(model, source, lengths, first, limits, settings.beam)
    choose = functools.partial(most_probable, marks=marks)
    if settings.sample:
        choose = Sampler(settings, uniforms(sources, limits, settings.nbest, settings.seed), marks)
    return chains(model, source, lengths, first, limits, settings.nbest, choose)


def framing(model: Decodable[Any], ids: list[int]) -> tuple[list[int], int]:
    """What the model reads before it writes, and the token that it then goes on from.

    A source ends with EOS and its answer begins with BOS; a prompt is gone on with, or a text begins.
    """
    marks = marks_of(model)
    if not isinstance(model, Decoder):
        return [*ids, marks.eos], marks.bos
    return (ids[:-1], ids[-1]) if ids else ([], marks.bos)


def _padded(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Rows, the longest first, as a rectangle; and their lengths."""
    longest = len(rows[0])
    padded = [ids + [PAD] * (longest - len(ids)) for ids in rows]
    return torch.tensor(padded, dtype=torch.long), torch.tensor([len(ids) for ids in rows])
