"""fp32 masters behind a bf16 copy: small updates count, clipping clips, tied weights stay one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from qkvae import config
from qkvae.models import Seq2Seq
from qkvae.train.precision import Weights

TINY = config.Seq2Seq(
    block=config.Block(dim=8, heads=2, hidden=16, dropout=0.0), encoder_depth=1, decoder_depth=1, vocab=11
)


def one_weight(precision: str, value: float) -> tuple[nn.Linear, Weights]:
    model = nn.Linear(1, 1, bias=False)
    nn.init.constant_(model.weight, value)
    return model, Weights(model, precision)


def test_updates_too_small_for_bf16_are_not_lost() -> None:
    """1 + 0.001 rounds to 1 in bf16; 100 of them make 1.1 all the same."""
    assert float(torch.tensor(1.0).bfloat16() + torch.tensor(0.001).bfloat16()) == 1.0
    model, weights = one_weight("bf16", 1.0)
    for _ in range(100):
        with torch.no_grad():
            weights.masters["weight"].add_(0.001)
        weights.publish()
    assert float(weights.masters["weight"]) == pytest.approx(1.1, abs=1e-5)
    assert float(model.weight.detach()) == float(torch.tensor(1.1).bfloat16())


def test_in_fp32_model_and_masters_are_the_same_tensors() -> None:
    model, weights = one_weight("fp32", 1.0)
    assert weights.masters["weight"] is model.weight


def test_the_copy_is_bf16_and_its_gradients_reach_the_masters() -> None:
    model = Seq2Seq(TINY)
    weights = Weights(model, "bf16")
    assert all(p.dtype == torch.bfloat16 for p in model.parameters())
    assert all(master.dtype == torch.float32 for master in weights.masters.values())
    model(torch.tensor([[4, 5]]), torch.tensor([[1, 6]])).float().square().sum().backward()
    gradients = {name: p.grad.float() for name, p in model.named_parameters() if p.grad is not None}
    weights.collect_gradients(0.5, clip=0)
    for name, master in weights.masters.items():
        assert_close(master.grad, 0.5 * gradients[name])
    weights.publish()
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_tied_weights_appear_once_and_stay_tied(precision: str) -> None:
    model = Seq2Seq(TINY)
    weights = Weights(model, precision)
    assert sum(master.shape == (11, 8) for master in weights.masters.values()) == 1
    assert model.head.weight is model.target_embedding.weight is model.source_embedding.weight
    with torch.no_grad():
        weights.masters["source_embedding.weight"].fill_(0.5)
    weights.publish()
    assert bool((model.head.weight == 0.5).all())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("clip", "scale"), [(1.0, 1.0), (0.5, 0.25), (100.0, 0.5), (0.0, 0.1)])
def test_long_gradients_are_shortened_to_the_clip_and_others_left(
    precision: str, clip: float, scale: float
) -> None:
    model = nn.Linear(2, 2)
    weights = Weights(model, precision)
    with torch.no_grad():
        model.weight.grad = torch.tensor([[3.0, 0.0], [0.0, 0.0]]).to(model.weight.dtype)
        model.bias.grad = torch.tensor([0.0, 4.0]).to(model.bias.dtype)
    norm = weights.collect_gradients(scale, clip)
    assert norm == pytest.approx(5 * scale)
    gradients = torch.cat(
        [master.grad.flatten() for master in weights.masters.values() if master.grad is not None]
    )
    length = min(norm, clip) if clip else norm
    assert float(gradients.norm()) == pytest.approx(length, rel=1e-4)
    assert_close(gradients / gradients.norm(), torch.tensor([0.6, 0, 0, 0, 0, 0.8]))


def test_clipping_is_torchs() -> None:
    model, other = nn.Linear(4, 4), nn.Linear(4, 4)
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        p.grad = torch.randn_like(p)
        q.grad = p.grad.clone()
    norm = Weights(model, "fp32").collect_gradients(1.0, 0.7)
    assert norm == pytest.approx(float(nn.utils.clip_grad_norm_(other.parameters(), 0.7)))
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert_close(p.grad, q.grad)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_loading_sets_masters_and_copy(precision: str) -> None:
    model, weights = one_weight(precision, 0.0)
    weights.load({"weight": torch.tensor([[1.2345678]])})
    assert float(weights.masters["weight"].detach()) == pytest.approx(1.2345678, abs=1e-7)
    expected = torch.tensor(1.2345678).to(model.weight.dtype)
    assert float(model.weight.detach()) == float(expected)


def test_frozen_weights_are_left_alone() -> None:
    model = nn.Linear(2, 2)
    model.bias.requires_grad_(False)
    weights = Weights(model, "bf16")
    assert list(weights.masters) == ["weight"]
    model(torch.ones(1, 2, dtype=torch.bfloat16)).sum().backward()
    assert weights.collect_gradients(1.0, 0.0) > 0
    weights.publish()


@pytest.mark.parametrize("positions", ["sinusoidal", "rotary", "alibi"])
def test_tables_of_positions_keep_their_digits(positions: str) -> None:
    """Whatever the weights are rounded to, place 257 is not place 256."""
    settings = replace(TINY, block=replace(TINY.block, positions=positions), max_length=300)  # type: ignore
    model = Seq2Seq(settings)
    exact = {name: b.clone() for name, b in model.named_buffers()}
    assert exact
    Weights(model, "bf16")
    for name, buffer in model.named_buffers():
        assert buffer.dtype == torch.float32
        assert torch.equal(buffer, exact[name])


@pytest.mark.parametrize("positions", ["sinusoidal", "learned", "rotary", "alibi", "relative", "none"])
@pytest.mark.parametrize("length", [7, 300], ids=["explicit", "fused"])
def test_the_stream_is_bf16_with_any_positions(positions: str, length: int) -> None:
    settings = replace(TINY, block=replace(TINY.block, positions=positions))  # type: ignore
    model = Seq2Seq(settings)
    source = torch.randint(11, (2, length))
    exact = model(source, source).detach()
    Weights(model, "bf16")
    rough = model(source, source)
    assert rough.dtype == torch.bfloat16
    assert_close(rough.float(), exact, rtol=0, atol=0.25)
    rough.float().square().sum().backward()
    cache = model.start(source)
    assert model.step(torch.tensor([1, 1]), cache).dtype == torch.bfloat16
