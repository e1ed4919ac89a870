"""ViT and ViTMAE, from and to `models.Vision` and `models.MaskedImage`.

Dosovitskiy et al. 2021, arXiv:2010.11929; He et al. 2022, arXiv:2111.06377: pre-norm, a class token before
the patches.  Their class token has a position of its own, which here is part of the token.  Their patches
are convolutions, and their decoder tells a patch's channels last; ours is one product, and channels first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any, cast

import torch
from torch import Tensor

from qkvae import config
from qkvae.config.names import many
from qkvae.interop.huggingface.files import State
from qkvae.interop.huggingface.names import (
    THEIR_ACTIVATIONS,
    Line,
    Part,
    Wanted,
    activation,
    must,
    only,
    read_lines,
    taken,
    without_prefix,
    write_lines,
)
from qkvae.models import MaskedImage, Vision

LAYERS = "decoder.decoder_layers."
"""Where the decoder's blocks stand."""

OLD_LAYERS = "decoder.decoder_encoder.layer."
"""Where some versions of transformers write them."""

_EMBEDDINGS, _PROJECTION = "embeddings.", "embeddings.patch_embeddings.projection"
_CLASSES = Line("head.output", ("classifier",))


def read(settings: Mapping[str, Any], weights: State) -> tuple[config.Vision | config.MaskedImage, State]:
    """The same model's config here, and its weights under our names; ``weights`` loses what was taken."""
    without_prefix(weights, "vit.")
    must(settings, "qkv_bias", True, "queries, keys and values have biases")
    name = str((settings.get("architectures") or ["ViTModel"])[0])
    patches, block = _patches(settings), _block(settings)
    depth: int = settings["num_hidden_layers"]
    state = _read_input(weights) | read_lines(_layers("stack", "encoder.layer.", depth), weights)
    state |= read_lines([Line("stack.norm", ("layernorm",))], weights)
    if name == "ViTMAEForPreTraining":
        made = _masked_image(settings, block, depth, patches)
        return made, state | _read_decoder(made, weights)
    if name == "ViTForImageClassification":
        count = len(weights.get("classifier.bias", ()))
        head = config.LinearClasses(count=count, pooling="class")
        state |= read_lines([_CLASSES], weights)
        return config.Vision(block=block, depth=depth, patches=patches, head=head), state
    if name in ("ViTModel", "ViTMAEModel"):
        head = config.Vector(pooling="class")
        return config.Vision(block=block, depth=depth, patches=patches, head=head), state
    known = "ViTForImageClassification, ViTModel, ViTMAEForPreTraining, ViTMAEModel"
    raise ValueError(f"architectures is {name}, but only {known} can be read")


def write(model: Vision) -> tuple[dict[str, Any], State]:
    """ViT's config and weights of the same model."""
    made = model.settings
    _refuse(made, "ViT")
    state = {f"vit.{name}": tensor for name, tensor in _write_encoder(model).items()}
    architecture = "ViTForImageClassification"
    if isinstance(made.head, config.LinearClasses):
        state |= write_lines([_CLASSES], dict(model.state_dict()))
    else:
        architecture = "ViTModel"
        state = {name.removeprefix("vit."): tensor for name, tensor in state.items()}
    return {"model_type": "vit", "architectures": [architecture], **_settings(made, "ViT")}, state


