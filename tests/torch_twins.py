"""Models of torch.nn with the same weights as ours, to compare outputs and gradients with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn

from qkvae import config
from qkvae.models import Seq2Seq
from qkvae.nn.blocks import Block, Stack
from qkvae.nn.multihead import CrossAttention, SelfAttention


class Pair(NamedTuple):
    """A weight of ours and the rows of torch's that hold the same numbers."""

    ours: Tensor
    theirs: Tensor
    rows: slice = slice(None)

    def copy(self) -> None:
        with torch.no_grad():
            self.theirs[self.rows] = self.ours

    def gradients(self) -> tuple[Tensor, Tensor]:
        assert self.ours.grad is not None
        assert self.theirs.grad is not None
        return self.ours.grad, self.theirs.grad[self.rows]


Pairs = Iterator[Pair]


def module(ours: nn.Module, theirs: nn.Module) -> Pairs:
    """Weights of the same names on both sides."""
    for name, parameter in ours.named_parameters():
        yield Pair(parameter, theirs.get_parameter(name))


def self_attention(ours: SelfAttention, theirs: nn.MultiheadAttention) -> Pairs:
    yield Pair(ours.qkv.weight, theirs.in_proj_weight)
    yield Pair(ours.qkv.bias, theirs.in_proj_bias)
    yield from module(ours.output, theirs.out_proj)


def cross_attention(ours: CrossAttention, theirs: nn.MultiheadAttention) -> Pairs:
    dim = theirs.embed_dim
    for part, rows in ((ours.q, slice(0, dim)), (ours.kv, slice(dim, None))):
        yield Pair(part.weight, theirs.in_proj_weight, rows)
        yield Pair(part.bias, theirs.in_proj_bias, rows)
    yield from module(ours.output, theirs.out_proj)


def layer(ours: Block, theirs: nn.Module) -> Pairs:
    """A block and an encoder's or decoder's layer."""
    yield from self_attention(ours.attention, theirs.self_attn)  # pyright: ignore
    yield from module(ours.norm1, theirs.norm1)  # pyright: ignore
    if isinstance(theirs, nn.TransformerDecoderLayer):
        yield from cross_attention(ours.cross_attention, theirs.multihead_attn)
        yield from module(ours.norm2, theirs.norm2)
        yield from module(ours.norm3, theirs.norm3)
    else:
        yield from module(ours.norm3, theirs.norm2)  # pyright: ignore
    yield from module(ours.feedforward.up, theirs.linear1)  # pyright: ignore
    yield from module(ours.feedforward.down, theirs.linear2)  # pyright: ignore


def stack(ours: Stack, theirs: nn.Module) -> Pairs:
    for one, other in zip(ours.blocks, theirs.layers, strict=True):  # pyright: ignore
        yield from layer(one, other)  # pyright: ignore
    if theirs.norm is not None:
        yield from module(ours.norm, theirs.norm)  # pyright: ignore


def make_layer(kind: type[nn.Module], block: config.Block) -> nn.Module:
    return kind(
        block.dim,
        block.heads,
        block.hidden,
        dropout=0.0,
        activation=block.activation,
        layer_norm_eps=block.eps,
        batch_first=True,
        norm_first=block.norm_order == "pre",
    )


def make_norm(block: config.Block) -> nn.LayerNorm | None:
    """Ours has no norm after a post-norm stack, which ends with one anyway; torch lets us choose."""
    return nn.LayerNorm(block.dim, eps=block.eps) if block.norm_order == "pre" else None


def make_encoder(block: config.Block, depth: int) -> nn.TransformerEncoder:
    first = make_layer(nn.TransformerEncoderLayer, block)
    return nn.TransformerEncoder(first, depth, make_norm(block), enable_nested_tensor=False)  # pyright: ignore


def make_decoder(block: config.Block, depth: int) -> nn.TransformerDecoder:
    return nn.TransformerDecoder(make_layer(nn.TransformerDecoderLayer, block), depth, make_norm(block))  # pyright: ignore


class TorchSeq2Seq(nn.Module):
    """The 2017 model of torch's parts: sinusoids by loops, look-up times √dim, nn.Transformer, tied head."""

    def __init__(self, settings: config.Seq2Seq) -> None:
        super().__init__()
        block = settings.block
        self.embedding = nn.Embedding(settings.vocab, block.dim)
        self.transformer = nn.Transformer(
            block.dim,
            block.heads,
            batch_first=True,
            custom_encoder=make_encoder(block, settings.encoder_depth),
            custom_decoder=make_decoder(block, settings.decoder_depth),
        )
        self.base = block.base_or_default

    def embed(self, ids: Tensor) -> Tensor:
        dim = self.embedding.embedding_dim
        places = torch.zeros(ids.shape[1], dim)
        for p in range(ids.shape[1]):
            for i in range(0, dim, 2):
                places[p, i] = math.sin(p / self.base ** (i / dim))
                if i + 1 < dim:
                    places[p, i + 1] = math.cos(p / self.base ** (i / dim))
        return self.embedding(ids) * math.sqrt(dim) + places

    def forward(self, source: Tensor, target: Tensor, source_lengths: Tensor) -> Tensor:
        padding = torch.arange(source.shape[1])[None] >= source_lengths[:, None]
        future = torch.ones(target.shape[1], target.shape[1], dtype=torch.bool).triu(1)
        features = self.transformer(
            self.embed(source),
            self.embed(target),
            tgt_mask=future,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
        )
        return features @ self.embedding.weight.T


def whole(ours: Seq2Seq, theirs: TorchSeq2Seq) -> Pairs:
    yield Pair(ours.source_embedding.weight, theirs.embedding.weight)
    yield from stack(ours.encoder, theirs.transformer.encoder)
    yield from stack(ours.decoder, theirs.transformer.decoder)


def twins(settings: config.Seq2Seq) -> tuple[Seq2Seq, TorchSeq2Seq, list[Pair]]:
    """Our model and torch's with the same random weights, biases and norms among them."""
    ours, theirs = Seq2Seq(settings), TorchSeq2Seq(settings)
    shake(ours)
    pairs = list(whole(ours, theirs))
    for pair in pairs:
        pair.copy()
    return ours, theirs, pairs


def shake(model: nn.Module) -> None:
    """Move what starts at zero or one, so that forgetting it would be seen."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.1 * torch.randn_like(parameter))
