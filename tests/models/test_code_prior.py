"""The prior of codes: its law against a decoder by itself, what it holds, and what it refuses."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.testing import assert_close

from qkvae import config
from qkvae.models import CodePrior, build
from torch_twins import shake


def made(classes: int = 0) -> CodePrior:
    torch.manual_seed(2)
    vq = config.VQ(shape=(1, 7, 6), codes=9, dim=5, widths=(6, 8))
    block = config.Block(dim=16, heads=4, hidden=24, positions="learned", dropout=0.1)
    model = build(config.CodePrior(vq=vq, classes=classes, block=block, depth=2))
    shake(model)
    return model.eval()


@pytest.mark.parametrize("classes", [0, 3])
@torch.no_grad()
def test_it_is_the_law_of_a_decoder_over_what_begins_a_row_and_the_codes(classes: int) -> None:
    model = made(classes)
    ids = torch.randint(9, (5, 4))
    labels = torch.tensor([0, 1, 2, 1, 0]) if classes else None
    first = torch.full((5, 1), 9) if labels is None else 9 + labels[:, None]
    logits = model.prior(torch.cat([first, ids], 1)[:, :-1])[..., :9]
    expected = -torch.nn.functional.cross_entropy(logits.mT, ids, reduction="none")
    assert_close(model.log_prior(ids, labels), expected, rtol=1e-5, atol=1e-5)
    if labels is not None:
        assert not torch.allclose(model(ids, labels), model(ids, (labels + 1) % 3))


def test_training_moves_the_prior_and_holds_the_rest() -> None:
    model = made().train()
    assert not [name for name, p in model.named_parameters() if p.requires_grad == name.startswith("vq.")]
    assert model.prior.training
    assert not any(part.training for part in model.vq.modules())
    model.vq.ids(torch.rand(4, 1, 7, 6))
    assert float(sum(part.sum() for part in model.vq.codebook.counted())) == 0.0


@pytest.mark.parametrize(("classes", "labels"), [(0, torch.zeros(2, dtype=torch.int64)), (3, None)])
def test_labels_that_do_not_fit_are_refused(classes: int, labels: Any) -> None:
    with pytest.raises(ValueError, match=f"this model was made with classes {classes}"):
        made(classes).log_prior(torch.zeros(2, 4, dtype=torch.int64), labels)


def test_without_a_prior_all_codes_are_as_probable() -> None:
    vq = made().vq
    ids = torch.randint(9, (5, 4))
    assert_close(vq.log_prior(ids).exp(), torch.full((5, 4), 1 / 9))
    with pytest.raises(ValueError, match="labels are told"):
        vq.log_prior(ids, torch.zeros(5, dtype=torch.int64))