def write_masked(model: MaskedImage) -> tuple[dict[str, Any], State]:
    """ViTMAE's config and weights of the same model."""
    made, decoder = model.settings, model.settings.decoder_block
    _refuse(made, "ViTMAE")
    for name, sides in (("size", made.patches.size), ("patch", made.patches.sides)):
        if len(set(sides)) > 1:
            raise ValueError(f"patches.{name} is {sides}, but ViTMAE has squares: it cannot be written so")
    ours: State = dict(model.state_dict())
    theirs = {f"vit.{name}": tensor for name, tensor in _write_encoder(model).items()}
    theirs |= write_lines(_decoder_lines(made.decoder_depth), ours)
    order = _channels_last(made.patches)
    theirs["decoder.decoder_pred.weight"] = ours["head.output.weight"][order]
    theirs["decoder.decoder_pred.bias"] = ours["head.output.bias"][order]
    theirs["decoder.mask_token"] = ours["head.hidden"][None, None]
    table = _table(model.head.positions, made.patches, decoder.dim)
    theirs["decoder.decoder_pos_embed"] = torch.cat([table.new_zeros(1, decoder.dim), table])[None]
    settings: dict[str, Any] = {
        "model_type": "vit_mae",
        "architectures": ["ViTMAEForPreTraining"],
        "decoder_hidden_size": decoder.dim,
        "decoder_num_attention_heads": decoder.heads,
        "decoder_num_hidden_layers": made.decoder_depth,
        "decoder_intermediate_size": decoder.hidden,
        "norm_pix_loss": made.target == "normalised",
    }
    return settings | _settings(made, "ViTMAE"), theirs


def _settings(made: config.Vision | config.MaskedImage, shape: str) -> dict[str, Any]:
    """What their encoders are told."""
    block, patches = made.block, made.patches
    return {
        "hidden_size": block.dim,
        "num_hidden_layers": made.depth,
        "num_attention_heads": block.heads,
        "intermediate_size": block.hidden,
        "hidden_act": THEIR_ACTIVATIONS[block.activation],
        "layer_norm_eps": block.eps,
        "hidden_dropout_prob": block.dropout,
        "attention_probs_dropout_prob": 0.0,
        "image_size": _one(patches.size),
        "patch_size": _one(patches.sides),
        "num_channels": patches.channels,
        "qkv_bias": True,
        "encoder_stride": patches.sides[0],
    }


def _patches(settings: Mapping[str, Any]) -> config.Patches:
    size, patch = (_two(settings[name]) for name in ("image_size", "patch_size"))
    return config.Patches(size=size, channels=settings["num_channels"], patch=patch)


def _block(settings: Mapping[str, Any], prefix: str = "") -> config.Block:
    return config.Block(
        dim=settings[f"{prefix}hidden_size"],
        heads=settings[f"{prefix}num_attention_heads"],
        hidden=settings[f"{prefix}intermediate_size"],
        activation=activation(settings, "hidden_act"),
        eps=settings["layer_norm_eps"],
        positions="learned",
        dropout=settings.get("hidden_dropout_prob", 0.0),
    )


def _masked_image(
    settings: Mapping[str, Any], block: config.Block, depth: int, patches: config.Patches
) -> config.MaskedImage:
    return config.MaskedImage(
        block=block,
        depth=depth,
        patches=patches,
        decoder_block=_block(settings, "decoder_"),
        decoder_depth=settings["decoder_num_hidden_layers"],
        target="normalised" if settings.get("norm_pix_loss") else "pixels",
    )


def _read_input(weights: State) -> State:
    """Patches as one product, and the class token with its position."""
    places = taken(weights, f"{_EMBEDDINGS}position_embeddings")[0]
    weights.pop(f"{_EMBEDDINGS}mask_token", None)  # which only a model that predicts patches has a use for
    return {
        "input.patches.weight": taken(weights, f"{_PROJECTION}.weight").flatten(1),
        "input.patches.bias": taken(weights, f"{_PROJECTION}.bias"),
        "input.leading": taken(weights, f"{_EMBEDDINGS}cls_token")[0] + places[:1],
        "input.positions.table": places[1:].contiguous(),
    }


def _read_decoder(made: config.MaskedImage, weights: State) -> State:
    for name in list(weights):
        if name.startswith(OLD_LAYERS):
            weights[LAYERS + name.removeprefix(OLD_LAYERS)] = weights.pop(name)
    places = taken(weights, "decoder.decoder_pos_embed")[0]
    if bool(places[0].any()):
        raise ValueError(
            "decoder.decoder_pos_embed tells the class token a place, but here its place is 0: the model is "
            "no ViTMAE as it was published"
        )
    state = read_lines(_decoder_lines(made.decoder_depth), weights)
    order = _channels_last(made.patches).argsort()
    return state | {
        "head.output.weight": taken(weights, "decoder.decoder_pred.weight")[order],
        "head.output.bias": taken(weights, "decoder.decoder_pred.bias")[order],
        "head.hidden": taken(weights, "decoder.mask_token")[0, 0],
        "head.positions.table": places[1:].contiguous(),
    }


