"""Marian translation models of Hugging Face, from and to `models.Seq2Seq`.

Marian (Junczys-Dowmunt et al. 2018, arXiv:1804.00344) is the post-norm model of 2017.  Two things differ
in how it is written down, and none in what it computes:

- its sinusoids hold all sines first and then all cosines, ours alternate: channel 2i of our residual stream
  is channel i of theirs, channel 2i + 1 is dim/2 + i, and every matrix is turned accordingly;
- its queries, keys and values are matrices of their own, ours stand side by side in one.

Only the core dependencies are needed: folders are read as JSON and safetensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from qkvae import config
from qkvae.interop.huggingface.files import State, read_config, read_weights
from qkvae.interop.huggingface.names import THEIR_ACTIVATIONS, activation, marks_in, marks_out, only, taken
from qkvae.models import Seq2Seq
from qkvae.nn.positions import sinusoids


class _Part(NamedTuple):
    """Their layers that stand stacked in one of ours, and which axis of it lies along the residual stream."""

    theirs: tuple[str, ...]
    axis: Literal["in", "out"]


_SELF = {
    "attention.qkv": _Part(("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"), "in"),
    "attention.output": _Part(("self_attn.out_proj",), "out"),
    "norm1": _Part(("self_attn_layer_norm",), "out"),
    "feedforward.up": _Part(("fc1",), "in"),
    "feedforward.down": _Part(("fc2",), "out"),
    "norm3": _Part(("final_layer_norm",), "out"),
}
_CROSS = {
    "cross_attention.q": _Part(("encoder_attn.q_proj",), "in"),
    "cross_attention.kv": _Part(("encoder_attn.k_proj", "encoder_attn.v_proj"), "in"),
    "cross_attention.output": _Part(("encoder_attn.out_proj",), "out"),
    "norm2": _Part(("encoder_attn_layer_norm",), "out"),
}
_PARTS = {"encoder": _SELF, "decoder": _SELF | _CROSS}
_TABLES = {
    "source_embedding.weight": "model.encoder.embed_tokens.weight",
    "target_embedding.weight": "model.decoder.embed_tokens.weight",
    "head.weight": "lm_head.weight",
}
_SHARED, _BIAS = "model.shared.weight", "final_logits_bias"
_EPS = 1e-5  # Marian's LayerNorm has torch's default


def from_marian(
    source: Path | str | Mapping[str, Tensor], settings: Mapping[str, Any] | None = None
) -> tuple[config.Seq2Seq, State]:
    """The config of the same model here, and its weights under our names.

    Args:
        source: a folder with ``config.json`` and ``model.safetensors``, or a Marian model's ``state_dict()``.
        settings: the content of ``config.json``; read from the folder if not given.

    Raises:
        FileNotFoundError: the folder holds no config or no safetensors.
        ValueError: the model does something that ours cannot.
    """
    if isinstance(source, Mapping):
        weights = dict(source)
        if settings is None:
            raise ValueError("a state_dict alone does not say what model it is of: give its config too")
    else:
        folder = Path(source)
        settings = settings or read_config(folder)
        weights = read_weights(folder)
    made, state = read(settings, weights)
    if weights:
        raise ValueError(f"{next(iter(weights))} is no weight of a Marian model with this config")
    return made, state


def read(settings: Mapping[str, Any], weights: State) -> tuple[config.Seq2Seq, State]:
    """The same model's config here, and its weights under our names; ``weights`` loses what was taken."""
    made = _config_from(settings)
    _check_sinusoids(weights, made.block.dim)
    channels = _channels(made.block.dim)
    state = {name: table[:, channels].contiguous() for name, table in _tables(weights, made.tie).items()}
    bias = weights.pop(_BIAS, torch.zeros(1))
    if bool(bias.any()):
        made = replace(made, head="affine")
        state["head.bias"] = bias.flatten()
    if made.tie == "all":
        state["target_embedding.weight"] = state["source_embedding.weight"]
    if made.tie != "none":
        state["head.weight"] = state["target_embedding.weight"]
    for prefix, their_prefix, parts in _blocks(made):
        for ours, part in parts.items():
            for kind in ("weight", "bias"):
                stacked = torch.cat([taken(weights, f"{their_prefix}.{name}.{kind}") for name in part.theirs])
                state[f"{prefix}.{ours}.{kind}"] = _turned(stacked, part.axis, kind, channels)
    return made, state


