"""Models of grids learn: handwritten digits told apart, a moving dot's direction, hidden patches told."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from qkvae import config, losses
from qkvae.data.patch_masks import kept_patches
from qkvae.models import build

BLOCK = config.Block(dim=32, heads=4, hidden=64, activation="gelu", positions="learned", dropout=0.0)


def digits() -> tuple[Tensor, Tensor]:
    """scikit-learn's 1,797 digits of 8 × 8, scaled and shuffled; the last 297 are not learned from."""
    datasets = pytest.importorskip("sklearn.datasets")
    pictures, labels = datasets.load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return torch.from_numpy(pictures).float().view(-1, 1, 8, 8)[order] / 8 - 1, torch.from_numpy(labels)[
        order
    ]


def train(model: Any, loss: Any, rows: int, steps: int, lr: float = 3e-3) -> None:
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    for step in range(steps):
        chosen = torch.randint(rows, (64,), generator=torch.Generator().manual_seed(step))
        optimizer.zero_grad()
        loss(chosen, step).backward()
        optimizer.step()
        schedule.step()


@pytest.mark.parametrize(("positions", "pooling"), [("learned", "class"), ("rotary", "mean")])
def test_digits_are_told_apart(positions: Any, pooling: Any) -> None:
    pictures, labels = digits()
    patches = config.Patches(size=(8, 8), channels=1, patch=(2,))
    head = config.LinearClasses(count=10, pooling=pooling)
    block = config.Block(dim=32, heads=4, hidden=64, activation="gelu", positions=positions, dropout=0.0)
    model = build(config.Vision(block=block, depth=2, patches=patches, head=head))
    train(model, lambda rows, _: losses.classes(model(pictures[rows]), labels[rows]) / 64, 1500, 200, 6e-3)
    with torch.no_grad():
        right = (model.eval()(pictures[1500:]).argmax(1) == labels[1500:]).float().mean()
    assert float(right) > 0.85


def test_the_direction_of_a_moving_dot() -> None:
    """A video of 4 frames of 6 × 6: its one dot moves left, right, up or down."""
    draw = torch.Generator().manual_seed(1)
    labels = torch.randint(4, (400,), generator=draw)
    begun = torch.randint(6, (400, 2), generator=draw)
    moves = torch.tensor([[0, -1], [0, 1], [-1, 0], [1, 0]])[labels]
    films = torch.zeros(400, 1, 4, 6, 6)
    for frame in range(4):
        row, column = ((begun + frame * moves) % 6).T
        films[torch.arange(400), 0, frame, row, column] = 3.0
    patches = config.Patches(size=(4, 6, 6), channels=1, patch=(2, 3, 3))
    model = build(config.Vision(block=BLOCK, depth=2, patches=patches, head=config.LinearClasses(count=4)))
    train(model, lambda rows, _: losses.classes(model(films[rows]), labels[rows]) / 64, 300, 150)
    with torch.no_grad():
        right = (model.eval()(films[300:]).argmax(1) == labels[300:]).float().mean()
    assert float(right) > 0.85


def test_hidden_patches_are_told() -> None:
    """Slopes in any direction: what is hidden follows from what is seen, and is told better than by 0."""
    draw = torch.Generator().manual_seed(1)
    side = torch.linspace(-1, 1, 8)
    axes = torch.stack([side[:, None].expand(8, 8), side.expand(8, 8), torch.ones(8, 8)])
    pictures = torch.einsum("bk,khw->bhw", torch.randn(500, 3, generator=draw), axes)[:, None]
    patches = config.Patches(size=(8, 8), channels=1, patch=(2,))
    model = build(
        config.MaskedImage(
            block=BLOCK, depth=1, decoder_block=BLOCK, decoder_depth=1, patches=patches, target="pixels"
        )
    )

    def loss(rows: Tensor, step: int) -> Tensor:
        kept = kept_patches(0, step, len(rows), 16, 0.25)
        return losses.masked_patches(model(pictures[rows], kept), model.truth(pictures[rows]), kept) / (
            12 * 64
        )

    train(model, loss, 400, 150)
    held, kept = pictures[400:], kept_patches(1, 0, 100, 16, 0.25)
    with torch.no_grad():
        truth = model.eval().truth(held)
        told = losses.masked_patches(model(held, kept), truth, kept)
        usual = losses.masked_patches(torch.zeros_like(truth), truth, kept)
    assert float(told / usual) < 0.2