def _write_encoder(model: Vision | MaskedImage) -> State:
    made, ours = model.settings, dict(model.state_dict())
    block, patches = made.block, made.patches
    theirs = write_lines(_layers("stack", "encoder.layer.", made.depth), ours)
    theirs |= write_lines([Line("stack.norm", ("layernorm",))], ours)
    table = _table(model.input.positions, patches, block.dim)
    kernel = (block.dim, patches.channels, *patches.sides)
    return theirs | {
        f"{_PROJECTION}.weight": ours["input.patches.weight"].view(kernel),
        f"{_PROJECTION}.bias": ours["input.patches.bias"],
        f"{_EMBEDDINGS}cls_token": ours["input.leading"][None],
        f"{_EMBEDDINGS}position_embeddings": torch.cat([table.new_zeros(1, block.dim), table])[None],
    }


def _table(positions: Any, patches: config.Patches, dim: int) -> Tensor:
    """What is added to each patch; zeros where places are not told."""
    if positions is None:
        return torch.zeros(patches.count, dim)
    return cast("Tensor", positions(patches.grid)).detach()


def _channels_last(patches: config.Patches) -> Tensor:
    """Where each number of their patch stands in ours."""
    within = torch.arange(patches.numbers).view(patches.channels, math.prod(patches.sides))
    return within.T.flatten()


def _refuse(made: config.Vision | config.MaskedImage, shape: str) -> None:
    if len(made.patches.size) != 2:
        axes = many(len(made.patches.size), "axis")
        raise ValueError(f"patches.size has {axes}, but {shape} reads pictures: 2")
    parts: list[Part] = [
        (made.block, "model", _block_of(made.block)),
        (made.patches, "model", {"embedding": ("linear",)}),
        (made, "model", {"leading": (1,)}),
    ]
    if isinstance(made, config.Vision):
        parts.append((made, "model", {"conv_size": (0,)}))
        if isinstance(made.head, config.LinearClasses):
            parts.append((made.head, "model.head", {"pooling": ("class",)}))
    else:
        same: Wanted = {name: (getattr(made.block, name),) for name in ("activation", "eps", "dropout")}
        parts.append((made.decoder_block, "model.decoder-block", {**_block_of(made.decoder_block), **same}))
    only(shape, *parts)


def _block_of(block: config.Block) -> Wanted:
    return {
        "norm": ("layer",),
        "norm_order": ("pre",),
        "positions": ("learned", "sinusoidal", "none"),
        "key_heads": (block.heads, None),
        "activation": tuple(THEIR_ACTIVATIONS),
    }


def _layers(ours: str, theirs: str, depth: int) -> Iterator[Line]:
    for place in range(depth):
        own, other = f"{ours}.blocks.{place}", f"{theirs}{place}"
        inner = tuple(f"{other}.attention.attention.{part}" for part in ("query", "key", "value"))
        yield Line(f"{own}.attention.qkv", inner)
        yield Line(f"{own}.attention.output", (f"{other}.attention.output.dense",))
        yield Line(f"{own}.norm1", (f"{other}.layernorm_before",))
        yield Line(f"{own}.norm3", (f"{other}.layernorm_after",))
        yield Line(f"{own}.feedforward.up", (f"{other}.intermediate.dense",))
        yield Line(f"{own}.feedforward.down", (f"{other}.output.dense",))


def _decoder_lines(depth: int) -> Iterator[Line]:
    yield Line("head.embedding", ("decoder.decoder_embed",))
    yield Line("head.stack.norm", ("decoder.decoder_norm",))
    yield from _layers("head.stack", LAYERS, depth)


def _two(side: Any) -> tuple[int, ...]:
    return (side, side) if isinstance(side, int) else tuple(side)


def _one(sides: tuple[int, ...]) -> int | list[int]:
    return sides[0] if len(set(sides)) == 1 else list(sides)
