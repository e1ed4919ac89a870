"""A token id is the index of a one-hot vector: its embedding is that vector times the embedding matrix."""

import torch
from torch.nn import functional as F


def test_one_hot_times_matrix_is_the_look_up() -> None:
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randn(11, 5, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(3, 7, 5, generator=generator, dtype=torch.float64)
    ids = torch.randint(0, 11, (3, 7), generator=generator)

    product = F.one_hot(ids, 11).to(matrix.dtype) @ matrix
    look_up = F.embedding(ids, matrix)

    assert torch.equal(product, look_up)
    (of_product,) = torch.autograd.grad((product * weights).sum(), matrix)
    (of_look_up,) = torch.autograd.grad((look_up * weights).sum(), matrix)
    torch.testing.assert_close(of_product, of_look_up, rtol=0, atol=1e-12)
