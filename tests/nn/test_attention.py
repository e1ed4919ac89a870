"""Attention: small cases by hand, three kernels that agree, rows that see nothing, and what it costs."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.testing import assert_close
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qkvae.nn import attention as A
from qkvae.nn.masks import Mask

FP32 = {"rtol": 0, "atol": 1e-5}


def one_head(rows: list[list[float]]) -> Tensor:
    return torch.tensor(rows)[None, None]


def test_a_large_score_selects_its_value() -> None:
    keys = one_head([[100.0, 0.0], [0.0, 100.0], [-100.0, 0.0]])
    values = one_head([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    queries = one_head([[0.0, 100.0], [-100.0, 0.0]])
    assert_close(A.attention(queries, keys, values), one_head([[3.0, 4.0], [5.0, 6.0]]), rtol=0, atol=0)


def test_equal_scores_average_the_values() -> None:
    values = one_head([[1.0, 0.0], [2.0, 0.0], [6.0, 3.0]])
    queries = one_head([[0.0, 0.0]])
    mixed = A.attention(queries, torch.randn(1, 1, 3, 2), values)
    assert_close(mixed, one_head([[3.0, 1.0]]), rtol=0, atol=1e-6)
    seen = A.attention(queries, torch.randn(1, 1, 3, 2), values, Mask(key_lengths=torch.tensor([2])))
    assert_close(seen, one_head([[1.5, 0.0]]), rtol=0, atol=1e-6)


def test_identity_of_one_key_copies_its_value() -> None:
    values = torch.randn(2, 3, 1, 4)
    assert torch.equal(
        A.attention(torch.randn(2, 3, 5, 4), torch.randn(2, 3, 1, 4), values), values.expand(2, 3, 5, 4)
    )


def test_scores_are_divided_by_the_root_of_the_width() -> None:
    queries, keys = one_head([[1.0, 1.0, 1.0, 1.0]]), one_head([[2.0, 0.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert A.scores(queries, keys).flatten().tolist() == [1.0, 2.0]
    share = math.e**2 / (math.e + math.e**2)
    mixed = A.attention(queries, keys, one_head([[0.0] * 4, [1.0] * 4]))
    assert mixed.flatten().tolist() == pytest.approx([share] * 4)


def test_weights_sum_to_one_and_hidden_keys_have_exactly_none() -> None:
    mask = Mask(causal=True, key_lengths=torch.tensor([3, 5]))
    shares = A.weights(A.scores(torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 4), mask))
    assert_close(shares.sum(-1), torch.ones(2, 2, 5), rtol=0, atol=1e-6)
    assert bool((shares.masked_select(~mask.allowed(5, 5)) == 0).all())
    assert bool((shares.masked_select(mask.allowed(5, 5)) > 0).all())


@st.composite
def cases(draw: st.DrawFn) -> dict[str, object]:
    """Sizes and any combination of the conditions a mask can hold; lengths may be 0."""
    b, m = draw(st.integers(1, 3)), draw(st.integers(1, 14))
    n = draw(st.sampled_from([m, m, draw(st.integers(1, m))]))
    lengths = draw(st.none() | st.lists(st.integers(0, m), min_size=b, max_size=b))
    mask = {
        "causal": draw(st.booleans()),
        "window": draw(st.none() | st.integers(1, 5)),
        "key_lengths": None if lengths is None else torch.tensor(lengths),
    }
    if draw(st.booleans()):
        numbers = st.lists(st.integers(0, 2), min_size=m, max_size=m)
        keys = torch.tensor(draw(st.lists(numbers, min_size=b, max_size=b)))
        mask |= {"documents": keys[:, m - n :], "key_documents": keys}
    width, seed, bias = draw(st.integers(1, 5)), draw(st.integers(0, 99)), draw(st.booleans())
    return {"sizes": (b, n, m, width), "mask": Mask(**mask), "seed": seed, "bias": bias}


def run(kernel: object, parts: list[Tensor], mask: Mask, bias: Tensor | None, offset: int) -> list[Tensor]:
    """A kernel's output and its gradients with respect to queries, keys, values."""
    leaves = [part.clone().requires_grad_() for part in parts]
    extra = () if kernel is A.windowed else (bias, offset)
    mixed = kernel(*leaves, mask, *extra)  # pyright: ignore
    pull = torch.linspace(-1, 1, mixed.numel()).view_as(mixed)
    return [mixed, *torch.autograd.grad((mixed * pull).sum(), leaves)]


