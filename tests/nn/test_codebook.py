"""The codebook against k-means written out, its gradient, and codes that nothing is near to."""

from __future__ import annotations

import torch
from sklearn.cluster import KMeans
from torch.testing import assert_close

from qkvae.nn.codebook import Codebook, commitment


def test_the_nearest_code_is_chosen() -> None:
    book, x = Codebook(9, 3), 2 * torch.randn(4, 5, 3)
    assert torch.equal(book.nearest(x), torch.cdist(x.flatten(0, 1), book.codes).argmin(1).view(4, 5))
    assert torch.equal(book.nearest(torch.zeros(0, 3)), torch.zeros(0, dtype=torch.long))


def test_the_gradient_goes_straight_through_and_none_to_the_codes() -> None:
    book, x = Codebook(9, 3), torch.randn(6, 3, requires_grad=True)
    z, ids = book(x)
    assert_close(z, book.codes[ids], rtol=0, atol=1e-6)
    weights = torch.randn(6, 3)
    (z * weights).sum().backward()
    assert_close(x.grad, weights)
    assert list(book.parameters()) == []


def test_commitment_pulls_vectors_to_their_codes_only() -> None:
    book, x = Codebook(9, 3), torch.randn(6, 3, requires_grad=True)
    z, ids = book(x)
    (slope,) = torch.autograd.grad(commitment(x, z), x)
    assert_close(slope, 2 * (x.detach() - book.codes[ids]), rtol=1e-5, atol=1e-5)


def test_the_moving_average_is_its_equation() -> None:
    book, x = Codebook(3, 2, keep=0.9), torch.randn(8, 2)
    ids = torch.tensor([0, 0, 1, 1, 1, 0, 0, 0])
    counts, sums = book.counts.clone(), book.sums.clone()
    book.follow(x, ids)
    for code in range(3):
        mine = x[ids == code]
        n = 0.9 * counts[code] + 0.1 * len(mine)
        assert_close(book.codes[code], (0.9 * sums[code] + 0.1 * mine.sum(0)) / n, rtol=1e-5, atol=1e-6)


def test_followed_for_long_the_codes_are_k_means() -> None:
    centres = torch.tensor([[5.0, 0.0], [-5.0, 0.0], [0.0, 5.0]])
    x = (centres[:, None] + 0.3 * torch.randn(3, 200, 2)).flatten(0, 1)
    book = Codebook(3, 2, keep=0.9)
    book.codes.copy_(centres + 1.0)
    for _ in range(200):
        book.follow(x, book.nearest(x))
    found = KMeans(3, init=centres.numpy(), n_init=1).fit(x.numpy()).cluster_centers_
    assert_close(book.codes, torch.from_numpy(found).float(), rtol=0, atol=1e-3)


def test_dead_codes_come_back_to_where_vectors_are() -> None:
    book, x = Codebook(16, 2), torch.randn(500, 2)
    book.codes[4:] += 100.0
    book.sums[4:] += 100.0
    for _ in range(900):
        book.follow(x, book.nearest(x))
    dead = book.dead
    assert dead.tolist() == [False] * 4 + [True] * 12
    assert book.restart(x, torch.Generator().manual_seed(0)) == 12
    assert not book.dead.any()
    assert all(bool((x == code).all(1).any()) for code in book.codes[4:])
    book.follow(x, book.nearest(x))
    assert len(set(book.nearest(x).tolist())) > 12
    assert book.restart(x, torch.Generator().manual_seed(0)) == 0


def test_a_restart_is_a_function_of_the_generator() -> None:
    found = []
    for seed in (1, 1, 2):
        book = Codebook(8, 2)
        book.counts[3:] = 0.0
        book.restart(torch.arange(200.0).view(100, 2), torch.Generator().manual_seed(seed))
        found.append(book.codes[3:].clone())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


def test_what_is_shown_in_training_is_learned_at_the_step_whatever_parts_it_came_in() -> None:
    x, draw = torch.randn(40, 2), torch.Generator().manual_seed(0)
    one, parts, shown = Codebook(3, 2), Codebook(3, 2), Codebook(3, 2).eval()
    for book in (parts, shown):
        book.load_state_dict(one.state_dict())
    one.follow(x, one.nearest(x))
    for part in x.split(7):
        parts(part)
        shown(part)
    assert [float(each.sum()) for each in shown.counted()] == [0.0, 0.0]
    parts.learn(5, draw)
    assert_close(parts.state_dict(), one.state_dict(), rtol=1e-5, atol=1e-6)
    assert float(parts.counted()[0].sum()) == 0.0


def test_the_first_step_puts_all_codes_where_vectors_are() -> None:
    book, x = Codebook(8, 2), 100 + torch.randn(50, 2)
    book(x)
    book.learn(0, torch.Generator().manual_seed(0))
    assert all(bool((x == code).all(1).any()) for code in book.codes)
    assert book.counts.tolist() == [1.0] * 8
