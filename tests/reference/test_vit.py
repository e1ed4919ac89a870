"""Against transformers with the same weights: ViT and ViTMAE, read and written back."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.testing import assert_close

from qkvae import config, losses
from qkvae.interop import huggingface as hf
from qkvae.models import build
from torch_twins import shake

CLOSE = {"rtol": 0, "atol": 1e-5}
VIT: dict[str, Any] = {
    "hidden_size": 16,
    "intermediate_size": 20,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "image_size": 12,
    "patch_size": 4,
    "num_channels": 3,
    "initializer_range": 0.3,
}
MAE = VIT | {
    "decoder_hidden_size": 8,
    "decoder_num_attention_heads": 2,
    "decoder_num_hidden_layers": 1,
    "decoder_intermediate_size": 12,
    "mask_ratio": 0.5,
}
VITS = [
    ("ViTForImageClassification", VIT | {"num_labels": 3}),
    ("ViTForImageClassification", VIT | {"num_channels": 1, "hidden_act": "relu", "layer_norm_eps": 1e-3}),
    ("ViTModel", VIT),
]


def theirs_of(name: str, settings: dict[str, Any]) -> Any:
    """A random model made by transformers."""
    transformers = pytest.importorskip("transformers")
    kind = getattr(transformers, name)
    model = kind(kind.config_class(**settings)).eval()
    shake(model)
    with torch.no_grad():
        model.base_model.embeddings.position_embeddings[0, 0].normal_()
    return model


def read(folder: Path) -> Any:
    found = hf.read_grid(folder)
    model = build(found.settings).eval()
    model.load_state_dict(found.state)
    return model


@pytest.mark.peer
@pytest.mark.parametrize(("name", "settings"), VITS)
@torch.no_grad()
def test_a_vit_is_read_and_written_back(name: str, settings: dict[str, Any], tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = theirs_of(name, settings)
    theirs.save_pretrained(tmp_path / "theirs")
    ours = read(tmp_path / "theirs")
    picture, larger = (torch.randn(2, settings["num_channels"], *size) for size in ((12, 12), (20, 16)))

    def told(model: Any, picture: torch.Tensor) -> torch.Tensor:
        found = model(picture, interpolate_pos_encoding=picture.shape[2] != 12)
        return found.last_hidden_state if name == "ViTModel" else found.logits

    expected = told(theirs, picture)
    assert float(expected.std()) > 0.3
    mine = ours.features(picture) if name == "ViTModel" else ours(picture)
    assert_close(mine, expected, **CLOSE)
    resized = ours.features(larger) if name == "ViTModel" else ours(larger)
    assert_close(resized, told(theirs, larger), **CLOSE)
    hf.write(ours, tmp_path / "ours")
    auto = "AutoModel" if name == "ViTModel" else "AutoModelForImageClassification"
    back = getattr(transformers, auto).from_pretrained(tmp_path / "ours").eval()
    assert type(back) is type(theirs)
    assert_close(told(back, picture), expected, **CLOSE)


@pytest.mark.peer
@pytest.mark.parametrize("target", [False, True])
@torch.no_grad()
def test_a_masked_autoencoder_is_read_and_written_back(target: bool, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = theirs_of("ViTMAEForPreTraining", MAE | {"norm_pix_loss": target})
    theirs.save_pretrained(tmp_path / "theirs")
    ours, picture, noise = read(tmp_path / "theirs"), torch.randn(2, 3, 12, 12), torch.rand(2, 9)
    kept = noise.argsort(1)[:, :4]  # half of nine
    expected = theirs(picture, noise=noise)
    told = ours(picture, kept)
    channels_first = expected.logits.view(2, 9, 16, 3).mT.flatten(2)
    assert_close(told, channels_first, **CLOSE)
    loss = losses.masked_patches(told, ours.truth(picture), kept) / (2 * 5)
    assert_close(loss, expected.loss, **CLOSE)
    hf.write(ours, tmp_path / "ours", keep={"mask_ratio": 0.5})
    back = transformers.AutoModelForPreTraining.from_pretrained(tmp_path / "ours").eval()
    assert type(back) is type(theirs)
    assert_close(back(picture, noise=noise).logits, expected.logits, **CLOSE)
    assert_close(back(picture, noise=noise).loss, expected.loss, **CLOSE)


@pytest.mark.peer
@pytest.mark.parametrize("positions", ["learned", "sinusoidal", "none"])
@torch.no_grad()
def test_a_rectangle_of_our_own_is_loaded_by_transformers(positions: Any, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    ours = own(
        config.Vision, block={"positions": positions}, patches=config.Patches(size=(8, 12), channels=2)
    )
    shake(ours)
    hf.write(ours, tmp_path)
    theirs = transformers.AutoModelForImageClassification.from_pretrained(tmp_path).eval()
    picture = torch.randn(2, 2, 8, 12)
    assert_close(theirs(picture).logits, ours(picture), **CLOSE)
    assert_close(read(tmp_path)(picture), ours(picture), **CLOSE)


SQUARE = config.Patches(size=(12, 12), channels=3, patch=(4,))


def own(family: Any, block: dict[str, Any] | None = None, **parts: Any) -> Any:
    """Small models that can be written, unless a part that they lack is asked for."""
    blocks = config.Block(
        **{"dim": 16, "heads": 4, "hidden": 20, "activation": "gelu", "positions": "learned", **(block or {})}
    )
    made: dict[str, Any] = {"block": blocks, "depth": 1, "patches": SQUARE, **parts}
    if family is config.MaskedImage:
        made = {"decoder_block": replace(blocks, dim=8, heads=2), "decoder_depth": 1, **made}
    elif "head" not in made:
        made["head"] = config.LinearClasses(count=3)
    return build(family(**made)).eval()


@pytest.mark.parametrize(
    ("family", "change", "message"),
    [
        (
            config.Vision,
            {"architectures": ["ViTForMaskedImageModeling"]},
            "ViTForMaskedImageModeling, but only",
        ),
        (config.Vision, {"qkv_bias": False}, "qkv_bias is False"),
        (config.Vision, {"num_hidden_layers": 2}, "encoder.layer.1.attention.* is missing"),
        (config.Vision, {"num_hidden_layers": 0}, "depth is 0"),
        (config.Vision, {"model_type": "vitt"}, 'did you mean "vit"'),
        (config.Vision, {"model_type": "bert"}, "texts are no pictures"),
        (config.MaskedImage, {"decoder_num_hidden_layers": 2}, "decoder.decoder_layers.1.* is missing"),
        (config.MaskedImage, {"architectures": ["ViTMAEModel"]}, "decoder.* is no weight of a vit_mae"),
    ],
)
def test_what_we_cannot_compute_is_refused(
    family: Any, change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    hf.write(own(family), tmp_path)
    path = tmp_path / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | change
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        hf.read_grid(tmp_path)


@pytest.mark.parametrize(
    ("family", "kind", "block", "parts", "message"),
    [
        (config.Vision, None, {"norm_order": "post"}, {}, "norm_order is post, but ViT has pre"),
        (config.Vision, None, {"positions": "rotary"}, {}, "positions is rotary"),
        (config.Vision, None, {}, {"leading": 2}, "leading is 2, but ViT has 1"),
        (config.Vision, None, {}, {"patches": replace(SQUARE, embedding="stem")}, "embedding is stem"),
        (
            config.Vision,
            None,
            {},
            {"head": config.LinearClasses(count=3, pooling="mean")},
            "pooling is mean, but ViT has class",
        ),
        (
            config.Vision,
            None,
            {},
            {"patches": config.Patches(size=(12,), channels=1)},
            "has 1 axis, but ViT reads pictures",
        ),
        (config.Vision, "vit_mae", {}, {}, "a Vision cannot be written as vit_mae"),
        (config.MaskedImage, "vit", {}, {}, "a MaskedImage cannot be written as vit"),
        (
            config.MaskedImage,
            None,
            {},
            {"patches": config.Patches(size=(8, 12), channels=1)},
            "but ViTMAE has squares",
        ),
        (
            config.MaskedImage,
            None,
            {},
            {"decoder_block": replace(own(config.MaskedImage).settings.decoder_block, norm="rms")},
            "decoder_block.norm is rms, but ViTMAE has layer: .* with --model.decoder-block.norm layer$",
        ),
    ],
)
def test_what_they_cannot_compute_is_refused(
    family: Any, kind: str | None, block: dict[str, Any], parts: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        hf.write(own(family, block, **parts), tmp_path, kind)


def test_a_task_of_texts_is_told_what_the_folder_holds(tmp_path: Path) -> None:
    hf.write(own(config.Vision), tmp_path)
    with pytest.raises(
        ValueError, match=r'model_type is "vit", which cannot be read: .* pictures are no texts'
    ):
        hf.read(tmp_path)


@pytest.mark.parametrize("family", [config.Vision, config.MaskedImage])
def test_there_and_back_every_bit_is_the_same(family: Any, tmp_path: Path) -> None:
    ours = own(family)
    shake(ours)
    hf.write(ours, tmp_path)
    found = hf.read_grid(tmp_path)
    assert replace(found.settings, patches=SQUARE) == ours.settings
    assert found.settings.patches.sides == SQUARE.sides  # pyright: ignore
    for name, tensor in ours.state_dict().items():
        assert torch.equal(found.state[name], tensor), name
