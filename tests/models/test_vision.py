"""Models of grids: signals, pictures and videos; class token or mean; other sizes; masked autoencoders."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from small_grids import PATCHES, small_masked, small_vision
from torch.testing import assert_close

from qkvae import config
from qkvae.data.patch_masks import hidden_patches, kept_patches
from qkvae.losses import masked_patches
from qkvae.models import build
from qkvae.models.masked_image import normalised
from qkvae.nn.patches import pick, to_patches

CLOSE = {"rtol": 0, "atol": 1e-5}
POSITIONS = ["learned", "sinusoidal", "rotary", "none"]
HEADS = [
    config.LinearClasses(count=3, pooling="class"),
    config.LinearClasses(count=3, pooling="mean"),
    config.Vector(pooling="class"),
    config.Vector(pooling="mean"),
]


def grids(axes: int, count: int = 3) -> torch.Tensor:
    return torch.randn(count, PATCHES[axes].channels, *PATCHES[axes].size)


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("embedding", ["linear", "stem", "deep-stem"])
@pytest.mark.parametrize("conv_size", [0, 3])
@torch.no_grad()
def test_one_model_reads_signals_pictures_and_videos(axes: int, embedding: str, conv_size: int) -> None:
    model, read = small_vision(axes, embedding=embedding, conv_size=conv_size), grids(axes)
    assert model.features(read).shape == (3, 1 + PATCHES[axes].count, 16)
    assert_close(model(read)[1:2], model(read[1:2]), **CLOSE)
    assert_close(model(read), model.head(model.features(read)), **CLOSE)


@pytest.mark.parametrize("head", HEADS, ids=str)
@pytest.mark.parametrize("leading", [1, 3])
@torch.no_grad()
def test_what_stands_for_a_grid(head: Any, leading: int) -> None:
    model, read = small_vision(head=head, leading=leading), grids(2)
    features = model.features(read)
    assert features.shape == (3, leading + 12, 16)
    pooled = features[:, 0] if head.pooling == "class" else features[:, leading:].mean(1)
    if isinstance(head, config.LinearClasses):
        pooled = pooled @ model.head.output.weight.T + model.head.output.bias  # pyright: ignore
    assert_close(model(read), pooled, **CLOSE)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize(("order", "conv_size"), [("pre", 0), ("post", 0), ("pre", 3)])
def test_the_last_block_answers_for_what_is_read(order: str, conv_size: int, positions: str) -> None:
    """Features of the first two tokens alone are those among all, and so are the gradients."""
    parts: dict[str, Any] = {"norm_order": order, "positions": positions, "key_heads": 2}
    model, read = small_vision(leading=2, conv_size=conv_size, **parts), grids(2)
    gradients: list[tuple[torch.Tensor, ...]] = []
    for features in (model.features(read)[:, :2], model.features(read, 2)):
        assert features.shape == (3, 2, 16)
        used = [p for name, p in model.named_parameters() if not name.startswith("head")]
        gradients.append((features, *torch.autograd.grad(features.square().sum(), used)))
    for one, other in zip(*gradients, strict=True):
        assert_close(one, other, rtol=0, atol=1e-4)


@torch.no_grad()
def test_without_leading_tokens_there_are_patches_only() -> None:
    model = small_vision(head=HEADS[1], leading=0)
    assert model.features(grids(2)).shape == (3, 12, 16)
    with pytest.raises(ValueError, match="pooling is class, but leading is 0"):
        small_vision(head=HEADS[0], leading=0)


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("conv_size", [0, 3])
@torch.no_grad()
def test_another_size_is_read(conv_size: int, positions: str) -> None:
    model = small_vision(positions=positions, conv_size=conv_size)
    picture = torch.randn(1, 3, 10, 4)
    assert model.features(picture).shape == (1, 11, 16)
    assert model(picture).isfinite().all()


@pytest.mark.parametrize("positions", POSITIONS)
@torch.no_grad()
def test_only_without_positions_the_order_of_patches_says_nothing(positions: str) -> None:
    model, picture = small_vision(head=HEADS[1], positions=positions), grids(2)
    same = torch.allclose(model(picture), model(picture.flip(2)), atol=1e-5)
    turned = small_vision(head=HEADS[1], positions=positions)
    turned.load_state_dict(model.state_dict())
    patches = to_patches(picture, (2, 2))[:, torch.randperm(12)]
    from qkvae.nn.patches import to_grid

    shuffled = model(to_grid(patches, (3, 4), (2, 2)))
    assert torch.allclose(model(picture), shuffled, atol=1e-5) == (positions == "none")
    assert not same


def test_data_that_do_not_fit_are_refused() -> None:
    model = small_vision()
    with pytest.raises(ValueError, match="1 channel and 2 axes, but the model was made for 3 channels"):
        model(torch.zeros(1, 1, 6, 8))
    with pytest.raises(ValueError, match="3 channels and 1 axis"):
        model(torch.zeros(1, 3, 6))
    with pytest.raises(ValueError, match="7 × 8, but no multiple"):
        model(torch.zeros(1, 3, 7, 8))
    with pytest.raises(ValueError, match="they come from the data"):
        build(config.Vision(head=config.LinearClasses(count=3)))
    with pytest.raises(ValueError, match="count is 0"):
        build(config.Vision(patches=PATCHES[2]))
    with pytest.raises(ValueError, match=r"patch is 2 × 2 × 3, for 3 axes, but the data have 2"):
        config.Patches(size=(6, 8), patch=(2, 2, 3))


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("axes", [1, 2, 3])
@torch.no_grad()
def test_what_is_hidden_is_never_seen(axes: int, positions: str) -> None:
    model, read = small_masked(axes, positions=positions, heads=2), grids(axes)
    n = PATCHES[axes].count
    kept = kept_patches(0, 1, 3, n, 0.5)
    told = model(read, kept)
    assert told.shape == (3, n, PATCHES[axes].numbers)
    noise = torch.randn_like(to_patches(read, PATCHES[axes].sides))
    noise.scatter_(1, kept[..., None].expand(-1, -1, noise.shape[2]), 0.0)
    from qkvae.nn.patches import to_grid

    other = read + to_grid(noise, model.input.count(read), PATCHES[axes].sides)
    assert not torch.equal(other, read)
    assert torch.equal(model(other, kept), told)
    assert_close(model(read[1:2], kept[1:2])[0], told[1], **CLOSE)


@pytest.mark.parametrize("positions", POSITIONS)
@torch.no_grad()
def test_seeing_all_is_seeing_every_place_in_any_order(positions: str) -> None:
    model, read = small_masked(positions=positions, leading=2), grids(2)
    order = torch.stack([torch.randperm(12) for _ in range(3)])
    assert_close(model(read, order), model(read), **CLOSE)
    assert_close(model.features(read, order)[:, 2:], pick(model.features(read)[:, 2:], order), **CLOSE)


@torch.no_grad()
def test_the_encoder_is_that_of_a_vision_model() -> None:
    model, read = small_masked(), grids(2)
    other = small_vision()
    own = {name: tensor for name, tensor in model.state_dict().items() if not name.startswith("head.")}
    assert set(other.load_state_dict(own, strict=False).missing_keys) == {
        "head.output.weight",
        "head.output.bias",
    }
    assert torch.equal(other.features(read), model.features(read))


@pytest.mark.parametrize("target", ["normalised", "pixels"])
@torch.no_grad()
def test_the_truth_told_is_the_picture(target: str) -> None:
    model, read = small_masked(target=target), grids(2)
    assert_close(model.picture(model.truth(read), read), read, **CLOSE)
    kept = kept_patches(0, 0, 3, 12, 0.25)
    mixed = to_patches(model.picture(torch.zeros(3, 12, 12), read, kept), (2, 2))
    patches = to_patches(read, (2, 2))
    assert torch.equal(pick(mixed, kept), pick(patches, kept))
    hidden = hidden_patches(kept, 12)
    mean = pick(patches, hidden).mean(-1, keepdim=True) if target == "normalised" else torch.zeros(1)
    assert_close(pick(mixed, hidden), mean.expand(3, 9, 12))


def test_the_loss_is_of_hidden_patches_only() -> None:
    told, truth = torch.randn(3, 12, 8, requires_grad=True), torch.randn(3, 12, 8)
    kept = kept_patches(0, 3, 3, 12, 0.25)
    loss = masked_patches(told, truth, kept)
    written_out = sum(
        ((told[row, place] - truth[row, place]) ** 2).mean()
        for row in range(3)
        for place in range(12)
        if place not in kept[row]
    )
    assert_close(loss, written_out)
    (gradient,) = torch.autograd.grad(loss, told)
    assert bool((pick(gradient, kept) == 0).all())
    assert bool((pick(gradient, hidden_patches(kept, 12)) != 0).all())


def test_patches_are_normalised_one_by_one() -> None:
    made = normalised(5 + 3 * torch.randn(2, 4, 50))
    assert_close(made.mean(-1), torch.zeros(2, 4), **CLOSE)
    assert_close(made.std(-1), torch.ones(2, 4), rtol=0, atol=1e-4)


def test_what_is_seen_is_a_function_of_seed_and_step() -> None:
    kept = kept_patches(3, 5, rows=400, patches=8, share=0.25)
    assert torch.equal(kept, kept_patches(3, 5, 400, 8, 0.25))
    assert torch.equal(kept[:7], kept_patches(3, 5, 7, 8, 0.25))
    assert not torch.equal(kept, kept_patches(3, 6, 400, 8, 0.25))
    assert not torch.equal(kept, kept_patches(4, 5, 400, 8, 0.25))
    assert bool((kept[:, 1:] > kept[:, :-1]).all())
    counts = torch.bincount(kept.flatten(), minlength=8)
    assert int(counts.min()) > 70
    together = torch.cat([kept, hidden_patches(kept, 8)], 1).sort(1).values
    assert torch.equal(together, torch.arange(8).expand(400, -1))
    assert kept_patches(0, 0, 2, 5, 0.01).shape == (2, 1)
    assert kept_patches(0, 0, 2, 5, 0.99).shape == (2, 4)
    with pytest.raises(ValueError, match="1 patch"):
        kept_patches(0, 0, 2, 1, 0.5)


def test_a_stem_would_see_what_is_hidden() -> None:
    with pytest.raises(ValueError, match="looks over a patch's edge"):
        config.MaskedImage(patches=replace(PATCHES[2], embedding="stem"))


@pytest.mark.parametrize("family", [config.Vision, config.MaskedImage])
def test_settings_are_written_and_read_back(family: Any) -> None:
    settings = family(patches=PATCHES[3])
    assert config.from_dict(family, config.to_dict(settings)) == settings


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("embedding", ["linear", "stem"])
def test_products_in_bf16_stay_near_those_in_fp32(positions: str, embedding: Any) -> None:
    """Pictures come in fp32, tables of waves stay in it, and the features do not grow back to it."""
    models = [small_vision(positions=positions, embedding=embedding), small_masked(positions=positions)]
    read, kept = grids(2), kept_patches(0, 0, 3, 12, 0.25)
    for model, rest in zip(models, ((), (kept,)), strict=True):
        with torch.no_grad():
            exact = model(read, *rest)
        for p in model.parameters():
            p.data = p.data.bfloat16()
        told = model.train()(read, *rest)
        assert told.dtype == torch.bfloat16
        told.float().square().mean().backward()
        assert all(p.grad is not None for p in model.parameters())
        with torch.no_grad():
            assert_close(model.eval()(read, *rest).float(), exact, rtol=0.1, atol=0.1)
