"""The short convolution against torch's own, and what a token sees of its neighbours."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from qkvae.nn.short_conv import ShortConv

CLOSE = {"rtol": 0, "atol": 1e-5}


@pytest.mark.parametrize(
    ("size", "causal"), [(1, True), (2, True), (4, True), (1, False), (3, False), (5, False)]
)
@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_it_is_a_convolution_of_each_channel(size: int, causal: bool, n: int) -> None:
    conv = ShortConv(6, size, causal)
    x = torch.randn(2, n, 6, requires_grad=True)
    before, after = (size - 1, 0) if causal else (size // 2, size // 2)
    padded = F.pad(x.transpose(1, 2), (before, after))
    expected = F.conv1d(padded, conv.weight.T[:, None], groups=6).transpose(1, 2)
    assert_close(conv(x), expected, **CLOSE)
    weights = torch.randn_like(expected)
    ours = torch.autograd.grad((conv(x) * weights).sum(), [x, conv.weight])
    theirs = torch.autograd.grad((expected * weights).sum(), [x, conv.weight])
    assert_close(ours, theirs, **CLOSE)


@pytest.mark.parametrize("causal", [True, False])
def test_no_document_sees_another(causal: bool) -> None:
    conv = ShortConv(4, 5, causal)
    parts = [torch.randn(1, n, 4) for n in (3, 1, 6)]
    documents = torch.tensor([[0] * 3 + [1] + [2] * 6])
    together = conv(torch.cat(parts, 1), documents)
    assert_close(together, torch.cat([conv(part) for part in parts], 1), **CLOSE)


def test_the_token_itself_weighs_most_at_first() -> None:
    torch.manual_seed(0)
    for causal, own in ((True, 3), (False, 2)):
        weight = ShortConv(10_000, 4 if causal else 5, causal).weight.detach()
        assert_close(weight.mean(1), F.one_hot(torch.tensor(own), len(weight)).float(), rtol=0, atol=0.03)
        assert_close(weight.std(1), torch.full((len(weight),), len(weight) ** -0.5), rtol=0, atol=0.02)
