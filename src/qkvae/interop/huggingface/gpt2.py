"""GPT-2, from and to `models.Decoder`.

Radford et al. 2019, "Language models are unsupervised multitask learners": pre-norm, learned positions, the
embedding
as the head.  Its matrices are written [in, out].  What it drops of attention weights in training is not
dropped here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from qkvae import config
from qkvae.interop.huggingface.files import State
from qkvae.interop.huggingface.names import (
    THEIR_ACTIVATIONS,
    Line,
    activation,
    marks_in,
    must,
    only,
    read_lines,
    without_prefix,
    write_lines,
)
from qkvae.models import Decoder
from qkvae.nn.positions import sinusoids

PREFIX = "transformer."
CONSTANTS = (".attn.bias", ".attn.masked_bias")
"""What old files hold of the causal triangle."""


def read(settings: Mapping[str, Any], weights: State) -> tuple[config.Decoder, State]:
    """The same model's config here, and its weights under our names; ``weights`` loses what was taken."""
    made = _config(settings)
    without_prefix(weights, PREFIX)
    for name in [name for name in weights if name.endswith(CONSTANTS)]:
        del weights[name]
    state = read_lines(_lines(made), weights)
    state["input.positions.table"] = state.pop("input.positions.weight")
    table = state["input.embedding.weight"]
    head = weights.pop("lm_head.weight", table)
    if made.tie == "embedding" and not torch.equal(head, table):
        raise ValueError("lm_head.weight differs from wte.weight, but the config says that they are one")
    state["head.weight"] = table if made.tie == "embedding" else head
    return made, state


def write(model: Decoder) -> tuple[dict[str, Any], State]:
    """Their config and weights of the same model.

    Look-ups times √dim become larger embeddings, which the head then cannot share; sinusoids become a table.
    """
    made, block = model.settings, model.settings.block
    _refuse(made)
    ours: State = dict(model.state_dict())
    scale = model.input.embedding.scale
    if block.positions == "sinusoidal":
        ours["input.positions.table"] = sinusoids(made.max_length, block.dim, block.base_or_default)
    ours["input.positions.weight"] = ours["input.positions.table"]
    ours["input.embedding.weight"] = scale * ours["input.embedding.weight"]
    state = {PREFIX + name: tensor for name, tensor in write_lines(_lines(made), ours).items()}
    tied = made.tie == "embedding" and scale == 1.0
    if not tied:
        state["lm_head.weight"] = ours["head.weight"]
    settings = {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "n_embd": block.dim,
        "n_layer": made.depth,
        "n_head": block.heads,
        "n_inner": block.hidden,
        "n_positions": made.max_length,
        "activation_function": THEIR_ACTIVATIONS[block.activation],
        "layer_norm_epsilon": block.eps,
        "embd_pdrop": block.dropout,
        "resid_pdrop": block.dropout,
        "attn_pdrop": 0.0,
        "tie_word_embeddings": tied,
        "vocab_size": made.vocab,
    }
    return settings, state


def _config(settings: Mapping[str, Any]) -> config.Decoder:
    must(settings, "scale_attn_weights", True, "scores are always divided by the root of the head's width")
    must(settings, "scale_attn_by_inverse_layer_idx", False, "every block divides its scores alike")
    must(settings, "add_cross_attention", False, "a decoder here sees its own text only")
    dim = settings["n_embd"]
    block = config.Block(
        dim=dim,
        heads=settings["n_head"],
        hidden=settings.get("n_inner") or 4 * dim,
        activation=activation(settings, "activation_function"),
        norm="layer",
        norm_order="pre",
        eps=settings["layer_norm_epsilon"],
        positions="learned",
        dropout=settings.get("resid_pdrop", 0.0),
    )
    return config.Decoder(
        block=block,
        depth=settings["n_layer"],
        tie="embedding" if settings.get("tie_word_embeddings", True) else "none",
        embedding="plain",
        max_length=settings["n_positions"],
        vocab=settings["vocab_size"],
        marks=marks_in(settings),
    )


def _refuse(made: config.Decoder) -> None:
    block = {
        "norm": ("layer",),
        "norm_order": ("pre",),
        "positions": ("learned", "sinusoidal"),
        "key_heads": (made.block.heads, None),
        "window": (None,),
        "activation": tuple(THEIR_ACTIVATIONS),
    }
    whole = {"embedding": ("plain", "scaled"), "biases": ("all",), "conv_size": (0,)}
    only("GPT-2", (made.block, "model", block), (made, "model", whole))


def _lines(made: config.Decoder) -> Iterator[Line]:
    yield Line("input.embedding", ("wte",), ("weight",))
    yield Line("input.positions", ("wpe",), ("weight",))
    for place in range(made.depth):
        ours, theirs = f"stack.blocks.{place}", f"h.{place}"
        yield Line(f"{ours}.norm1", (f"{theirs}.ln_1",))
        yield Line(f"{ours}.attention.qkv", (f"{theirs}.attn.c_attn",), turned=True)
        yield Line(f"{ours}.attention.output", (f"{theirs}.attn.c_proj",), turned=True)
        yield Line(f"{ours}.norm3", (f"{theirs}.ln_2",))
        yield Line(f"{ours}.feedforward.up", (f"{theirs}.mlp.c_fc",), turned=True)
        yield Line(f"{ours}.feedforward.down", (f"{theirs}.mlp.c_proj",), turned=True)
    yield Line("stack.norm", ("ln_f",))
