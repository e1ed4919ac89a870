"""Models in the shape of Llama, from and to `models.Decoder`.

Touvron et al. 2023, arXiv:2302.13971: pre-norm with RMSNorm, rotary positions, SwiGLU, grouped key heads, no
biases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from qkvae import config
from qkvae.interop.huggingface.files import State
from qkvae.interop.huggingface.names import Line, marks_in, must, only, read_lines, write_lines
from qkvae.models import Decoder

HEAD = "lm_head.weight"
CONSTANTS = (".rotary_emb.inv_freq",)
"""What old files hold of the rotary angles."""


def read(settings: Mapping[str, Any], weights: State) -> tuple[config.Decoder, State]:
    """The same model's config here, and its weights under our names; ``weights`` loses what was taken."""
    made = _config(settings)
    for name in [name for name in weights if name.endswith(CONSTANTS)]:
        del weights[name]
    state = read_lines(_lines(made), weights)
    table = state["input.embedding.weight"]
    if made.tie == "embedding":
        if not torch.equal(weights.pop(HEAD, table), table):
            raise ValueError(f"{HEAD} differs from the embedding, but the config says that they are one")
        state["head.weight"] = table
    else:
        state |= read_lines([Line("head", ("lm_head",), ("weight",))], weights)
    return made, state


def write(model: Decoder) -> tuple[dict[str, Any], State]:
    """Their config and weights of the same model.

    Look-ups times √dim become larger embeddings, which the head then cannot share.
    """
    made, block = model.settings, model.settings.block
    inner = {
        "norm": ("rms",),
        "norm_order": ("pre",),
        "positions": ("rotary",),
        "activation": ("swiglu",),
        "window": (None,),
    }
    whole = {"embedding": ("plain", "scaled"), "conv_size": (0,)}
    only("Llama", (block, "model", inner), (made, "model", whole))
    ours: State = dict(model.state_dict())
    scale = model.input.embedding.scale
    tied, biased = made.tie == "embedding" and scale == 1.0, made.biases == "all"
    ours["input.embedding.weight"] = scale * ours["input.embedding.weight"]
    state = write_lines(_lines(made), ours)
    if not tied:
        state[HEAD] = ours["head.weight"]
    settings = {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "hidden_size": block.dim,
        "intermediate_size": block.hidden,
        "num_hidden_layers": made.depth,
        "num_attention_heads": block.heads,
        "num_key_value_heads": block.key_heads or block.heads,
        "head_dim": block.width,
        "hidden_act": "silu",
        "rms_norm_eps": block.eps,
        "rope_theta": block.base_or_default,
        "rope_parameters": {"rope_type": "default", "rope_theta": block.base_or_default},
        "attention_bias": biased,
        "mlp_bias": biased,
        "attention_dropout": 0.0,
        "max_position_embeddings": made.max_length,
        "tie_word_embeddings": tied,
        "vocab_size": made.vocab,
    }
    return settings, state


def _config(settings: Mapping[str, Any]) -> config.Decoder:
    dim, heads = settings["hidden_size"], settings["num_attention_heads"]
    must(settings, "hidden_act", "silu", "the gated feed-forward here is SwiGLU")
    must(settings, "head_dim", dim // heads, "a head here is as wide as dim / heads")
    must(settings, "rope_scaling", None, "rotary angles are not scaled here")
    rotary = settings.get("rope_parameters") or {"rope_theta": settings.get("rope_theta", 10000.0)}
    must(rotary, "rope_type", "default", "rotary angles are not scaled here")
    must(rotary, "partial_rotary_factor", 1.0, "all of a head's channels are turned here")
    biased = settings.get("attention_bias", False)
    must(settings, "mlp_bias", biased, "all linear maps of a block have biases, or none has")
    block = config.Block(
        dim=dim,
        heads=heads,
        key_heads=settings.get("num_key_value_heads"),
        hidden=settings["intermediate_size"],
        activation="swiglu",
        norm="rms",
        norm_order="pre",
        eps=settings["rms_norm_eps"],
        positions="rotary",
        base=None if rotary["rope_theta"] == 10000 else float(rotary["rope_theta"]),
        dropout=0.0,
    )
    return config.Decoder(
        block=block,
        depth=settings["num_hidden_layers"],
        tie="embedding" if settings.get("tie_word_embeddings", False) else "none",
        embedding="plain",
        biases="all" if biased else "none",
        max_length=settings["max_position_embeddings"],
        vocab=settings["vocab_size"],
        marks=marks_in(settings),
    )


def _lines(made: config.Decoder) -> Iterator[Line]:
    block = made.block
    key_dim = (block.key_heads or block.heads) * block.width
    kinds = ("weight", "bias") if made.biases == "all" else ("weight",)
    yield Line("input.embedding", ("model.embed_tokens",), ("weight",))
    for place in range(made.depth):
        ours, theirs = f"stack.blocks.{place}", f"model.layers.{place}"
        attention = tuple(f"{theirs}.self_attn.{part}_proj" for part in "qkv")
        gates = (f"{theirs}.mlp.gate_proj", f"{theirs}.mlp.up_proj")
        yield Line(f"{ours}.norm1", (f"{theirs}.input_layernorm",), ("weight",))
        yield Line(f"{ours}.attention.qkv", attention, kinds, sizes=(block.dim, key_dim, key_dim))
        yield Line(f"{ours}.attention.output", (f"{theirs}.self_attn.o_proj",), kinds)
        yield Line(f"{ours}.norm3", (f"{theirs}.post_attention_layernorm",), ("weight",))
        yield Line(f"{ours}.feedforward.up", gates, kinds)
        yield Line(f"{ours}.feedforward.down", (f"{theirs}.mlp.down_proj",), kinds)
    yield Line("stack.norm", ("model.norm",), ("weight",))
