"""8-bit products: near the model's own answers, and as independent of their neighbours."""

from __future__ import annotations

import pytest
import torch
from small_models import sentences
from torch import nn

from qkvae.config import Block, Generation, Seq2Seq
from qkvae.generate import generate
from qkvae.generate.quick import Int8Linear, quick
from qkvae.models import build


@pytest.mark.parametrize("bias", [True, False])
def test_the_error_is_that_of_rounding(bias: bool) -> None:
    linear, x = (
        nn.Linear(300, 40, bias=bias),
        torch.randn(7, 2, 300) * torch.logspace(-3, 3, 7)[:, None, None],
    )
    with torch.no_grad():
        exact, found = linear(x), Int8Linear(linear)(x)
        # Each of 300 products is off by half a step of either factor at most.
        step = x.abs().amax(-1) * linear.weight.abs().max() / 127
        assert bool(((found - exact).abs().amax(-1) < 300 * step).all())
        assert float((found - exact).std() / exact.std()) < 0.02


def test_a_row_of_zeros_gives_the_bias() -> None:
    linear = nn.Linear(5, 3)
    assert torch.equal(Int8Linear(linear)(torch.zeros(2, 5)), linear.bias.detach().expand(2, 3))


def test_rows_do_not_depend_on_their_neighbours_by_a_single_bit() -> None:
    linear = Int8Linear(nn.Linear(256, 512))
    x = torch.randn(37, 256)
    together = linear(x)
    for row in range(37):
        assert torch.equal(linear(x[row : row + 1])[0], together[row])


def test_large_matrices_are_rounded_and_the_model_stays_as_it_is() -> None:
    settings = Seq2Seq(
        block=Block(dim=128, heads=2, hidden=1024), encoder_depth=1, decoder_depth=1, vocab=600
    )
    model = build(settings)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    rounded = quick(model)
    kinds = {name for name, part in rounded.named_modules() if isinstance(part, Int8Linear)}
    assert "head" in kinds
    assert "decoder.blocks.0.feedforward.up" in kinds
    assert "decoder.blocks.0.attention.output" not in kinds
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    inputs = sentences(9, vocab=600)
    answers = generate(rounded, inputs, Generation(beam=3, batch=4))
    for source, together in zip(inputs, answers, strict=True):
        alone = generate(rounded, [source], Generation(beam=3))[0]
        assert [each.ids for each in alone] == [each.ids for each in together]
    with torch.no_grad():
        source, target = torch.randint(4, 600, (3, 8)), torch.randint(4, 600, (3, 6))
        exact, found = model.eval()(source, target), rounded(source, target)
    assert float((found - exact).std() / exact.std()) < 0.03
