"""Transformers over patches against torch's convolution, encoder and transposed convolution."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.patch_net import PatchDecoderNet, PatchEncoder
from torch_twins import make_encoder, shake, stack

SHAPE, WIDTHS = (3, 8, 12), (32, 32)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


def torchs(ours: Any) -> nn.Module:
    """torch.nn.TransformerEncoder with the stack's weights."""
    theirs = make_encoder(config.patch_block(WIDTHS, "gelu"), len(WIDTHS))
    for pair in stack(ours.stack, theirs):
        pair.copy()
    return theirs.eval()


def kernel(weight: Tensor) -> Tensor:
    """A matrix of patches of 2 × 2 as a convolution's."""
    return weight.view(len(weight), -1, 2, 2)


def test_the_encoder_is_a_convolution_and_torchs_encoder() -> None:
    ours, x = PatchEncoder(SHAPE, WIDTHS, "gelu"), torch.randn(5, *SHAPE)
    shake(ours)
    read = ours.input.patches
    there = F.conv2d(x, kernel(read.weight), read.bias, stride=2).flatten(2).mT
    assert there.shape == (5, 24, 32)
    expected = torchs(ours)(there + ours.input.positions.table)
    assert_close(ours(x), expected.flatten(1), **CLOSE)
    assert_close(ours.places(x), expected, **CLOSE)


def test_the_decoder_is_torchs_encoder_and_a_transposed_convolution() -> None:
    ours, z = PatchDecoderNet(7, SHAPE, WIDTHS, "gelu", outputs=2), torch.randn(5, 7)
    shake(ours)
    begun = F.linear(z, ours.start.weight, ours.start.bias).view(5, 24, 32) + ours.positions.table
    features = torchs(ours)(begun).mT.unflatten(-1, (4, 6))
    output = ours.output  # rows: channels and outputs, then the places of a patch
    weight = output.weight.view(6, 2, 2, 32).permute(3, 0, 1, 2)
    told = F.conv_transpose2d(features, weight, stride=2)
    told = told + output.bias.view(6, 2, 2).repeat(1, 4, 6)
    expected = told.view(5, 3, 2, 8, 12).movedim(2, -1).flatten(1)
    assert_close(ours(z), expected, **CLOSE)


def test_a_datum_of_one_axis_or_three_is_read_and_told() -> None:
    for shape in ((2, 12), (1, 4, 4, 6)):
        x = torch.randn(2, *shape)
        reads, tells = PatchEncoder(shape, (16,), "relu"), PatchDecoderNet(4, shape, (16,), "relu", 1)
        assert reads(x).shape == (2, reads.features)
        assert tells(torch.randn(2, 4)).shape == (2, x[0].numel())


def test_what_is_told_at_one_place_knows_what_stands_at_another() -> None:
    ours = PatchDecoderNet(7, SHAPE, WIDTHS, "gelu", outputs=1)
    places = torch.randn(1, 24, 32, requires_grad=True)
    first = ours.told(places).view(1, *SHAPE)[..., :2, :2].square().sum()
    (slope,) = torch.autograd.grad(first, places)
    assert bool((slope[0].abs().sum(1) > 0).all())
