"""What the latents are used for: against closed forms and sums written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch.testing import assert_close

from qkvae.metrics.latents import Rates, active_units, mutual_information
from qkvae.nn.gaussian import Gaussian


def test_units_are_active_where_their_mean_varies() -> None:
    mu = torch.randn(5000, 4) * torch.tensor([1.0, 0.2, 0.05, 0.0]) + 3.0
    assert active_units(mu).tolist() == [True, True, False, False]


def test_information_of_data_far_apart_is_their_count_and_of_collapsed_ones_nothing() -> None:
    q = Gaussian(100 * torch.arange(300.0)[:, None], torch.zeros(300, 1))
    z = q.draw(torch.randn(4, 300, 1))
    assert float(mutual_information(q, z)) == pytest.approx(math.log(300), abs=1e-3)
    q = Gaussian(torch.zeros(300, 2), torch.zeros(300, 2))
    assert float(mutual_information(q, q.draw(torch.randn(4, 300, 2)))) == pytest.approx(0.0, abs=1e-5)


def test_information_is_that_of_a_channel_with_normal_noise() -> None:
    """x ~ N(0, s²), z | x ~ N(x, 1): I = ½ ln (1 + s²)."""
    q = Gaussian(2.0 * torch.randn(3000, 1), torch.zeros(3000, 1))
    found = mutual_information(q, q.draw(torch.randn(1, 3000, 1)))
    assert float(found) == pytest.approx(0.5 * math.log(5.0), abs=0.05)


def test_rates_add_up_over_batches_of_any_size() -> None:
    log_p, kl, rates = -100 * torch.rand(50), torch.rand(50, 3), Rates()
    for begin, end in ((0, 7), (7, 8), (8, 50)):
        rates.add(log_p[begin:end], kl[begin:end])
    assert_close(rates.kl, kl.double().mean(0), rtol=1e-6, atol=1e-6)
    assert rates.rate == pytest.approx(float(kl.sum(1).mean()), rel=1e-5)
    assert rates.distortion == pytest.approx(-float(log_p.mean()), rel=1e-5)
    assert rates.elbo == pytest.approx(float((log_p - kl.sum(1)).mean()), rel=1e-5)
    assert rates.count == 50
