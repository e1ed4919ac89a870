"""Losses of vectors of texts against other people's: CLIP's in transformers, PyTorch's of a cosine."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from qkvae import losses

modeling_clip = pytest.importorskip("transformers.models.clip.modeling_clip")


def test_contrastive_is_the_loss_of_clip() -> None:
    torch.manual_seed(0)
    first, second = torch.randn(12, 8, requires_grad=True), torch.randn(12, 8)
    found = losses.contrastive(first, second, 0.07)
    (gradient,) = torch.autograd.grad(found, first)
    scores = F.cosine_similarity(first[:, None], second[None], dim=-1) / 0.07
    expected = 12 * modeling_clip.image_text_contrastive_loss(scores)
    (known,) = torch.autograd.grad(expected, first)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, known, atol=1e-5, rtol=1e-5)


def test_pairs_that_share_a_text_do_not_compete() -> None:
    torch.manual_seed(1)
    first, second = torch.randn(4, 8), torch.randn(4, 8)
    alike = torch.eye(4, dtype=torch.bool)
    alike[0, 2] = alike[2, 0] = True
    scores = F.cosine_similarity(first[:, None], second[None], dim=-1) / 0.05
    expected = torch.zeros(())
    for row in range(4):
        kept = [column for column in range(4) if column == row or not alike[row, column]]
        for side in (scores[row], scores[:, row]):
            expected = expected - (side[row] - torch.logsumexp(side[kept], 0)) / 2
    torch.testing.assert_close(losses.contrastive(first, second, 0.05, alike), expected, atol=1e-5, rtol=1e-5)
