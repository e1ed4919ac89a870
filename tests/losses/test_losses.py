"""The losses against torch's own and against double precision, also where probabilities underflow."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F
from torch.testing import assert_close

from qkvae.losses import consistent_cross_entropy, cross_entropy, projected_cross_entropy, tokens


def case(rows: int, dim: int, vocab: int, scale: float = 1.0, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    features = scale * torch.randn(rows, dim, generator=generator)
    weight = torch.randn(vocab, dim, generator=generator)
    return features, weight, torch.randint(vocab, (rows,), generator=generator)


def reference(features: Tensor, weight: Tensor, targets: Tensor, smoothing: float) -> list[Tensor]:
    """Loss, negative log-likelihood and both gradients by torch, in double precision."""
    features, weight = (x.double().requires_grad_() for x in (features, weight))
    logits = features @ weight.T
    loss = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")
    nll = F.cross_entropy(logits, targets, reduction="sum")
    return [loss, nll, *torch.autograd.grad(loss, (features, weight))]


def projected(features: Tensor, weight: Tensor, targets: Tensor, smoothing: float) -> list[Tensor]:
    features, weight = (x.clone().requires_grad_() for x in (features, weight))
    loss, nll = projected_cross_entropy(features, weight, targets, smoothing)
    return [loss, nll, *torch.autograd.grad(loss, (features, weight))]


def close(got: list[Tensor], wanted: list[Tensor], tolerance: float) -> None:
    """Each tensor relative to the largest number it should hold."""
    for one, other in zip(got, wanted, strict=True):
        scale = float(other.detach().abs().max()) if other.numel() else 0.0
        assert_close(one.double(), other, rtol=0, atol=tolerance * max(scale, 1.0))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_a_bias_is_added_to_the_logits_and_learns(smoothing: float) -> None:
    features, weight, targets = case(700, 8, 33)
    parts = [features, weight, torch.randn(33)]
    found = [x.clone().requires_grad_() for x in parts]
    exact = [x.double().requires_grad_() for x in parts]
    loss, nll = projected_cross_entropy(found[0], found[1], targets, smoothing, found[2])
    logits = exact[0] @ exact[1].T + exact[2]
    wanted = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")
    plain = F.cross_entropy(logits, targets, reduction="sum")
    close(
        [loss, nll, *torch.autograd.grad(loss, found)],
        [wanted, plain, *torch.autograd.grad(wanted, exact)],
        1e-5,
    )


def test_by_hand() -> None:
    """p = (¼, ¾), target 0, ε = 0.2: −0.9 ln ¼ − 0.1 ln ¾."""
    loss, nll = cross_entropy(torch.tensor([[0.0, math.log(3)]]), torch.tensor([0]), 0.2)
    assert float(nll) == pytest.approx(math.log(4))
    assert float(loss) == pytest.approx(0.9 * math.log(4) + 0.1 * math.log(4 / 3))


def test_a_uniform_prediction_costs_ln_vocab_whatever_the_smoothing() -> None:
    for smoothing in (0.0, 0.1, 0.5):
        loss, nll = projected_cross_entropy(
            torch.zeros(3, 4), torch.randn(7, 4), torch.tensor([0, 3, 6]), smoothing
        )
        assert float(loss) == pytest.approx(3 * math.log(7))
        assert float(nll) == pytest.approx(3 * math.log(7))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 9),
    st.integers(1, 9),
    st.integers(1, 20),
    st.sampled_from([0.0, 0.1, 0.7]),
    st.integers(0, 99),
)
def test_both_losses_are_torchs(rows: int, dim: int, vocab: int, smoothing: float, seed: int) -> None:
    parts = case(rows, dim, vocab, seed=seed)
    wanted = reference(*parts, smoothing)
    close(projected(*parts, smoothing), wanted, 1e-5)
    features, weight, targets = parts
    close(list(cross_entropy(features @ weight.T, targets, smoothing)), wanted[:2], 1e-5)


@pytest.mark.parametrize("rows", [511, 512, 513, 1400])
def test_rows_are_cut_into_chunks_and_none_is_lost(rows: int) -> None:
    parts = case(rows, 6, 11)
    close(projected(*parts, 0.1), reference(*parts, 0.1), 1e-5)


@pytest.mark.parametrize("scale", [30.0, 300.0, 3000.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_extreme_logits_whose_probabilities_underflow(scale: float, smoothing: float) -> None:
    parts = case(64, 8, 50, scale)
    features, weight, targets = parts
    p = torch.softmax(features @ weight.T, -1).gather(1, targets[:, None])
    assert scale < 100 or bool((p == 0).any())
    got = projected(*parts, smoothing)
    assert all(bool(x.isfinite().all()) for x in got)
    close(got, reference(*parts, smoothing), 1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize(("scale", "tolerance"), [(1.0, 0.01), (30.0, 0.03)])
def test_bf16_keeps_its_digits(smoothing: float, scale: float, tolerance: float) -> None:
    """Logits of 100 and more are rounded to ±0.25, which bounds what any loss of them can keep."""
    features, weight, targets = case(600, 16, 40, scale)
    features, weight = features.bfloat16(), weight.bfloat16()
    loss, nll, d_features, d_weight = projected(features, weight, targets, smoothing)
    wanted = reference(features, weight, targets, smoothing)
    assert loss.dtype == nll.dtype == torch.float32
    assert d_features.dtype == d_weight.dtype == torch.bfloat16
    close([loss, nll], wanted[:2], 0.005)
    for got, right in zip((d_features, d_weight), wanted[2:], strict=True):
        assert float((got.double() - right).norm() / right.norm()) < tolerance


def test_the_gradient_is_scaled_by_what_comes_from_above() -> None:
    features, weight, targets = case(5, 4, 7)
    wanted = reference(features, weight, targets, 0.1)
    features.requires_grad_()
    weight.requires_grad_()
    loss, nll = projected_cross_entropy(features, weight, targets, 0.1)
    assert not nll.requires_grad
    (loss * 0.25).backward()
    close([features.grad, weight.grad], [0.25 * x for x in wanted[2:]], 1e-5)  # pyright: ignore


def test_a_frozen_head_or_no_gradient_at_all() -> None:
    features, weight, targets = case(5, 4, 7)
    wanted = reference(features, weight, targets, 0.1)
    features.requires_grad_()
    loss, _ = projected_cross_entropy(features, weight, targets, 0.1)
    close([torch.autograd.grad(loss, features)[0]], [wanted[2]], 1e-5)
    with torch.no_grad():
        close(list(projected_cross_entropy(features, weight, targets, 0.1)), wanted[:2], 1e-5)


def test_gradients_are_the_slopes_of_the_explicit_loss() -> None:
    """Finite differences in double precision; the chunked loss is tied to this one by the tests above."""
    features, weight, targets = case(3, 4, 5)

    def loss(features: Tensor, weight: Tensor) -> Tensor:
        log_p = F.log_softmax(features @ weight.T, -1)
        return -(0.9 * log_p.gather(1, targets[:, None]).sum() + 0.1 * log_p.mean(-1).sum())

    features, weight = features.double().requires_grad_(), weight.double().requires_grad_()
    assert torch.autograd.gradcheck(loss, (features, weight))
    wanted = torch.autograd.grad(loss(features, weight), (features, weight))
    got = projected(features.detach().float(), weight.detach().float(), targets, 0.1)[2:]
    close(got, list(wanted), 1e-5)


def test_the_full_logits_are_never_held(monkeypatch: pytest.MonkeyPatch) -> None:
    widest: list[int] = []
    softmax = torch.softmax

    def watched(x: Tensor, dim: int) -> Tensor:
        widest.append(len(x))
        return softmax(x, dim=dim)

    monkeypatch.setattr(torch, "softmax", watched)
    projected(*case(2000, 4, 9), 0.1)
    assert max(widest) == tokens._CHUNK
    assert sum(widest) == 2000


def test_sums_add_up_over_any_cut_of_the_rows() -> None:
    features, weight, targets = case(30, 6, 11)
    whole = projected_cross_entropy(features, weight, targets, 0.1)
    pieces = [
        projected_cross_entropy(features[i : i + 7], weight, targets[i : i + 7], 0.1) for i in range(0, 30, 7)
    ]
    for k in range(2):
        assert_close(sum(piece[k] for piece in pieces), whole[k], rtol=1e-6, atol=0)


@pytest.mark.parametrize("rows", [3, 700])  # one chunk, and two
def test_two_passes_are_drawn_towards_each_other(rows: int) -> None:
    features = torch.randn(2, rows, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(9, 6, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(9, (rows,))
    log_p = F.log_softmax(features @ weight.T, -1)
    each = [cross_entropy_64(log_p[i], targets, 0.1) for i in range(2)]
    kl = [F.kl_div(log_p[1 - i], log_p[i], log_target=True, reduction="sum") for i in range(2)]
    expected = (each[0] + each[1]) / 2 + 3.0 / 4 * (kl[0] + kl[1])
    wanted = torch.autograd.grad(expected, (features, weight))

    loss, nll = consistent_cross_entropy(features.float(), weight.float(), targets, 0.1, 3.0)

    torch.testing.assert_close(loss.double(), expected.detach(), rtol=1e-5, atol=1e-5)
    both = -log_p.detach()[:, torch.arange(rows), targets].sum() / 2
    torch.testing.assert_close(nll.double(), both, rtol=1e-5, atol=1e-5)
    found = torch.autograd.grad(loss, (features, weight))
    for ours, theirs in zip(found, wanted, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def cross_entropy_64(log_p: Tensor, targets: Tensor, smoothing: float) -> Tensor:
    return F.nll_loss(log_p, targets, reduction="sum") * (1 - smoothing) - smoothing * log_p.mean(-1).sum()
