"""Facts made up for the pages' tests: random attention that keeps every equation."""

from __future__ import annotations

import math

import torch

from qkvae.inspect.look import Candidate, LookFacts, Step
from qkvae.inspect.watch import Attention

SOURCE = ("▁Two", "▁dogs", "▁play", ".", "</s>")
WRITTEN = ("▁Zwei", "▁Hunde", "▁spielen", "</s>")


def attention(n: int, m: int, *, causal: bool = False, heads: int = 4, key_heads: int = 4) -> Attention:
    width = 8
    queries = torch.randn(heads, n, width)
    keys, values = torch.randn(key_heads, m, width), torch.randn(key_heads, m, width)
    wide_keys, wide_values = (x.repeat_interleave(heads // key_heads, 0) for x in (keys, values))
    scores = queries @ wide_keys.transpose(-1, -2) / math.sqrt(width)
    if causal:
        scores = scores.masked_fill(torch.ones(n, m, dtype=torch.bool).triu(1), -math.inf)
    weights = scores.softmax(-1)
    return Attention(
        queries=queries,
        keys=keys,
        values=values,
        scores=scores,
        weights=weights,
        mixed=weights @ wide_values,
    )


def look_facts(
    sentence: str = "Two dogs play.", source: tuple[str, ...] = SOURCE, run: str = "m30k"
) -> LookFacts:
    torch.manual_seed(0)
    n, m = len(WRITTEN), len(source)
    steps = tuple(
        Step(
            written=Candidate(token, 0.7),
            candidates=(Candidate(token, 0.7), Candidate("▁und", 0.2), Candidate("<0xC3>", 0.05)),
        )
        for token in WRITTEN
    )
    return LookFacts(
        run=run,
        sentence=sentence,
        translation="Zwei Hunde spielen",
        note="Beam search.",
        source=source,
        target=("<s>", *WRITTEN[:-1]),
        steps=steps,
        encoder=tuple(attention(m, m) for _ in range(2)),
        decoder=tuple(attention(n, n, causal=True) for _ in range(2)),
        cross=tuple(attention(n, m, key_heads=2) for _ in range(2)),
    )