def to_marian(model: Seq2Seq) -> tuple[dict[str, Any], State]:
    """The content of ``config.json`` and the weights of the same model as Hugging Face's ``MarianMTModel``.


    >>> block = config.Block(dim=8, heads=2, hidden=16, norm_order="post")
    >>> settings, weights = to_marian(Seq2Seq(config.Seq2Seq(block=block, vocab=10)))
    >>> settings["d_model"], weights["model.encoder.layers.0.fc1.weight"].shape
    (8, torch.Size([16, 8]))

    Raises:
        ValueError: the model has a part that Marian lacks.
    """
    made = model.settings
    settings = _config_to(made)
    back = _channels(made.block.dim).argsort()
    ours = {name: tensor.detach() for name, tensor in model.state_dict().items()}
    state = {theirs: ours[name][:, back].contiguous() for name, theirs in _TABLES.items()}
    if made.tie == "all":
        state |= dict.fromkeys((*_TABLES.values(), _SHARED), state[_TABLES["source_embedding.weight"]])
    elif made.tie == "target":
        state[_TABLES["head.weight"]] = state[_TABLES["target_embedding.weight"]]
    for prefix, their_prefix, parts in _blocks(made):
        for name, part in parts.items():
            for kind in ("weight", "bias"):
                pieces = _turned(ours[f"{prefix}.{name}.{kind}"], part.axis, kind, back).chunk(
                    len(part.theirs)
                )
                for theirs, piece in zip(part.theirs, pieces, strict=True):
                    state[f"{their_prefix}.{theirs}.{kind}"] = piece.contiguous()
    state[_BIAS] = ours.get("head.bias", torch.zeros(made.vocab))[None]
    return settings, state


def _config_from(settings: Mapping[str, Any]) -> config.Seq2Seq:
    """Their config in our words."""
    _refuse_what_is_foreign(settings)
    shared, tied = (
        settings.get("share_encoder_decoder_embeddings", True),
        settings.get("tie_word_embeddings", True),
    )
    if shared and not tied:
        raise ValueError("the embeddings share a matrix that the head does not: no model here is tied so")
    block = config.Block(
        dim=settings["d_model"],
        heads=settings["encoder_attention_heads"],
        hidden=settings["encoder_ffn_dim"],
        activation=activation(settings, "activation_function"),
        norm_order="post",
        eps=_EPS,
        dropout=settings.get("dropout", 0.0),
    )
    return config.Seq2Seq(
        block=block,
        encoder_depth=settings["encoder_layers"],
        decoder_depth=settings["decoder_layers"],
        tie="all" if shared else "target" if tied else "none",
        max_length=settings["max_position_embeddings"],
        vocab=settings["vocab_size"],
        marks=marks_in(settings, begin="decoder_start_token_id"),
    )


def _refuse_what_is_foreign(settings: Mapping[str, Any]) -> None:
    def must(name: str, wanted: Any, default: Any, cure: str) -> None:
        value = settings.get(name, default)
        if value != wanted:
            raise ValueError(f"{name} is {value}, but a model here needs {wanted}: {cure}")

    if settings.get("model_type") != "marian":
        raise ValueError(f'model_type is "{settings.get("model_type")}", but only marian can be read')

    must("scale_embedding", True, False, "look-ups are always multiplied by √dim here")
    must("decoder_attention_heads", settings["encoder_attention_heads"], None, "both stacks repeat one block")
    must("decoder_ffn_dim", settings["encoder_ffn_dim"], None, "both stacks repeat one block")
    vocab = settings["vocab_size"]
    must("decoder_vocab_size", vocab, vocab, "source and target share one vocabulary")
    for name in ("normalize_before", "normalize_embedding", "add_final_layer_norm"):
        must(name, False, False, "Marian's blocks are post-norm, without other norms")
    if settings["d_model"] % 2:
        raise ValueError(
            f"d_model is {settings['d_model']}, but sines and cosines come in pairs: it must be even"
        )