@settings(max_examples=150, deadline=None)
@given(cases())
def test_kernels_agree_for_every_mask_forwards_and_backwards(case: dict[str, object]) -> None:
    (b, n, m, w), mask, heads = case["sizes"], case["mask"], 2  # pyright: ignore
    torch.manual_seed(case["seed"])  # pyright: ignore
    parts = [torch.randn(b, heads, n, w), torch.randn(b, heads, m, w), torch.randn(b, heads, m, w)]
    bias = torch.randn(heads, n, m) if case["bias"] else None
    expected = run(A.explicit, parts, mask, bias, m - n)
    kernels = [A.fused, A.attention]
    if n == m and mask.window is not None and mask.documents is None and bias is None:
        kernels.append(A.windowed)
    for kernel in kernels:
        for got, wanted in zip(run(kernel, parts, mask, bias, m - n), expected, strict=True):
            assert_close(got, wanted, **FP32)
    assert all(bool(x.isfinite().all()) for x in expected)
    nothing = ~mask.allowed(n, m, m - n).any(-1, keepdim=True)
    assert bool((expected[0].masked_select(nothing) == 0).all())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("kernel", [A.explicit, A.fused, A.windowed, A.attention])
def test_a_row_that_sees_nothing_gives_zeros_and_finite_gradients(kernel: object, dtype: torch.dtype) -> None:
    mask = Mask(window=2, key_lengths=torch.tensor([0, 3]))
    parts = [torch.randn(2, 2, 12, 4, dtype=dtype) for _ in range(3)]
    mixed, *gradients = run(kernel, parts, mask, None, 0)
    assert bool((mixed[0] == 0).all())
    assert bool((mixed[1, :, 5:] == 0).all())
    assert bool((mixed[1, :, :5] != 0).any(-1).all())
    for gradient in gradients:
        assert bool(gradient.isfinite().all())
        assert bool((gradient[0] == 0).all())


@pytest.mark.parametrize("kernel", [A.explicit, A.fused, A.attention])
@pytest.mark.parametrize(("n", "m", "rows"), [(0, 3, 2), (0, 0, 2), (3, 3, 0)])
def test_nothing_in_nothing_out(kernel: object, n: int, m: int, rows: int) -> None:
    mixed = kernel(torch.randn(rows, 2, n, 4), torch.randn(rows, 2, m, 4), torch.randn(rows, 2, m, 4))  # pyright: ignore
    assert mixed.shape == (rows, 2, n, 4)


@pytest.mark.parametrize("kernel", [A.explicit, A.fused])
def test_no_keys_at_all_gives_zeros(kernel: object) -> None:
    mixed = kernel(torch.randn(2, 2, 3, 4), torch.randn(2, 2, 0, 4), torch.randn(2, 2, 0, 4))  # pyright: ignore
    assert torch.equal(mixed, torch.zeros(2, 2, 3, 4))


@pytest.mark.parametrize("kernel", [A.explicit, A.fused, A.windowed, A.attention])
def test_no_look_ahead_the_gradient_is_exactly_zero(kernel: object) -> None:
    mask = Mask(causal=True, window=3)
    queries, keys, values = (torch.randn(1, 2, 20, 4) for _ in range(3))
    for place in (0, 7, 18):
        keys, values = keys.detach().requires_grad_(), values.detach().requires_grad_()
        extra = () if kernel is A.windowed else (None, 0)
        mixed = kernel(queries, keys, values, mask, *extra)  # pyright: ignore
        for gradient in torch.autograd.grad(mixed[:, :, place].sum(), (keys, values)):
            assert bool((gradient[:, :, place + 1 :] == 0).all())
        assert bool((gradient[:, :, place] != 0).any())


