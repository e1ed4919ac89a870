"""Taps: what is recorded is what passed, what is replaced is what flows on, and both leave no trace."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from qkvae.inspect.taps import record, replace, taps
from qkvae.nn.taps import Tap


class Doubler(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner, self.outer = Tap(), Tap()

    def forward(self, x: Tensor) -> Tensor:
        return self.outer(2 * self.inner(x))


@pytest.fixture
def model() -> nn.Sequential:
    return nn.Sequential(Doubler(), Doubler())


X = torch.tensor([1.0, 3.0])


def test_names_are_places_in_the_order_of_the_model(model: nn.Sequential) -> None:
    assert list(taps(model)) == ["0.inner", "0.outer", "1.inner", "1.outer"]


def test_patterns_choose_what_is_recorded(model: nn.Sequential) -> None:
    with record(model, ["*.outer", "0.inner"]) as seen:
        model(X)
    assert list(seen) == ["0.inner", "0.outer", "1.outer"]
    assert torch.equal(seen["1.outer"], 4 * X)


def test_what_is_recorded_holds_no_graph_and_changes_nothing(model: nn.Sequential) -> None:
    x = X.clone().requires_grad_()
    with record(model, ["*"]) as seen:
        y = model(x)
    y.sum().backward()
    assert not any(value.requires_grad for value in seen.values())
    assert torch.equal(x.grad, torch.full_like(X, 4))


def test_what_was_replaced_is_what_is_recorded_and_flows_on(model: nn.Sequential) -> None:
    with replace(model, "0.outer", torch.zeros_like), record(model, ["0.outer"]) as seen:
        assert torch.equal(model(X), 0 * X)
    assert torch.equal(seen["0.outer"], 0 * X)


def test_two_replacements_follow_each_other(model: nn.Sequential) -> None:
    with replace(model, "0.inner", lambda x: x + 1), replace(model, "0.inner", lambda x: x * 10):
        assert torch.equal(model[0](X), 2 * 10 * (X + 1))


def test_taps_are_as_before_also_after_an_error(model: nn.Sequential) -> None:
    with pytest.raises(RuntimeError), record(model, ["*"]), replace(model, "0.inner", torch.neg):
        raise RuntimeError
    assert not any(tap.listening for tap in taps(model).values())


def test_unknown_names_get_the_nearest_and_leave_no_listener(model: nn.Sequential) -> None:
    unknown = r'no tap is called "1\.iner": did you mean "1\.inner"'
    with pytest.raises(ValueError, match=unknown), record(model, ["0.inner", "1.iner"]):
        pass
    with pytest.raises(ValueError, match=r'did you mean "0\.outer"'), replace(model, "0.uter", torch.neg):
        pass
    assert not any(tap.listening for tap in taps(model).values())


def test_a_replacement_of_another_shape_is_refused(model: nn.Sequential) -> None:
    with (
        replace(model, "0.inner", lambda x: x[:1]),
        pytest.raises(ValueError, match=r"shape \[1\], but .* \[2\]"),
    ):
        model(X)
