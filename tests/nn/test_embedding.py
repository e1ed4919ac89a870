"""The embedding: a look-up that is a product with a one-hot vector, times √dim."""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F
from torch.testing import assert_close

from qkvae.nn.embedding import Embedding


def test_the_look_up_is_the_product_with_a_one_hot_vector_and_so_are_its_gradients() -> None:
    embedding, ids = Embedding(7, 4).double(), torch.tensor([[0, 6, 3], [3, 3, 1]])
    product = F.one_hot(ids, 7).double() @ embedding.weight * 2
    assert torch.equal(embedding(ids), product)
    pull = torch.randn(2, 3, 4, dtype=torch.float64)
    looked = torch.autograd.grad((embedding(ids) * pull).sum(), embedding.weight)[0]
    multiplied = torch.autograd.grad((product * pull).sum(), embedding.weight)[0]
    assert_close(looked, multiplied)


def test_channels_start_with_deviation_one() -> None:
    embedding = Embedding(2000, 64)
    assert abs(float(embedding.weight.detach().std()) * math.sqrt(64) - 1) < 0.01
    assert abs(float(embedding(torch.arange(2000)).detach().std()) - 1) < 0.01


def test_no_ids_no_vectors() -> None:
    assert Embedding(3, 4)(torch.zeros(2, 0, dtype=torch.int64)).shape == (2, 0, 4)