def test_padding_has_exactly_no_influence_whatever_it_holds() -> None:
    mask = Mask(key_lengths=torch.tensor([3]))
    parts = [torch.randn(1, 2, 5, 4) for _ in range(3)]
    changed = [part.clone() for part in parts]
    for part in changed[1:]:
        part[:, :, 3:] = 1e4
    for kernel in (A.explicit, A.fused):
        assert torch.equal(kernel(parts[0], *changed[1:], mask), kernel(*parts, mask))


def test_each_key_head_serves_its_group_of_query_heads() -> None:
    queries, keys, values = torch.randn(2, 6, 5, 4), torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 4)
    mixed = A.attention(queries, keys, values)
    for head in range(6):
        group = slice(head // 3, head // 3 + 1)
        alone = A.explicit(queries[:, head : head + 1], keys[:, group], values[:, group])
        assert_close(mixed[:, head : head + 1], alone, **FP32)


def test_bf16_stays_within_its_digits() -> None:
    parts = [torch.randn(2, 2, 9, 8) for _ in range(3)]
    for mask in (Mask(), Mask(causal=True), Mask(key_lengths=torch.tensor([4, 9]))):
        rough = A.attention(*(part.bfloat16() for part in parts), mask)
        assert_close(rough.float(), A.explicit(*parts, mask), rtol=0, atol=0.05)


class Count(TorchDispatchMode):
    """Adds up the elements that operators make, and the products that fused attention never shows."""

    def __init__(self) -> None:
        super().__init__()
        self.made, self.products = 0, 0

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        self.made += sum(x.numel() for x in tree_leaves(out) if isinstance(x, Tensor))
        if "scaled_dot_product" in str(function):
            backward = "backward" in str(function)
            queries, keys = args[1:3] if backward else args[:2]
            self.products += (5 if backward else 2) * queries.numel() * keys.shape[2]
        return out


def test_scores_are_added_to_the_mask_and_not_to_a_view_of_it() -> None:
    """In place on a view autograd would copy and clear all scores backwards: nearly twice as much is made."""
    made: list[int] = []
    for mask in (Mask(), Mask(causal=True)):
        queries, keys = (torch.randn(2, 2, 64, 4, requires_grad=True) for _ in range(2))
        with Count() as count:
            A.scores(queries, keys, mask).sum().backward()
        made.append(count.made)
    assert made[1] < 2 * made[0]


def cost(length: int, mask: Mask) -> Count:
    """What attention and its gradient count at one length."""
    parts = [torch.randn(1, 1, length, 8, requires_grad=True) for _ in range(3)]
    with Count() as count:
        A.attention(*parts, mask).sum().backward()
    assert count.products > 0
    return count


@pytest.mark.parametrize("causal", [False, True])
def test_a_window_costs_linearly_in_the_length(causal: bool) -> None:
    mask = Mask(window=16, causal=causal)
    short, long = cost(512, mask), cost(4096, mask)
    assert long.products == 8 * short.products
    assert long.made == pytest.approx(8 * short.made, rel=0.01)
    square = cost(4096, Mask())
    assert square.products == 64 * cost(512, Mask()).products
    assert long.products < square.products / 50


def test_a_window_never_holds_the_square() -> None:
    table = Mask(window=16).window_table(4096)
    assert table.numel() == 4096 * 3 * 16
    assert Mask(window=16, causal=True).window_table(4096).numel() == 4096 * 2 * 16


def test_a_bias_is_learned_through_and_left_as_it_is() -> None:
    (queries, keys, values), bias = torch.randn(3, 1, 2, 4, 3), torch.randn(2, 4, 4, requires_grad=True)
    kept = bias.detach().clone()
    A.explicit(queries, keys, values, Mask(causal=True), bias).sum().backward()
    assert torch.equal(bias, kept)
    (expected,) = torch.autograd.grad(A.fused(queries, keys, values, Mask(causal=True), bias).sum(), bias)
    assert_close(bias.grad, expected, **FP32)
