"""Several maps in one matrix: the same maps, each initialised and taken apart as the matrix it is."""

from __future__ import annotations

import math

import torch
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.masks import Mask
from qkvae.nn.multihead import CrossAttention, SelfAttention, merge_heads, split_heads
from qkvae.nn.projection import Projection


def test_parts_are_the_single_maps() -> None:
    module, x = Projection(6, (4, 2, 2)), torch.randn(3, 5, 6)
    torch.nn.init.normal_(module.bias)
    parts = module(x)
    for part, w, b in zip(parts, module.weight.split((4, 2, 2)), module.bias.split((4, 2, 2)), strict=True):
        assert_close(part, x @ w.T + b)


def test_each_part_is_initialised_by_its_own_size() -> None:
    """Glorot's bound √(6/(in + out)) of a part is larger than that of the whole matrix."""
    module = Projection(64, (64, 16))
    whole = math.sqrt(6 / (64 + 80))
    for part, bound in zip(
        module.weight.split((64, 16)), (math.sqrt(6 / 128), math.sqrt(6 / 80)), strict=True
    ):
        largest = float(part.detach().abs().max())
        assert 0.98 * bound < largest <= bound
        assert largest > whole
    assert not module.bias.any()


def test_maps_are_views_that_cover_the_weight_once() -> None:
    for module in (
        Projection(6, (4, 2)),
        Projection(6, (4, 2), head_rows=2),
        Projection(6, (4,), head_columns=3),
    ):
        weight = torch.zeros_like(module.weight)
        for part in module.maps(weight):
            part.add_(1)
        assert torch.equal(weight, torch.ones_like(weight))
    assert [tuple(m.shape) for m in Projection(6, (4, 2), head_rows=2).maps(torch.zeros(6, 6))] == [
        (2, 6)
    ] * 3
    assert [tuple(m.shape) for m in Projection(6, (4,), head_columns=3).maps(torch.zeros(4, 6))] == [
        (4, 3)
    ] * 2


def test_heads_are_neighbouring_channels() -> None:
    x = torch.arange(12.0).view(1, 2, 6)
    assert split_heads(x, 3)[0, 1].tolist() == [[3, 4, 5], [9, 10, 11]]
    assert torch.equal(merge_heads(split_heads(x, 3)), x)


def test_heads_are_a_grouped_projection() -> None:
    """Computing each head alone equals one block-diagonal, grouped product of all of them."""
    block = config.Block(dim=12, heads=3, hidden=8)
    attention, x, width = SelfAttention(block, 8).double(), torch.randn(2, 5, 12, dtype=torch.float64), 4
    w_q, w_k, w_v = attention.qkv.weight.split(12)
    causal = Mask(causal=True).allowed(5, 5)[0, 0]
    heads = []
    for h in range(3):
        rows = slice(h * width, (h + 1) * width)
        q, k, v = x @ w_q[rows].T, x @ w_k[rows].T, x @ w_v[rows].T
        scores = (q @ k.mT / math.sqrt(width)).masked_fill(~causal, -math.inf)
        heads.append(scores.softmax(-1) @ v)
    alone = torch.cat(heads, -1) @ attention.output.weight.T
    assert_close(attention(x, Mask(causal=True)), alone)

    # The values of all heads, mixed head by head, as one grouped (block-diagonal) convolution over channels.
    tripled = torch.cat([x, x, x], -1)
    grouped = torch.nn.functional.conv1d(tripled.mT, w_v[..., None], groups=3).mT
    block_diagonal = torch.block_diag(*w_v.split(width))
    assert_close(grouped, tripled @ block_diagonal.T)
    assert_close(grouped, x @ w_v.T)


def test_cross_attention_reads_keys_and_values_from_memory_only() -> None:
    cross = CrossAttention(config.Block(dim=8, heads=2, key_heads=1, hidden=8))
    x, encoded = torch.randn(2, 3, 8), torch.randn(2, 5, 8)
    memory = cross.remember(encoded, Mask(key_lengths=torch.tensor([5, 2])))
    assert memory.keys.shape == (2, 1, 5, 4)
    changed = encoded.clone()
    changed[1, 2:] = 99.0
    other = cross.remember(changed, memory.mask)
    assert torch.equal(cross(x, memory), cross(x, other))
    assert not torch.allclose(cross(x, memory)[0], cross(x, memory)[0].flip(0))


def test_hypotheses_of_a_sentence_share_its_memory() -> None:
    """Neighbouring rows are one sentence's: the same as repeating the memory for each of them."""
    cross = CrossAttention(config.Block(dim=8, heads=2, hidden=8))
    x, encoded, lengths = torch.randn(6, 1, 8), torch.randn(2, 5, 8), torch.tensor([5, 2])
    once = cross(x, cross.remember(encoded, Mask(key_lengths=lengths)))
    each = Mask(key_lengths=lengths.repeat_interleave(3))
    repeated = cross(x, cross.remember(encoded.repeat_interleave(3, 0), each))
    assert_close(once, repeated, rtol=0, atol=1e-6)
