"""Both halves together: pictures become codes, a Transformer learns the codes, and draws new pictures."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor
from torch.testing import assert_close

from qkvae import config
from qkvae.losses.codes import coded_terms
from qkvae.models import VQ, Decoder, build
from qkvae.tasks.coded import (
    FIRST,
    code_documents,
    coded_bound,
    draw_pictures,
    log_prior,
    prior_settings,
    write_codes,
)


def crosses() -> Tensor:
    """All pictures of 8 × 8 with one bright row of blocks and one bright column: 16 of them."""
    pictures = torch.zeros(16, 1, 8, 8)
    for number, (row, column) in enumerate(itertools.product(range(4), range(4))):
        pictures[number, 0, 2 * row : 2 * row + 2] = 1.0
        pictures[number, 0, :, 2 * column : 2 * column + 2] = 1.0
    return pictures


def small_prior(codes: config.VQ) -> config.Decoder:
    block = config.Block(dim=32, heads=2, hidden=64, positions="learned", dropout=0.0)
    return prior_settings(config.Decoder(block=block, depth=1, max_length=32), codes)


def learned() -> tuple[VQ, Decoder]:
    torch.manual_seed(0)
    settings = config.VQ(shape=(1, 8, 8), codes=8, dim=4, widths=(16,), keep=0.9)
    model, x = build(settings), crosses()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(120):
        optimizer.zero_grad()
        coded_terms(model, x).negative(settings.commitment).backward()
        optimizer.step()
        model.codebook.learn(step, torch.Generator().manual_seed(step))
    model.eval()
    prior, ids = build(small_prior(settings)), model.ids(x)
    optimizer = torch.optim.Adam(prior.parameters(), lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        (-log_prior(prior, ids).mean()).backward()
        optimizer.step()
    return model, prior.eval()


def test_pictures_become_codes_that_are_learned_and_drawn() -> None:
    model, prior = learned()
    bound = coded_bound(model, prior, crosses())
    assert float(-bound.mean()) < math.log(16) + 2.0
    drawn = draw_pictures(model, prior, 64, seed=1).round()
    known = (drawn[:, None] - crosses()).abs().flatten(2).amax(-1).eq(0).any(1)
    assert float(known.float().mean()) > 0.9
    assert len({tuple(each) for each in drawn.flatten(1).tolist()}) > 8
    documents = code_documents(model, crosses().split(5))
    assert len(documents) == 16
    assert_close(torch.tensor(documents.tokens.to_lists()) - FIRST, model.ids(crosses()))


def test_the_prior_sums_to_one_and_is_drawn_from() -> None:
    torch.manual_seed(0)
    prior = build(small_prior(config.VQ(codes=3))).eval()
    with torch.no_grad():
        for p in prior.parameters():
            p.add_(0.3 * torch.randn_like(p))
        rows = torch.tensor(list(itertools.product(range(3), repeat=3)))
        p = log_prior(prior, rows).exp()
    assert_close(p.sum(), torch.ones(()), rtol=1e-5, atol=1e-5)
    drawn = write_codes(prior, 3, 4000, seed=0) @ torch.tensor([9, 3, 1])
    share = torch.bincount(drawn, minlength=27) / 4000
    assert float((share - p).abs().max()) < 0.03
    again = write_codes(prior, 3, 10, seed=0) @ torch.tensor([9, 3, 1])
    assert torch.equal(again, drawn[:10])


def test_a_prior_of_other_codes_is_refused() -> None:
    model = build(config.VQ(shape=(1, 8, 8), codes=8, dim=4, widths=(4,)))
    with pytest.raises(ValueError, match="the prior tells 3 codes, but the model has 8"):
        draw_pictures(model, build(small_prior(config.VQ(codes=3))), 1)
