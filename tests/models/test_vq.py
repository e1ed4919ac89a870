"""The VQ-VAE: its loss written out by plain torch, what learns, codes in the order of places, taps."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import distributions
from torch.testing import assert_close

from qkvae.config import VQ as Settings
from qkvae.losses.codes import coded_terms
from qkvae.models.vq import VQ
from torch_twins import shake

MAKES: list[dict[str, Any]] = [
    {},
    {"net": "transformer", "widths": (8, 8), "shape": (2, 4, 8)},
    {"shape": (3, 5, 8), "likelihood": "categorical", "levels": 4},
]


def made(**parts: Any) -> VQ:
    torch.manual_seed(1)
    model = VQ(Settings(**{"shape": (1, 7, 6), "codes": 9, "dim": 5, "widths": (6, 8), **parts}))
    shake(model)
    with torch.no_grad():
        for p in model.parameters():
            if not bool(p.any()):  # what begins at zero
                p.normal_(std=0.1)
    return model


def test_the_loss_is_its_equation() -> None:
    model, x = made(commitment=0.5), torch.rand(4, 1, 7, 6).round()
    features = model.features(x)
    ids = torch.cdist(features, model.codebook.codes).argmin(-1)
    codes = model.codebook.codes[ids]
    places = torch.nn.functional.linear(codes, model.out.weight, model.out.bias)
    logits = model.decoder.told(places).view(4, 1, 7, 6)
    expected = (
        -distributions.Bernoulli(logits=logits).log_prob(x).sum() + 0.5 * (features - codes).square().sum()
    )
    found = coded_terms(model, x)
    assert torch.equal(found.ids, ids)
    assert_close(found.negative(0.5), expected, rtol=1e-5, atol=1e-5)
    assert found.log_likelihood.shape == (4,)


@pytest.mark.parametrize("make", MAKES, ids=str)
def test_every_weight_learns_and_no_code_by_a_gradient(make: dict[str, Any]) -> None:
    model = made(**make)
    x = torch.randint(4, (5, *model.settings.shape)) / 3
    coded_terms(model, x).negative(0.25).backward()
    idle = [n for n, p in model.named_parameters() if p.numel() and (p.grad is None or not p.grad.any())]
    assert idle == []
    assert not [n for n, _ in model.named_parameters() if n.startswith("codebook")]


@pytest.mark.parametrize("net", ["convolutional", "transformer"])
@torch.no_grad()
def test_codes_stand_in_the_order_in_which_a_picture_is_read(net: Any) -> None:
    """A picture that differs in one corner differs most there, by features and by what is told."""
    model = made(net=net, shape=(1, 8, 16), widths=(8, 8)).eval()
    ids = torch.zeros(1, model.grid[0] * model.grid[1], dtype=torch.long)
    assert model.ids(torch.zeros(1, 1, 8, 16)).shape == ids.shape
    for place, (row, column) in ((0, (0, 0)), (model.grid[1] - 1, (0, 15)), (ids.shape[1] - 1, (7, 15))):
        other = ids.clone()
        other[0, place] = 3
        apart = (model.decode_ids(other) - model.decode_ids(ids)).abs()[0, 0]
        side = apart.shape[0] // model.grid[0]
        mine = apart[row // side * side :][:side, column // side * side :][:, :side]
        assert float(mine.mean()) > float(apart.mean())


def test_a_step_of_training_moves_the_codes_and_use_does_not() -> None:
    model, x = made(), torch.rand(6, 1, 7, 6)
    before = model.codebook.codes.clone()
    model.eval()(x)
    model.codebook.learn(3, torch.Generator().manual_seed(0))
    assert float((model.codebook.counts - 0.99).abs().max()) < 1e-6
    assert_close(model.codebook.codes, before, rtol=1e-5, atol=1e-6)
    model.train()(x)
    model.codebook.learn(4, torch.Generator().manual_seed(0))
    assert not torch.allclose(model.codebook.codes, before)


def test_settings_without_sense_are_refused() -> None:
    for wrong, why in (
        ({"codes": 1}, "codes is 1"),
        ({"noise": "each"}, "no likelihood is given"),
        ({"net": "transformer", "widths": (8, 16)}, "a Transformer has one width"),
        ({"shape": (7,)}, "the data have 1 axes"),
        ({"keep": 1.5}, "keep is 1.5"),
    ):
        with pytest.raises(ValueError, match=why):
            Settings(**wrong)
    with pytest.raises(ValueError, match="shape is empty"):
        VQ(Settings())
