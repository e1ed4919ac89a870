"""Likelihoods against torch.distributions and closed forms, with draws in front and of any shape."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, distributions
from torch.testing import assert_close

from qkvae.nn.likelihoods import Bernoulli, Categorical, Likelihood, Logistic, Normal

CLOSE = {"rtol": 1e-5, "atol": 1e-4}
SHAPES = [(5,), (16,), (1, 3, 7), (3, 4, 4)]


def summed(x: Tensor, count: int) -> Tensor:
    return x.flatten(-count).sum(-1)


@pytest.mark.parametrize("draws", [(), (3,), (2, 3)])
@pytest.mark.parametrize("shape", SHAPES)
def test_bernoulli_is_torchs_with_its_gradient(shape: tuple[int, ...], draws: tuple[int, ...]) -> None:
    x = torch.rand(4, *shape).round()
    logits = (5 * torch.randn(*draws, 4, *shape)).requires_grad_()
    ours = Bernoulli().log_prob(x, logits)
    theirs = summed(distributions.Bernoulli(logits=logits).log_prob(x.expand_as(logits)), len(shape))
    assert_close(ours, theirs, **CLOSE)
    weights = torch.randn_like(ours)
    mine, other = (torch.autograd.grad(y, logits, weights)[0] for y in (ours, theirs))
    assert_close(mine, other, **CLOSE)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(0.1, 300.0), seed=st.integers(0, 1000), numbers=st.integers(1, 40))
def test_bernoulli_holds_where_probabilities_underflow(scale: float, seed: int, numbers: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(2, numbers, generator=generator)
    x = torch.rand(2, numbers, generator=generator)
    exact = -F.binary_cross_entropy_with_logits(logits.double(), x.double(), reduction="none").sum(-1)
    assert_close(Bernoulli().log_prob(x, logits).double(), exact, rtol=1e-5, atol=1e-4)


def test_bernoulli_in_bf16_gives_gradients_in_bf16() -> None:
    logits = torch.randn(3, 8, dtype=torch.bfloat16, requires_grad=True)
    value = Bernoulli().log_prob(torch.ones(3, 8), logits)
    assert value.dtype == torch.float32
    value.sum().backward()
    assert logits.grad is not None
    assert_close(logits.grad, (1 - logits.detach().float().sigmoid()).bfloat16())


@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_normal_is_torchs_with_the_gradient_of_sigma(shape: tuple[int, ...], each: bool) -> None:
    normal = Normal(shape if each else ())
    with torch.no_grad():
        normal.noise.normal_()
    x, told = torch.randn(4, *shape), torch.randn(3, 4, *shape)
    sigma = (normal.noise.exp() + 1e-6).sqrt()
    ours = normal.log_prob(x, told)
    theirs = summed(distributions.Normal(told, sigma).log_prob(x), len(shape))
    assert_close(ours, theirs, **CLOSE)
    one, other = (torch.autograd.grad(y.sum(), normal.noise)[0] for y in (ours, theirs))
    assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_constant_number_is_not_infinitely_probable() -> None:
    normal = Normal(())
    with torch.no_grad():
        normal.noise.fill_(-200.0)
    told = torch.zeros(1, 1, requires_grad=True)
    value = normal.log_prob(torch.zeros(1, 1), told)
    assert float(value.detach()) == pytest.approx(5.99, abs=0.01)  # −½ (ln 2π + ln 10⁻⁶)


@pytest.mark.parametrize("noise", [-6.0, -2.0, 1.0])
def test_logistic_levels_sum_to_one_and_are_differences_of_the_law(noise: float) -> None:
    levels, mu = 256, torch.tensor(0.31, dtype=torch.float64)
    logistic = Logistic((), levels)
    with torch.no_grad():
        logistic.noise.fill_(noise)
    values = torch.linspace(0, 1, levels)[:, None]
    log_p = logistic.log_prob(values, mu.float().expand(levels, 1)).detach().double()
    half, s = 0.5 / (levels - 1), torch.tensor(noise, dtype=torch.float64).exp()
    above = torch.sigmoid((values[:, 0].double() + half - mu) / s)
    above[-1] = 1.0
    p = above.diff(prepend=torch.zeros(1, dtype=torch.float64))
    assert_close(log_p.exp(), p, rtol=0, atol=1e-5)
    assert float(log_p.exp().sum()) == pytest.approx(1.0, abs=1e-5)
    assert bool(log_p.isfinite().all())  # far in the tail too, where the difference itself is 0


def test_categorical_is_torchs() -> None:
    x = torch.randint(7, (4, 2, 3))
    told = torch.randn(5, 4, 2, 3, 7)
    theirs = summed(distributions.Categorical(logits=told).log_prob(x), 2)
    assert_close(Categorical(7).log_prob(x / 6, told), theirs, **CLOSE)


@pytest.mark.parametrize(
    "likelihood", [Bernoulli(), Normal(()), Logistic((), 16), Categorical(5)], ids=lambda x: type(x).__name__
)
def test_draws_have_the_mean_told_and_can_be_drawn_again(likelihood: Likelihood) -> None:
    told = likelihood.told(0.3 * torch.randn(1, 6 * likelihood.outputs) + 0.5, (1, 2, 3))
    many = told.expand(20_000, *told.shape[1:])
    one, again = (likelihood.draw(many, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, again)
    assert one.shape == (20_000, 1, 2, 3)
    if isinstance(likelihood, Logistic):  # what lies beyond 0 and 1 is drawn back: the mean told is clipped
        likelihood.check(one)
        return
    assert_close(one.mean(0), likelihood.mean(told)[0], rtol=0, atol=0.04)
    likelihood.check(one)


def test_impossible_data_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 255, but a Bernoulli likelihood"):
        Bernoulli().check(torch.tensor([[0.0, 255.0]]))
    with pytest.raises(ValueError, match="infinite"):
        Normal(()).check(torch.tensor([[0.0, torch.inf]]))
    with pytest.raises(ValueError, match="beside the nearest of 4 levels"):
        Logistic((), 4).check(torch.tensor([[0.0, 0.5]]))
    with pytest.raises(ValueError, match="knows 0 to 1 only"):
        Bernoulli().check(torch.tensor([[torch.nan]]))
