"""The same model made ready for a processor: each matrix as is quick for as many rows as will come."""

from __future__ import annotations

import copy
from typing import Literal, TypeVar, cast
from weakref import WeakKeyDictionary

import torch
from torch import nn

from qkvae.config.generation import Precision
from qkvae.generate.products import (
    GROUP,
    Bf16Linear,
    Int4Linear,
    Int8Linear,
    Product,
    fbgemm_is_exact,
    has_dot_products,
    whole_products_are_exact,
)
from qkvae.nn.tiles import spare_failing_tiles, tiles_work

FEW = 8  # rows a step up to which 8 bits are quicker than matrix tiles
_LEAST = 1 << 16  # weights from which a product saves more than rounding costs
_LEAST_OF_FEW = 1 << 19  # the same where few rows come; between 256 × 1,024, which loses, and a vocabulary
_NARROW = 256  # with fewer inputs the errors of rounding cancel less, and less is saved
_VOCABULARY = "head"

Made = Literal["fp32", "bf16", "int8", "int4"]
M = TypeVar("M")
N = TypeVar("N", bound=nn.Module)

_made: WeakKeyDictionary[nn.Module, Made] = WeakKeyDictionary()  # what `quick` gave back


def quick(model: M, precision: Precision, rows: int | None = None) -> M:
    """The model made ready to be used on a processor; the model itself stays as it is.

    - fp32: the same numbers, laid out input by input, which a product with few rows reads at twice the speed.
    - bf16: `Bf16Linear`.
    - int8: `Int8Linear`.
    - int4: `Int4Linear`, and the vocabulary's matrix in 8 bits.
    - auto: for matrices of 256 inputs or more int8 with few rows (if they have 524,288 weights or more) and
      bf16 with many, where the processor has what makes them quick (VNNI, matrix tiles); int8 also for many
      without tiles; otherwise fp32.

    Attention, norms and sums stay in fp32.  What is on a GPU, what is not in fp32 and what is ready already
    come back as they are.

    Args:
        model: any model.
        precision: in which numbers the large products are computed.
        rows: how many places are computed at a step, at most; few if nobody knows.

    Raises:
        ValueError: bf16, int8 or int4 for a model that is not on the CPU in fp32, was made ready otherwise or
            has no large matrix, or on a processor that does not have such products.
    """
    if not isinstance(model, nn.Module):
        return model
    if (ready := _made.get(model)) is not None:
        if precision not in ("auto", ready):
            raise ValueError(
                f"precision {precision}, but the model was made ready in {ready}: give the original"
            )
        return model
    kinds = {(p.device.type, p.dtype) for p in model.parameters()}
    if kinds != {("cpu", torch.float32)}:
        if precision not in ("auto", "fp32"):
            found = ", ".join(sorted(f"{dtype} on {device}" for device, dtype in kinds))
            raise ValueError(
                f"precision {precision} is for fp32 on the CPU, but this model is {found}: use auto"
            )
        return model
    few = rows is None or rows <= FEW
    made = _chosen(precision, few)
    inputs, least = (_NARROW, _LEAST_OF_FEW if few else _LEAST) if precision == "auto" else (1, _LEAST)
    found = _ready(model, made, inputs, least)
    if precision not in ("auto", "fp32") and not any(isinstance(part, Product) for part in found.modules()):
        raise ValueError(
            f"precision {precision} has no effect: the model has no matrix of {_LEAST:,} weights or more: "
            "use auto"
        )
    _made[found] = made
    return found


def _ready(model: N, made: Made, inputs: int, least: int) -> N:
    # Whatever is not laid out anew is shared.
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    found = copy.deepcopy(model, cast("dict[int, object]", shared)).eval()
    for parent in list(found.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, _product(child, name, made, inputs, least))
    _in_reach(found)
    return found


def _product(linear: nn.Linear, name: str, made: Made, inputs: int, least: int) -> nn.Module:
    """The map as it is quickest."""
    if made != "fp32" and linear.in_features >= inputs and linear.weight.numel() >= least:
        if made == "bf16":
            return Bf16Linear(linear, stays=name == "up")  # what is read next is `down`
        if made == "int4" and name != _VOCABULARY and linear.in_features % GROUP == 0:
            return Int4Linear(linear)
        return Int8Linear(linear)
    linear.weight = nn.Parameter(linear.weight.detach().t().contiguous().t(), requires_grad=False)
    return linear


def _in_reach(model: nn.Module) -> None:
    """Let every module find its parts as plain attributes.

    A module looks for them in vain among its attributes before it asks `nn.Module.__getattr__`: with few rows
    that is a twentieth of all time, and these parts do not change any more.
    """
    for module in model.modules():
        vars(module).update(module._modules)  # pyright: ignore[reportPrivateUsage]
        vars(module).update(module._parameters)  # pyright: ignore[reportPrivateUsage]


def _chosen(precision: Precision, few: bool) -> Made:
    if precision == "auto":
        if not few and tiles_work():
            return "bf16"
        return "int8" if has_dot_products() and spare_failing_tiles() and _products_are_exact() else "fp32"
    if precision in ("int8", "int4") and not (spare_failing_tiles() and _products_are_exact()):
        raise ValueError(
            f"precision {precision}, but this processor's 8-bit products are not exact: use auto"
        )
    if precision == "bf16" and not (spare_failing_tiles() and _has_bf16()):
        raise ValueError("precision bf16, but this processor has no such products: use auto")
    return precision


def _has_bf16() -> bool:
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def _products_are_exact() -> bool:
    """Whether 8-bit products come out right, by one of the two ways."""
    return fbgemm_is_exact() or whole_products_are_exact()