def _config_to(made: config.Seq2Seq) -> dict[str, Any]:
    """Our config in their words."""
    block = made.block
    wanted = {
        "norm_order": ("post",),
        "norm": ("layer",),
        "eps": (_EPS,),
        "positions": ("sinusoidal",),
        "base": (10000.0, None),
        "window": (None,),
        "key_heads": (block.heads, None),
        "activation": tuple(THEIR_ACTIVATIONS),
    }
    only("Marian", (block, "model", wanted))
    if block.dim % 2:
        raise ValueError(f"dim is {block.dim}, but Marian's sines and cosines come in pairs: it must be even")
    sizes: dict[str, Any] = {}
    for side, depth in (("encoder", made.encoder_depth), ("decoder", made.decoder_depth)):
        sizes |= {
            f"{side}_layers": depth,
            f"{side}_attention_heads": block.heads,
            f"{side}_ffn_dim": block.hidden,
        }
    return {
        "model_type": "marian",
        "architectures": ["MarianMTModel"],
        "d_model": block.dim,
        **sizes,
        "activation_function": THEIR_ACTIVATIONS[block.activation],
        "dropout": block.dropout,
        "scale_embedding": True,
        "share_encoder_decoder_embeddings": made.tie == "all",
        "tie_word_embeddings": made.tie != "none",
        "max_position_embeddings": made.max_length,
        "vocab_size": made.vocab,
        "decoder_vocab_size": made.vocab,
        **marks_out(made.marks),
        "decoder_start_token_id": made.marks.bos,
        "forced_eos_token_id": None,
    }


def _blocks(made: config.Seq2Seq) -> Iterator[tuple[str, str, dict[str, _Part]]]:
    """Our name and theirs of every block, with its parts."""
    for side, parts in _PARTS.items():
        for place in range(made.encoder_depth if side == "encoder" else made.decoder_depth):
            yield f"{side}.blocks.{place}", f"model.{side}.layers.{place}", parts


def _channels(dim: int) -> Tensor:
    """For each channel of our residual stream, theirs: sines and cosines in turn."""
    return torch.arange(dim).view(2, -1).T.flatten()


def _turned(tensor: Tensor, axis: str, kind: str, channels: Tensor) -> Tensor:
    """A weight or bias with the channels of the residual stream, where it has them, in this order."""
    if axis == "out":
        return tensor[channels]
    return tensor[:, channels] if kind == "weight" else tensor


def _tables(weights: State, tie: str) -> State:
    """Embeddings and head under our names; tied models hold one matrix under some or all of their names."""
    source, target, head = _TABLES.values()
    groups = {
        "all": {(_SHARED, source, target, head): tuple(_TABLES)},
        "target": {
            (source,): ("source_embedding.weight",),
            (target, head): ("target_embedding.weight", "head.weight"),
        },
        "none": {(theirs,): (ours,) for ours, theirs in _TABLES.items()},
    }
    tables: State = {}
    for theirs, ours in groups[tie].items():
        found = [weights.pop(name) for name in theirs if name in weights]
        if not found:
            raise ValueError(f"{theirs[-1]} is missing: not the weights of a Marian model with this config")
        if any(not torch.equal(found[0], other) for other in found[1:]):
            raise ValueError(f"{theirs[-1]} differs from the matrix that the config says it shares")
        tables |= dict.fromkeys(ours, found[0])
    return tables


def _check_sinusoids(weights: State, dim: int) -> None:
    """What Marian stores and we compute must be the formula."""
    for side in ("encoder", "decoder"):
        name = f"model.{side}.embed_positions.weight"
        if name in weights:
            table = weights.pop(name)
            formula = sinusoids(len(table), dim)
            if float((table[:, _channels(dim)].float() - formula).abs().max()) > 1e-3:
                raise ValueError(
                    f"{name} is not the sinusoids of the 2017 paper, which is all that can be read"
                )
