"""Checks of codebooks, quick enough to be made under every planted fault."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.testing import assert_close

from qkvae.nn.codebook import Codebook


def moving_average() -> None:
    book, x = Codebook(3, 2, keep=0.9), torch.randn(30, 2)
    ids, counts, sums = book.nearest(x), book.counts.clone(), book.sums.clone()
    book(x)
    book.learn(1, torch.Generator().manual_seed(0))
    for code in range(3):
        mine = x[ids == code]
        n = 0.9 * counts[code] + 0.1 * len(mine)
        assert_close(book.codes[code], (0.9 * sums[code] + 0.1 * mine.sum(0)) / n, rtol=1e-5, atol=1e-5)


def dead_codes_return() -> None:
    book, x = Codebook(8, 2, keep=0.5), torch.randn(100, 2)
    book.codes[3:] += 100.0
    book.sums.copy_(book.codes)
    for step in range(1, 10):
        book(x)
        book.learn(step, torch.Generator().manual_seed(step))
    assert len(set(book.nearest(x).tolist())) == 8


CODED_REFERENCES: dict[str, Callable[[], None]] = {
    "codes move by the moving average": moving_average,
    "dead codes come back": dead_codes_return,
}
"""Each by what it says."""
