"""The feed-forward part by its equations."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.feedforward import FeedForward, relu2


def part(activation: str, dim: int = 2, hidden: int = 2) -> FeedForward:
    return FeedForward(config.Block(dim=dim, heads=1, hidden=hidden, activation=activation))  # pyright: ignore


def test_relu_by_hand() -> None:
    """max(0, x W₁ + b₁) W₂ + b₂ with x = (1, −2): hidden (1, −2) + (0, 1) → (1, 0), times W₂, plus b₂."""
    module = part("relu")
    with torch.no_grad():
        module.up.weight.copy_(torch.eye(2))
        module.up.bias.copy_(torch.tensor([0.0, 1.0]))
        module.down.weight.copy_(torch.tensor([[3.0, 9.0], [4.0, 9.0]]))
        module.down.bias.copy_(torch.tensor([0.5, 0.0]))
        assert module(torch.tensor([[1.0, -2.0]])).tolist() == [[3.5, 4.0]]


def test_gelu_is_x_times_the_normal_distribution_function() -> None:
    module = part("gelu", 1, 1)
    with torch.no_grad():
        for p in (module.up.weight, module.down.weight):
            p.fill_(1.0)
        for x in (-2.0, -0.3, 0.0, 1.7):
            expected = x * 0.5 * (1 + math.erf(x / math.sqrt(2)))
            assert module(torch.tensor([[x]])).item() == pytest.approx(expected, abs=1e-6)


def test_swiglu_gates_one_half_with_the_other() -> None:
    module, x = part("swiglu", 4, 6), torch.randn(2, 3, 4)
    gate, value = (x @ w.T for w in module.up.weight.split(6))
    assert_close(module(x), (gate * gate.sigmoid() * value) @ module.down.weight.T)


def test_relu2_and_its_gradient_are_those_of_the_square() -> None:
    ours, theirs = (x.requires_grad_() for x in torch.linspace(-2, 2, 9).expand(2, 3, 9).clone())
    assert_close(relu2(ours), theirs.relu().square())
    weights = torch.randn(3, 9)
    (relu2(ours) * weights).sum().backward()
    (theirs.relu().square() * weights).sum().backward()
    assert_close(ours.grad, theirs.grad)
    off_the_kink = torch.tensor([-2.0, -0.5, 0.5, 2.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(relu2, off_the_kink)
    assert torch.autograd.gradgradcheck(relu2, off_the_kink)


@pytest.mark.parametrize("activation", ["relu", "gelu", "swiglu"])
def test_each_position_by_itself_and_none_at_all(activation: str) -> None:
    module, x = part(activation, 4, 6), torch.randn(2, 5, 4)
    assert_close(module(x)[1, 3], module(x[1, 3]))
    assert module(torch.zeros(2, 0, 4)).shape == (2, 0, 4)


def test_the_hidden_layer_can_be_heard() -> None:
    module, seen = part("relu", 4, 6), []
    module.post.listener = lambda x: seen.append(x) or x
    x = torch.randn(2, 4)
    module(x)
    assert_close(seen[0], F.relu(F.linear(x, module.up.weight, module.up.bias)))
