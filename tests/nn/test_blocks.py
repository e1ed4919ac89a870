"""Blocks: where the norm stands, what reaches what, and that places are known by positions only."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from qkvae import config
from qkvae.models.seq2seq import Seq2Seq
from qkvae.nn.blocks import PostNormBlock, PreNormBlock, Stack
from qkvae.nn.masks import Mask
from qkvae.nn.multihead import CrossAttention

POSITIONS = ["sinusoidal", "learned", "rotary", "alibi", "relative"]


def block(**settings: object) -> config.Block:
    return config.Block(**{"dim": 8, "heads": 2, "hidden": 16, "dropout": 0.0, **settings})  # pyright: ignore


def test_pre_norm_adds_what_it_read_normalised() -> None:
    part, x, mask = PreNormBlock(block(), 8, cross=CrossAttention), torch.randn(2, 5, 8), Mask(causal=True)
    memory = part.cross_attention.remember(torch.randn(2, 3, 8), Mask())
    y = x + part.attention(part.norm1(x), mask)
    y = y + part.cross_attention(part.norm2(y), memory)
    assert_close(part(x, mask, memory=memory), y + part.feedforward(part.norm3(y)))


def test_post_norm_normalises_the_sum() -> None:
    part, x, mask = (
        PostNormBlock(block(norm_order="post"), 8, cross=CrossAttention),
        torch.randn(2, 5, 8),
        Mask(causal=True),
    )
    memory = part.cross_attention.remember(torch.randn(2, 3, 8), Mask())
    y = part.norm1(x + part.attention(x, mask))
    y = part.norm2(y + part.cross_attention(y, memory))
    assert_close(part(x, mask, memory=memory), part.norm3(y + part.feedforward(y)))


def test_a_stack_is_its_blocks_and_only_pre_norm_ends_with_a_norm() -> None:
    x = torch.randn(2, 5, 8)
    for order in ("pre", "post"):
        stack = Stack(block(norm_order=order), 2, 8)
        y = stack.blocks[1](stack.blocks[0](x))
        assert isinstance(stack.norm, nn.LayerNorm if order == "pre" else nn.Identity)
        assert_close(stack(x), stack.norm(y))


def test_silent_parts_leave_the_stream_alone() -> None:
    """With every last matrix zero a pre-norm block is the identity."""
    part, x = PreNormBlock(block(), 8), torch.randn(2, 5, 8)
    for last in (part.attention.output, part.feedforward.down):
        nn.init.zeros_(last.weight)
    assert torch.equal(part(x), x)


@pytest.mark.parametrize("order", ["pre", "post"])
def test_without_positions_a_block_is_permutation_equivariant(order: str) -> None:
    """Swapping tokens swaps the outputs, and does nothing else."""
    stack, x = Stack(block(positions="none", norm_order=order), 2, 8), torch.randn(2, 6, 8)
    places = torch.randperm(6)
    assert_close(stack(x)[:, places], stack(x[:, places]), rtol=0, atol=1e-5)


@pytest.mark.parametrize("positions", [*POSITIONS, "none"])
def test_with_positions_the_encoder_tells_places_apart(positions: str) -> None:
    settings = config.Seq2Seq(block=block(positions=positions), encoder_depth=2, decoder_depth=1, vocab=9)
    model = Seq2Seq(settings).eval()
    for name, p in model.named_parameters():
        if name.endswith("bias.table"):  # relative biases start at zero
            nn.init.normal_(p)
    source, places = torch.tensor([[4, 5, 6, 7, 8]]), torch.tensor([3, 0, 4, 1, 2])
    moved, permuted = model.encode(source[:, places]), model.encode(source)[:, places]
    close = torch.allclose(moved, permuted, rtol=0, atol=1e-5)
    assert close is (positions == "none")


@pytest.mark.parametrize("positions", ["none", "rotary", "alibi", "relative"])
@pytest.mark.parametrize("window", [None, 2])
def test_the_future_has_gradient_exactly_zero(positions: str, window: int | None) -> None:
    stack = Stack(block(positions=positions), 2, 16)
    x = torch.randn(2, 12, 8, requires_grad=True)
    y = stack(x, Mask(causal=True, window=window))
    for place in (0, 5, 10):
        (gradient,) = torch.autograd.grad(y[:, place].square().sum(), x, retain_graph=True)
        assert bool((gradient[:, place + 1 :] == 0).all())
        assert bool((gradient[:, place] != 0).any(-1).all())


def test_a_window_reaches_depth_times_its_size() -> None:
    stack, x = Stack(block(positions="none"), 3, 16), torch.randn(1, 16, 8, requires_grad=True)
    (gradient,) = torch.autograd.grad(stack(x, Mask(window=2))[:, 8].square().sum(), x)
    reached = (gradient[0] != 0).any(-1).nonzero().flatten().tolist()
    assert reached == list(range(2, 15))


def test_nothing_in_nothing_out() -> None:
    stack = Stack(block(), 2, 8)
    assert stack(torch.zeros(2, 0, 8)).shape == (2, 0, 8)
    assert stack(torch.zeros(0, 3, 8)).shape == (0, 3, 8)
