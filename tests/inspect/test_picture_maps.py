"""Maps of where a model looked, against cases computed by hand."""

from __future__ import annotations

import itertools
from contextlib import ExitStack

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from qkvae import config
from qkvae.inspect.covering import deletion, insertion, occlusion
from qkvae.inspect.picture_maps import attention_maps, grad_cam, rollout
from qkvae.inspect.taps import replace
from qkvae.models import Vision, build
from qkvae.nn.patches import to_patches

PATCHES = config.Patches(size=(4, 6), channels=2, patch=(2,))
CLOSE = {"rtol": 0, "atol": 1e-6}


def model_of(pooling: str = "mean", leading: int = 1, depth: int = 2) -> Vision:
    block = config.Block(dim=8, heads=2, hidden=8, positions="none", dropout=0.5)
    head = config.LinearClasses(count=3, pooling=pooling)  # pyright: ignore
    model = build(config.Vision(block=block, depth=depth, patches=PATCHES, head=head, leading=leading))
    nn.init.normal_(model.head.output.weight)  # pyright: ignore
    return model.train()


def transparent(model: Vision) -> Vision:
    """Blocks that add nothing and no last norm: the logits are linear in the mean patch."""
    for name, p in model.stack.named_parameters():
        if name.endswith(("output.weight", "output.bias", "down.weight", "down.bias")):
            nn.init.zeros_(p)
    model.stack.norm = nn.Identity()
    return model


def by_hand(model: Vision, picture: torch.Tensor, hidden: list[int], fill: float = 0.0) -> torch.Tensor:
    """Probabilities of a transparent model, some patches covered."""
    patches = to_patches(picture[None], (2, 2))[0].clone()
    patches[hidden] = fill
    embedded = patches @ model.input.patches.weight.T + model.input.patches.bias  # pyright: ignore
    return (embedded.mean(0) @ model.head.output.weight.T + model.head.output.bias).softmax(-1)  # pyright: ignore


@pytest.mark.parametrize("pooling", ["class", "mean"])
@pytest.mark.parametrize("leading", [1, 2])
def test_attention_and_its_rollout(pooling: str, leading: int) -> None:
    model, n = model_of(pooling, leading), 6 + leading
    given = torch.rand(2, 1, 2, n, n).softmax(-1)
    picture = torch.randn(2, 4, 6)
    with ExitStack() as stack:
        for block in range(2):
            name = f"stack.blocks.{block}.attention.weights"
            stack.enter_context(replace(model, name, lambda _, block=block: given[block]))
        maps, rolled = attention_maps(model, picture), rollout(model, picture)
    rows = [0] if pooling == "class" else list(range(leading, n))
    assert maps.shape == (2, 2, 2, 3)
    for block in range(2):
        for head in range(2):
            expected = sum(given[block, 0, head, row, leading:] for row in rows) / len(rows)
            assert_close(maps[block, head].flatten(), expected, **CLOSE)
    first, second = ((each[0, 0] + each[0, 1]) / 4 + torch.eye(n) / 2 for each in given)
    mixed = second @ first
    assert_close(mixed.sum(-1), torch.ones(n))
    expected = sum(mixed[row, leading:] for row in rows) / len(rows)
    assert_close(rolled.flatten(), expected, **CLOSE)
    assert model.training


@pytest.mark.parametrize("block", [0, 1, -1])
def test_grad_cam_of_a_linear_model(block: int) -> None:
    """The logit is V · mean(x): each patch's derivative is V/n, and the map is max(0, x · V/n)."""
    model, picture = transparent(model_of()), torch.randn(2, 4, 6)
    embedded = model.input.patches(picture[None])[0]
    v = model.head.output.weight[2]  # pyright: ignore
    found = grad_cam(model, picture, chosen=2, block=block)
    assert_close(found, (embedded @ v / 6).relu().view(2, 3).detach(), **CLOSE)
    assert 0 < int((found > 0).sum()) < 6
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_grad_cam_follows_the_class_token_and_needs_no_trained_weights() -> None:
    model, picture = model_of("class"), torch.randn(2, 4, 6)
    model.requires_grad_(False)
    with torch.no_grad():
        maps = [grad_cam(model, picture, chosen=chosen) for chosen in range(3)]
    assert any(bool(each.any()) for each in maps)
    assert not torch.equal(maps[0], maps[1])


@torch.no_grad()
def test_a_patch_that_is_covered() -> None:
    model, picture = transparent(model_of()), torch.randn(2, 4, 6)
    found = occlusion(model, picture, chosen=1, fill=0.5)
    whole = by_hand(model, picture, [])[1]
    for place in range(6):
        expected = whole - by_hand(model, picture, [place], 0.5)[1]
        assert_close(found.flatten()[place], expected, **CLOSE)


@torch.no_grad()
def test_curves_cover_and_show_the_most_important_first() -> None:
    model, picture = transparent(model_of()), torch.randn(2, 4, 6)
    found = torch.tensor([[0.1, 0.9, 0.3], [0.8, 0.0, 0.5]])
    order = [1, 3, 5, 2, 0, 4]
    lost = deletion(model, picture, 0, found, steps=6)
    got = insertion(model, picture, 0, found, steps=6)
    assert_close(lost.shares, torch.arange(7) / 6)
    for step in range(7):
        assert_close(lost.probabilities[step], by_hand(model, picture, order[:step])[0], **CLOSE)
        assert_close(got.probabilities[step], by_hand(model, picture, order[step:])[0], **CLOSE)
    p = lost.probabilities.tolist()
    assert lost.area == pytest.approx(sum((one + other) / 2 for one, other in itertools.pairwise(p)) / 6)
    assert len(deletion(model, picture, 0, found, steps=99).shares) == 7
    assert deletion(model, picture, 0, found, steps=4).shares.tolist() == pytest.approx(
        [0, 1 / 3, 0.5, 2 / 3, 1]
    )


@torch.no_grad()
def test_the_true_map_beats_its_opposite() -> None:
    """What covering says is true of this linear model, so its curve falls faster than the opposite."""
    model, picture = transparent(model_of()), torch.randn(2, 4, 6)
    found = occlusion(model, picture, chosen=1)
    assert deletion(model, picture, 1, found).area < deletion(model, picture, 1, -found).area
    assert insertion(model, picture, 1, found).area > insertion(model, picture, 1, -found).area


def test_what_is_not_there_is_refused() -> None:
    model, picture = model_of(), torch.zeros(2, 4, 6)
    with pytest.raises(ValueError, match="class 3, but the model knows 3: choose 0 to 2"):
        grad_cam(model, picture, 3)
    with pytest.raises(ValueError, match="block 2, but there are 2"):
        grad_cam(model, picture, 0, block=2)
    block = config.Block(dim=8, heads=2, hidden=8, positions="none")
    other = build(config.Vision(block=block, patches=PATCHES, head=config.Vector()))
    with pytest.raises(ValueError, match="head is Vector, which tells no classes"):
        occlusion(other, picture, 0)
