"""Taps: free while nobody listens, and what they show is what the fast path computed."""

from __future__ import annotations

import torch
from torch import nn
from torch.testing import assert_close

from qkvae import config
from qkvae.nn.masks import Mask
from qkvae.nn.multihead import SelfAttention
from qkvae.nn.taps import Tap

BLOCK = config.Block(dim=8, heads=2, key_heads=1, hidden=8)


def test_a_silent_tap_hands_the_same_tensor_on() -> None:
    x = torch.randn(2)
    tap = Tap()
    assert tap(x) is x
    assert not tap.listening


def test_a_listener_sees_and_may_replace() -> None:
    tap, x = Tap(), torch.ones(2)
    tap.listener = lambda seen: seen * 3
    assert tap.listening
    assert tap(x).tolist() == [3.0, 3.0]
    tap.listener = None
    assert tap(x) is x


def test_a_tap_bears_the_name_of_its_place_and_holds_no_weights() -> None:
    module = nn.ModuleDict({"block": SelfAttention(BLOCK, 8)})
    names = [name for name, part in module.named_modules() if isinstance(part, Tap)]
    quantities = ["queries", "keys", "values", "scores", "weights", "mixed"]
    assert names == [f"block.{quantity}" for quantity in quantities]
    assert not any("scores" in name for name in module.state_dict())


def test_listening_to_the_weights_changes_nothing() -> None:
    attention, x, mask = SelfAttention(BLOCK, 8), torch.randn(2, 6, 8), Mask(causal=True)
    quiet = attention(x, mask)
    seen: dict[str, torch.Tensor] = {}
    for name in ("queries", "values", "scores", "weights", "mixed"):
        tap = getattr(attention, name)
        tap.listener = lambda value, name=name: seen.setdefault(name, value)
    assert_close(attention(x, mask), quiet, rtol=0, atol=1e-6)
    assert seen["weights"].shape == (2, 2, 6, 6)
    assert seen["values"].shape == (2, 1, 6, 4)
    assert_close(seen["weights"], seen["scores"].softmax(-1))
    assert_close(seen["mixed"], seen["weights"] @ seen["values"])
    assert bool((seen["weights"].triu(1) == 0).all())


def test_a_replaced_weight_reaches_the_output() -> None:
    attention, x = SelfAttention(BLOCK, 8), torch.randn(2, 6, 8)
    attention.weights.listener = torch.zeros_like
    assert_close(attention(x), attention.output.bias.expand(2, 6, 8))
