"""Attention, blocks, stacks and whole model against torch.nn with the same weights: values and gradients."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.testing import assert_close

from qkvae import config
from qkvae.models import build
from qkvae.nn.attention import attention
from qkvae.nn.blocks import PostNormBlock, PreNormBlock, Stack
from qkvae.nn.masks import Mask
from qkvae.nn.multihead import CrossAttention, SelfAttention
from torch_twins import (
    Pair,
    cross_attention,
    layer,
    make_decoder,
    make_encoder,
    make_layer,
    self_attention,
    shake,
    stack,
    twins,
)

CLOSE = {"rtol": 0, "atol": 1e-5}
LENGTHS = torch.tensor([7, 3])
PADDING = torch.arange(7)[None] >= LENGTHS[:, None]
FUTURE = torch.ones(5, 5, dtype=torch.bool).triu(1)
ORDERS = pytest.mark.parametrize("order", ["pre", "post"])
ACTIVATIONS = pytest.mark.parametrize("activation", ["relu", "gelu"])


def block(order: str = "pre", activation: str = "relu") -> config.Block:
    return config.Block(
        dim=16,
        heads=4,
        hidden=24,
        dropout=0.0,
        norm_order=order,  # pyright: ignore
        activation=activation,  # pyright: ignore
        positions="none",
        eps=1e-3,
    )


def copied(pairs: Iterable[Pair]) -> list[Pair]:
    pairs = list(pairs)
    for pair in pairs:
        pair.copy()
    return pairs


def same(ours: Tensor, theirs: Tensor, pairs: list[Pair]) -> None:
    """Equal outputs, and equal gradients of a loss that weighs every output differently."""
    assert_close(ours, theirs, **CLOSE)
    pull = torch.linspace(-1, 1, ours.numel()).view_as(ours) / ours.numel() ** 0.5
    for output in (ours, theirs):
        (output * pull).sum().backward()
    for pair in pairs:
        assert_close(*pair.gradients(), **CLOSE)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_attention_is_torchs(dtype: torch.dtype) -> None:
    q, k, v = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4), torch.randn(2, 3, 7, 4)
    q, k, v = (x.to(dtype) for x in (q, k, v))
    assert_close(attention(q, k, v), F.scaled_dot_product_attention(q, k, v), **CLOSE)
    allowed = ~PADDING[:, None, None, :]
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=allowed)
    assert_close(attention(q, k, v, Mask(key_lengths=LENGTHS)), expected, **CLOSE)


def test_self_attention_is_multi_head_attention_and_so_are_its_weights() -> None:
    ours, theirs = SelfAttention(block(), 8), nn.MultiheadAttention(16, 4, batch_first=True)
    shake(ours)
    pairs = copied(self_attention(ours, theirs))
    x, seen = torch.randn(2, 7, 16), []
    ours.weights.listener = lambda weights: seen.append(weights) or weights
    expected, shares = theirs(x, x, x, key_padding_mask=PADDING, average_attn_weights=False)
    same(ours(x, Mask(key_lengths=LENGTHS)), expected, pairs)
    assert_close(seen[0], shares, **CLOSE)


def test_causal_self_attention_is_multi_head_attention() -> None:
    ours, theirs = SelfAttention(block(), 8), nn.MultiheadAttention(16, 4, batch_first=True)
    pairs = copied(self_attention(ours, theirs))
    x = torch.randn(2, 5, 16)
    same(ours(x, Mask(causal=True)), theirs(x, x, x, attn_mask=FUTURE, need_weights=False)[0], pairs)


def test_cross_attention_is_multi_head_attention() -> None:
    ours, theirs = CrossAttention(block()), nn.MultiheadAttention(16, 4, batch_first=True)
    shake(ours)
    pairs = copied(cross_attention(ours, theirs))
    x, encoded = torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    expected = theirs(x, encoded, encoded, key_padding_mask=PADDING, need_weights=False)[0]
    same(ours(x, ours.remember(encoded, Mask(key_lengths=LENGTHS))), expected, pairs)


@ORDERS
@ACTIVATIONS
def test_an_encoder_block_is_torchs_layer(order: str, activation: str) -> None:
    settings = block(order, activation)
    kind = PreNormBlock if order == "pre" else PostNormBlock
    ours, theirs = kind(settings, 8), make_layer(nn.TransformerEncoderLayer, settings)
    shake(ours)
    pairs, x = copied(layer(ours, theirs)), torch.randn(2, 7, 16)
    same(ours(x, Mask(key_lengths=LENGTHS)), theirs(x, src_key_padding_mask=PADDING), pairs)


@ORDERS
@ACTIVATIONS
def test_a_decoder_block_is_torchs_layer(order: str, activation: str) -> None:
    settings = block(order, activation)
    kind = PreNormBlock if order == "pre" else PostNormBlock
    ours, theirs = kind(settings, 8, cross=CrossAttention), make_layer(nn.TransformerDecoderLayer, settings)
    shake(ours)
    pairs, x, encoded = copied(layer(ours, theirs)), torch.randn(2, 5, 16), torch.randn(2, 7, 16)
    memory = ours.cross_attention.remember(encoded, Mask(key_lengths=LENGTHS))
    expected = theirs(x, encoded, tgt_mask=FUTURE, memory_key_padding_mask=PADDING)
    same(ours(x, Mask(causal=True), memory=memory), expected, pairs)


@ORDERS
def test_stacks_are_torchs_encoder_and_decoder(order: str) -> None:
    settings = block(order)
    encoder, decoder = Stack(settings, 3, 8), Stack(settings, 3, 8, cross=CrossAttention)
    theirs = make_encoder(settings, 3), make_decoder(settings, 3)
    shake(encoder)
    shake(decoder)
    pairs = copied([*stack(encoder, theirs[0]), *stack(decoder, theirs[1])])
    x, y, mask = torch.randn(2, 7, 16), torch.randn(2, 5, 16), Mask(key_lengths=LENGTHS)
    encoded, expected = encoder(x, mask), theirs[0](x, src_key_padding_mask=PADDING)
    assert_close(encoded, expected, **CLOSE)
    decoded = decoder(y, Mask(causal=True), decoder.remember(encoded, mask))
    expected = theirs[1](y, expected, tgt_mask=FUTURE, memory_key_padding_mask=PADDING)
    same(decoded, expected, pairs)


@ORDERS
@ACTIVATIONS
def test_the_whole_model_is_torchs_transformer(order: str, activation: str) -> None:
    settings = config.Seq2Seq(
        block=config.Block(
            dim=16,
            heads=4,
            hidden=24,
            dropout=0.0,
            norm_order=order,  # pyright: ignore
            activation=activation,  # pyright: ignore
        ),
        encoder_depth=2,
        decoder_depth=2,
        vocab=19,
    )
    ours, theirs, pairs = twins(settings)
    assert {id(pair.ours) for pair in pairs} == {id(p) for p in ours.parameters()}
    source, target = torch.randint(19, (2, 7)), torch.randint(19, (2, 5))
    same(ours(source, target, LENGTHS), theirs(source, target, LENGTHS), pairs)


@ORDERS
@ACTIVATIONS
@pytest.mark.parametrize("family", [config.Decoder, config.Encoder])
def test_decoder_and_encoder_are_torchs_stack_around_the_embedding(
    family: type, order: str, activation: str
) -> None:
    """Features and the gradients of all weights, with padding and with the future hidden."""
    settings = block(order, activation)
    model = build(family(block=settings, depth=3, embedding="plain", vocab=19))
    theirs = make_encoder(settings, 3)
    shake(model)
    pairs = copied(stack(model.stack, theirs))
    tokens, matrix = torch.randint(19, (2, 5)), model.input.embedding.weight.detach()
    if family is config.Decoder:
        found, expected = model.features(tokens), theirs(matrix[tokens], mask=FUTURE)
    else:
        lengths = torch.tensor([5, 3])
        there = torch.arange(5)[None] < lengths[:, None]
        expected = theirs(matrix[tokens], src_key_padding_mask=~there)[there]
        found = model.features(tokens, lengths)[there]
    same(found, expected, pairs)
