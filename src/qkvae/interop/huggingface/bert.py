"""BERT and RoBERTa, from and to `models.Encoder`.

Devlin et al. 2019, arXiv:1810.04805; Liu et al. 2019, arXiv:1907.11692: post-norm, learned positions,
segments, the
embeddings' sum normalised.  RoBERTa counts places from its padding token's id plus one; the rows before are
unused. What they drop of attention weights in training is not dropped here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

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
    taken,
    without_prefix,
    write_lines,
)
from qkvae.models import Encoder

CONSTANTS = ("embeddings.position_ids",)
"""What old files hold of 0, 1, 2, …"""

OLD_NAMES = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
"""How the first published files call the norms' numbers."""

UNUSED = ("pooler.", "cls.seq_relationship.")
"""Parts that only some heads need: what these weights say has no place in the others."""


class _Shape(NamedTuple):
    """What BERT and RoBERTa call differently."""

    name: str
    prefix: str
    words: tuple[Line, ...]
    bias: str
    classes: tuple[Line, ...]
    offset: bool


_SHAPES = {
    "bert": _Shape(
        "Bert",
        "bert.",
        (
            Line("head.dense", ("cls.predictions.transform.dense",)),
            Line("head.norm", ("cls.predictions.transform.LayerNorm",)),
        ),
        "cls.predictions.",
        (Line("head.dense", ("pooler.dense",)), Line("head.output", ("classifier",))),
        False,
    ),
    "roberta": _Shape(
        "Roberta",
        "roberta.",
        (Line("head.dense", ("lm_head.dense",)), Line("head.norm", ("lm_head.layer_norm",))),
        "lm_head.",
        (Line("head.dense", ("classifier.dense",)), Line("head.output", ("classifier.out_proj",))),
        True,
    ),
}
_HEADS: dict[str, type[config.Head]] = {
    "ForMaskedLM": config.MaskedWords,
    "ForPreTraining": config.MaskedWords,
    "ForSequenceClassification": config.Classes,
    "ForQuestionAnswering": config.Spans,
    "Model": config.Vector,
}


def read(settings: Mapping[str, Any], weights: State) -> tuple[config.Encoder, State]:
    """The same model's config here, and its weights under our names; ``weights`` loses what was taken."""
    shape = _SHAPES[settings["model_type"]]
    without_prefix(weights, shape.prefix)
    for name in CONSTANTS:
        weights.pop(name, None)
    for name in list(weights):
        for old, new in OLD_NAMES.items():
            if name.endswith(old):
                weights[name.removesuffix(old) + new] = weights.pop(name)
    made = _config(settings, shape, weights)
    state = read_lines(_lines(made), weights)
    places = taken(weights, "embeddings.position_embeddings.weight")
    state["input.positions.table"] = places[_offset(settings, shape) :].contiguous()
    if isinstance(made.head, config.MaskedWords):
        state |= read_lines(shape.words, weights)
        state |= _tied_head(shape, state["input.embedding.weight"], weights)
    elif isinstance(made.head, config.Classes):
        state |= read_lines(shape.classes, weights)
    elif isinstance(made.head, config.Spans):
        state |= read_lines([Line("head.output", ("qa_outputs",))], weights)
        if (scores := len(state["head.output.bias"])) != 2:
            raise ValueError(
                f"qa_outputs makes {scores} scores, but a span here has two: its start and its end"
            )
    return made, state


def write(model: Encoder, kind: str = "bert") -> tuple[dict[str, Any], State]:
    """Their config and weights of the same model."""
    made, block, shape = model.settings, model.settings.block, _SHAPES[kind]
    _refuse(made, shape.name)
    ours: State = dict(model.state_dict())
    segments = max(1, made.segments)
    ours.setdefault("input.segments.weight", torch.zeros(segments, block.dim))
    inner = write_lines(_lines(made), ours)
    skipped = made.marks.pad + 1 if shape.offset else 0
    places = ours["input.positions.table"]
    inner["embeddings.position_embeddings.weight"] = torch.cat([places.new_zeros(skipped, block.dim), places])
    head: State = {}
    if isinstance(made.head, config.MaskedWords):
        head = write_lines(shape.words, ours)
        head |= {
            f"{shape.bias}decoder.weight": ours["head.weight"],
            f"{shape.bias}decoder.bias": ours["head.bias"],
            f"{shape.bias}bias": ours["head.bias"],
        }
    elif isinstance(made.head, config.Classes):
        head = write_lines(shape.classes, ours)
    elif isinstance(made.head, config.Spans):
        head = write_lines([Line("head.output", ("qa_outputs",))], ours)
    ending = next(name for name, head in _HEADS.items() if isinstance(made.head, head))
    prefix = "" if ending == "Model" else shape.prefix
    inner |= {name: head.pop(name) for name in list(head) if name.startswith("pooler.")}
    state = {prefix + name: tensor for name, tensor in inner.items()} | head
    settings: dict[str, Any] = {
        "model_type": kind,
        "architectures": [shape.name + ending],
        "hidden_size": block.dim,
        "num_hidden_layers": made.depth,
        "num_attention_heads": block.heads,
        "intermediate_size": block.hidden,
        "hidden_act": THEIR_ACTIVATIONS[block.activation],
        "layer_norm_eps": block.eps,
        "hidden_dropout_prob": block.dropout,
        "attention_probs_dropout_prob": 0.0,
        "max_position_embeddings": made.max_length + skipped,
        "type_vocab_size": segments,
        "vocab_size": made.vocab,
    }
    return settings, state


