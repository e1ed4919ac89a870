"""Both halves together: pictures become codes, a Transformer learns the codes, and writes new ones."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor
from torch.testing import assert_close

from qkvae import config
from qkvae.generate.code_rows import write_codes
from qkvae.losses.codes import coded_terms
from qkvae.models import CodePrior, build


def crosses() -> Tensor:
    """All pictures of 8 × 8 with one bright row of blocks and one bright column: 16 of them."""
    pictures = torch.zeros(16, 1, 8, 8)
    for number, (row, column) in enumerate(itertools.product(range(4), range(4))):
        pictures[number, 0, 2 * row : 2 * row + 2] = 1.0
        pictures[number, 0, :, 2 * column : 2 * column + 2] = 1.0
    return pictures


def small_prior(vq: config.VQ, classes: int = 0) -> CodePrior:
    block = config.Block(dim=32, heads=2, hidden=64, positions="learned", dropout=0.0)
    return build(config.CodePrior(vq=vq, block=block, depth=1, classes=classes))


def learned() -> CodePrior:
    torch.manual_seed(0)
    settings = config.VQ(shape=(1, 8, 8), codes=8, dim=4, widths=(16,), keep=0.9)
    vq, x = build(settings), crosses()
    optimizer = torch.optim.Adam(vq.parameters(), lr=5e-3)
    for step in range(120):
        optimizer.zero_grad()
        coded_terms(vq, x).negative(settings.commitment).backward()
        optimizer.step()
        vq.codebook.learn(step, torch.Generator().manual_seed(step))
    model, rows = small_prior(settings, classes=4), torch.arange(16) // 4
    model.vq.load_state_dict(vq.state_dict())
    ids = model.vq.ids(x)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        (-model.log_prior(ids, rows).sum(-1).mean()).backward()
        optimizer.step()
    return model.eval().requires_grad_(False)


def test_pictures_become_codes_that_are_learned_and_written() -> None:
    model, x = learned(), crosses()
    ids, rows = model.vq.ids(x), torch.arange(16) // 4
    log_x = model.vq.likelihood.log_prob(x, model.vq.decode_ids(ids))
    bound = log_x + model.log_prior(ids, rows).sum(-1)
    assert float(-bound.mean()) < math.log(4) + 2.0
    asked = torch.arange(64) % 4
    written = write_codes(model, 64, seed=1, labels=asked)
    drawn = model.vq.likelihood.mean(model.vq.decode_ids(written)).round()
    which = (drawn[:, None] - crosses()).abs().flatten(2).amax(-1).eq(0)
    assert float(which.any(1).float().mean()) > 0.9
    found = which.any(1).nonzero()[:, 0]
    assert float((which[found].int().argmax(1) // 4 == asked[found]).float().mean()) > 0.9
    assert len({tuple(each) for each in drawn.flatten(1).tolist()}) > 8


def test_the_prior_sums_to_one_and_is_drawn_from() -> None:
    torch.manual_seed(0)
    model = small_prior(config.VQ(shape=(1, 2, 6), codes=3, widths=(4,))).eval()
    assert model.vq.grid == (1, 3)
    with torch.no_grad():
        for p in model.prior.parameters():
            p.add_(0.3 * torch.randn_like(p))
        rows = torch.tensor(list(itertools.product(range(3), repeat=3)))
        p = model.log_prior(rows).sum(-1).exp()
    assert_close(p.sum(), torch.ones(()), rtol=1e-5, atol=1e-5)
    drawn = write_codes(model, 4000, seed=0) @ torch.tensor([9, 3, 1])
    share = torch.bincount(drawn, minlength=27) / 4000
    assert float((share - p).abs().max()) < 0.03
    again = write_codes(model, 10, seed=0) @ torch.tensor([9, 3, 1])
    assert torch.equal(again, drawn[:10])
