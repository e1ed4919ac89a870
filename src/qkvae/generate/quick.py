"""The same model made ready for a processor: weights laid out for few rows, large products in 8 bits."""

from __future__ import annotations

import copy
import functools
from typing import Literal, TypeVar, cast
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn

from qkvae.config.generation import Precision
from qkvae.nn.projection import Projection, split
from qkvae.nn.tiles import spare_failing_tiles

_TINY = 1e-30  # instead of the largest channel of a row of zeros
_WIDE = 2048  # outputs from which a product is worth oneDNN's own layout
_SMALL = 1 << 16  # weights up to which rounding the input costs more than the product saves
_FEW = 256  # with fewer inputs the errors of rounding cancel less, and less is saved

Made = Literal["fp32", "int8"]
M = TypeVar("M")
N = TypeVar("N", bound=nn.Module)

_made: WeakKeyDictionary[nn.Module, Made] = WeakKeyDictionary()  # what `quick` gave back


class Int8Linear(nn.Module):
    """x Wᵀ + b with both factors rounded to 8 bits, the sum exact.

    Each row of W and each row of x is divided by its largest absolute value and rounded to −127…127; the
    product of these whole numbers is exact, so a row's result does not depend on the rows beside it.

    >>> linear = nn.Linear(3, 2)
    >>> x = torch.linspace(-1, 1, 15).view(5, 3)
    >>> bool((Int8Linear(linear)(x) - linear(x)).abs().max() < 0.02)
    True
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        weight = linear.weight.detach()
        scale = weight.abs().amax(1).clamp_min_(_TINY) / 127
        rounded = (weight / scale[:, None]).round().to(torch.int8)
        # No buffers: a module takes longer to find one than a small product takes.
        self.weight, self.scale, self._tiny = rounded.t(), scale, torch.tensor(_TINY)
        self.bias: Tensor | None = linear.bias
        self._packed = _Packed(rounded, scale) if len(rounded) >= _WIDE and _has_dot_products() else None

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch w"]:
        rows = x.reshape(-1, x.shape[-1])
        # Few operators: with a handful of rows each costs as much as the product itself.
        scale = torch.add(self._tiny, rows.abs().amax(1, keepdim=True), alpha=1 / 127)
        whole: Int8[Tensor, "rows d"] = rows.div(scale).round_().to(torch.int8)
        if self._packed is not None and len(rows) > 1:
            y = self._packed(whole)
        else:
            y = _product(whole, self.weight).float().mul_(self.scale)
        bias = self.bias
        y = y.mul_(scale) if bias is None else torch.addcmul(bias, y, scale)
        return y.view(*x.shape[:-1], y.shape[1])


class _Packed:
    """A wide matrix as oneDNN has it: the product leaves as fp32 and scaled, never written as whole numbers.

    The result is that of `_product`, scaled, to the last bit.
    """

    def __init__(self, rounded: Int8[Tensor, "w d"], scale: Float[Tensor, " w"]) -> None:
        packed = torch.ops.onednn.qlinear_prepack(rounded, None)
        self._weight = (packed, scale, torch.zeros(len(scale), dtype=torch.int64))

    def __call__(self, whole: Int8[Tensor, "rows d"]) -> Float[Tensor, "rows w"]:
        shifted = whole.bitwise_xor(-128).view(torch.uint8)  # x + 128: oneDNN is quick with unsigned inputs
        return torch.ops.onednn.qlinear_pointwise(
            shifted, 1.0, 128, *self._weight, None, 1.0, 0, torch.float32, "none", [], ""
        )


class Int8Projection(Int8Linear):
    """`Projection` likewise."""

    def __init__(self, projection: Projection) -> None:
        super().__init__(projection)
        self.parts = projection.parts

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return split(super().forward(x), self.parts)


def quick(model: M, precision: Precision) -> M:
    """The model made ready to be used on a processor; the model itself stays as it is.

    Products with large matrices are in 8 bits where that is asked for; with ``auto``, if the processor is
    quick at them and exact, and the matrix has 256 inputs or more.  The weights of the others are laid out
    input by input, which a product with few rows reads at twice the speed; they are the same numbers.
    Attention, norms and sums stay in fp32.  What is on a GPU, what is not in fp32 and what is ready already
    come back as they are.

    Raises:
        ValueError: int8 for a model that is not on the CPU in fp32, was made ready in fp32 or has no large
            matrix, or on a processor whose 8-bit products are not exact.
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
        if precision == "int8":
            found = ", ".join(sorted(f"{dtype} on {device}" for device, dtype in kinds))
            raise ValueError(f"precision int8 is for fp32 on the CPU, but this model is {found}: use auto")
        return model
    made = _chosen(precision)
    found = _ready(model, made, 1 if precision == "int8" else _FEW)
    if precision == "int8" and not any(isinstance(part, Int8Linear) for part in found.modules()):
        raise ValueError(
            f"precision int8 has no effect: the model has no matrix of more than {_SMALL:,} weights: use auto"
        )
    _made[found] = made
    return found


def _ready(model: N, made: Made, inputs: int) -> N:
    # Whatever is not laid out anew is shared.
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    found = copy.deepcopy(model, cast("dict[int, object]", shared)).eval()
    for parent in list(found.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear):
                setattr(parent, name, _linear(child, made, inputs))
    return found


def _linear(linear: nn.Linear, made: Made, inputs: int) -> nn.Module:
    if made == "int8" and linear.in_features >= inputs and linear.weight.numel() > _SMALL:
        return Int8Projection(linear) if isinstance(linear, Projection) else Int8Linear(linear)
    linear.weight = nn.Parameter(linear.weight.detach().t().contiguous().t(), requires_grad=False)
    return linear


def _chosen(precision: Precision) -> Made:
    if precision == "fp32" or (precision == "auto" and not _has_dot_products()):
        return "fp32"
    if spare_failing_tiles() and _products_are_exact():
        return "int8"
    if precision == "auto":
        return "fp32"
    raise ValueError("precision int8, but this processor's 8-bit products are not exact: use auto")


def _has_dot_products() -> bool:
    """Whether the processor sums four 8-bit products in one instruction (VNNI)."""
    found = torch.cpu.get_capabilities()
    return torch.backends.mkldnn.is_available() and bool(found.get("avx512_vnni") or found.get("avx_vnni"))


@functools.cache
def _products_are_exact() -> bool:
    """Whether the largest products come out right: some processors sum pairs of them in 16 bits."""
    x = torch.full((32, 64), 127, dtype=torch.int8)
    return all(bool((_product(x, y) == 64 * 127 * int(y[0, 0])).all()) for y in (x.t(), -x.t()))


def _product(x: Tensor, weight: Tensor) -> Tensor:
    return torch._int_mm(x, weight)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