def _config(settings: Mapping[str, Any], shape: _Shape, weights: State) -> config.Encoder:
    must(settings, "position_embedding_type", "absolute", "positions are added to the tokens")
    must(settings, "is_decoder", False, "every token sees all others")
    must(settings, "add_cross_attention", False, "an encoder here sees its own text only")
    must(settings, "tie_word_embeddings", True, "the head that predicts tokens shares the embedding's matrix")
    block = config.Block(
        dim=settings["hidden_size"],
        heads=settings["num_attention_heads"],
        hidden=settings["intermediate_size"],
        activation=activation(settings, "hidden_act"),
        norm="layer",
        norm_order="post",
        eps=settings["layer_norm_eps"],
        positions="learned",
        dropout=settings.get("hidden_dropout_prob", 0.0),
    )
    return config.Encoder(
        block=block,
        depth=settings["num_hidden_layers"],
        head=_head(settings, shape, weights),
        embedding="normed",
        segments=settings["type_vocab_size"],
        max_length=settings["max_position_embeddings"] - _offset(settings, shape),
        vocab=settings["vocab_size"],
        marks=marks_in(settings, between=2 if shape.offset else 1),
    )


def _head(settings: Mapping[str, Any], shape: _Shape, weights: State) -> config.Head:
    """The head that the model's name tells."""
    name = str((settings.get("architectures") or [shape.name + "Model"])[0])
    kind = _HEADS.get(name.removeprefix(shape.name))
    if kind is None:
        known = ", ".join(shape.name + ending for ending in _HEADS)
        raise ValueError(f"architectures is {name}, but only {known} can be read")
    if kind is config.Classes:
        told = f"{shape.classes[1].theirs[0]}.bias"
        return config.Classes(count=len(weights[told]) if told in weights else 0, pooling="class")
    return kind()


def _offset(settings: Mapping[str, Any], shape: _Shape) -> int:
    """Rows of the positions before that of a text's first token."""
    return settings.get("pad_token_id", 1) + 1 if shape.offset else 0


def _tied_head(shape: _Shape, table: torch.Tensor, weights: State) -> State:
    """The head's matrix, which is the embedding, and its bias; files hold them once or twice."""
    bias = taken(weights, f"{shape.bias}bias")
    if not torch.equal(weights.pop(f"{shape.bias}decoder.weight", table), table):
        raise ValueError(f"{shape.bias}decoder.weight differs from the embedding, whose matrix it is to be")
    if not torch.equal(weights.pop(f"{shape.bias}decoder.bias", bias), bias):
        raise ValueError(f"{shape.bias}decoder.bias differs from {shape.bias}bias, which is to be the same")
    return {"head.weight": table, "head.bias": bias}


def _refuse(made: config.Encoder, name: str) -> None:
    block = {
        "norm": ("layer",),
        "norm_order": ("post",),
        "positions": ("learned",),
        "key_heads": (made.block.heads, None),
        "window": (None,),
        "activation": tuple(THEIR_ACTIVATIONS),
    }
    whole = {"embedding": ("normed",), "conv_size": (0,)}
    head = {"pooling": ("class",)} if isinstance(made.head, config.Classes) else {}
    only(name, (made.block, "model", block), (made, "model", whole), (made.head, "model.head", head))


def _lines(made: config.Encoder) -> Iterator[Line]:
    yield Line("input.embedding", ("embeddings.word_embeddings",), ("weight",))
    yield Line("input.segments", ("embeddings.token_type_embeddings",), ("weight",))
    yield Line("input.norm", ("embeddings.LayerNorm",))
    for place in range(made.depth):
        ours, theirs = f"stack.blocks.{place}", f"encoder.layer.{place}"
        attention = tuple(f"{theirs}.attention.self.{part}" for part in ("query", "key", "value"))
        yield Line(f"{ours}.attention.qkv", attention)
        yield Line(f"{ours}.attention.output", (f"{theirs}.attention.output.dense",))
        yield Line(f"{ours}.norm1", (f"{theirs}.attention.output.LayerNorm",))
        yield Line(f"{ours}.feedforward.up", (f"{theirs}.intermediate.dense",))
        yield Line(f"{ours}.feedforward.down", (f"{theirs}.output.dense",))
        yield Line(f"{ours}.norm3", (f"{theirs}.output.LayerNorm",))
