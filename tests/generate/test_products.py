"""Products with a fixed matrix: near the exact ones, and each row as it would be alone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from qkvae.generate import products
from qkvae.generate.products import (
    Bf16Linear,
    Int4Linear,
    Int8Linear,
    Product,
)
from qkvae.nn.projection import Projection

KINDS: dict[str, tuple[Callable[[nn.Linear], Product], float]] = {
    "int8": (Int8Linear, 0.015),
    "int4": (Int4Linear, 0.12),
    "bf16": (lambda linear: Bf16Linear(linear, stays=False), 0.006),
}
"""Each kind, and its error as a part of what the product varies by."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("rows", [1, 8, 9])
def test_the_error_is_that_of_rounding(kind: str, bias: bool, rows: int) -> None:
    torch.manual_seed(rows)
    make, error = KINDS[kind]
    linear, x = nn.Linear(320, 50, bias=bias), torch.randn(rows, 2, 320)
    with torch.no_grad():
        exact, found = linear(x), make(linear)(x)
    assert isinstance(found, torch.Tensor)
    assert found.dtype == torch.float32
    assert found.shape == exact.shape
    assert 0 < float((found - exact).std()) < error * float(exact.std())


@pytest.mark.parametrize("kind", KINDS)
def test_a_projection_stays_one(kind: str) -> None:
    projection, x = Projection(64, (32, 16, 16)), torch.randn(2, 3, 64)
    with torch.no_grad():
        exact, found = projection(x), KINDS[kind][0](projection)(x)
    assert [part.shape for part in found] == [part.shape for part in exact]
    for part, wanted in zip(found, exact, strict=True):
        assert float((part - wanted).abs().max()) < 0.5


@pytest.fixture(params=["fbgemm", "plain"])
def both_products(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """FBGEMM's product where PyTorch has it, and the one for all processors."""
    if request.param == "plain":
        monkeypatch.setattr(products, "fbgemm_is_exact", lambda: False)
    elif not products.fbgemm_is_exact():
        pytest.skip("PyTorch was built without FBGEMM")


@pytest.mark.usefixtures("both_products")
@pytest.mark.parametrize("width", [512, 4096])
def test_rows_do_not_depend_on_their_neighbours_by_a_single_bit(width: int) -> None:
    product = Int8Linear(nn.Linear(256, width))
    x = torch.randn(37, 256) * torch.logspace(-3, 3, 37)[:, None]
    together = product(x)
    assert isinstance(together, torch.Tensor)
    for count in (1, 5, 8, 9):
        for start in range(0, 37 - count, 7):
            assert torch.equal(product(x[start : start + count]), together[start : start + count])


def test_both_products_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    if not products.fbgemm_is_exact():
        pytest.skip("PyTorch was built without FBGEMM")
    linear, x = nn.Linear(320, 50), torch.randn(9, 320)
    fbgemm = Int8Linear(linear)(x)
    monkeypatch.setattr(products, "fbgemm_is_exact", lambda: False)
    plain = Int8Linear(linear)(x)
    assert isinstance(fbgemm, torch.Tensor)
    assert isinstance(plain, torch.Tensor)
    assert_close(fbgemm, plain, rtol=0, atol=1e-5)


@pytest.mark.usefixtures("both_products")
@pytest.mark.parametrize("width", [40, 4097])
def test_8_bits_are_off_by_half_a_step_of_either_factor_at_most(width: int) -> None:
    linear = nn.Linear(300, width)
    x = torch.randn(7, 2, 300) * torch.logspace(-3, 3, 7)[:, None, None]
    with torch.no_grad():
        exact, found = linear(x), Int8Linear(linear)(x)
    assert isinstance(found, torch.Tensor)
    step = x.abs().amax(-1) * linear.weight.abs().max() / 127
    assert bool(((found - exact).abs().amax(-1) < 300 * step).all())


@pytest.mark.usefixtures("both_products")
@pytest.mark.parametrize("width", [3, 4096])
def test_a_row_of_zeros_gives_the_bias(width: int) -> None:
    linear = nn.Linear(64, width)
    assert torch.equal(Int8Linear(linear)(torch.zeros(2, 64)), linear.bias.detach().expand(2, width))


def test_weights_that_4_bits_can_hold_are_held() -> None:
    linear = nn.Linear(64, 21)
    with torch.no_grad():
        whole = torch.randint(0, 16, (21, 64))
        whole[:, ::32], whole[:, 1::32] = 0, 15  # the smallest and the largest of each group
        linear.weight.copy_(0.25 * whole - 2)
        linear.bias.zero_()
        x = torch.eye(64)
        assert torch.equal(Int4Linear(linear)(x), linear(x))
