"""Products with a fixed matrix, each quick on a processor for some numbers of rows."""

from __future__ import annotations

import functools
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.nn.projection import split

GROUP = 32  # neighbouring weights of 4 bits that share a scale

_TINY = 1e-30  # instead of the largest channel of a row of zeros
_FBGEMM, _WEIGHT = "fbgemm", "_make_per_channel_quantized_tensor"
_PRODUCT = "linear_with_input_q_dq_qweight_dq_output_fp32"  # is told the scale of its input: any rows alike


class Product(nn.Module, ABC):
    """In place of a `Linear` or `Projection`: the same map, with weights that are only read."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        # No parameters or buffers: a module takes longer to find one than a small product takes.
        bias = cast("Tensor | None", linear.bias)
        self.bias = None if bias is None else bias.detach()
        self.parts: tuple[int, ...] | None = getattr(linear, "parts", None)

    def forward(self, x: Float[Tensor, "*batch d"]) -> Tensor | tuple[Tensor, ...]:
        y = self.product(x.reshape(-1, x.shape[-1]))
        y = y.view(*x.shape[:-1], y.shape[1])
        return y if self.parts is None else split(y, self.parts)

    @abstractmethod
    def product(self, rows: Float[Tensor, "rows d"]) -> Float[Tensor, "rows w"]:
        """rows · Wᵀ + b."""


class Int8Linear(Product):
    """x Wᵀ + b with both factors rounded to 8 bits, the sum exact.

    Each row of W and each row of x is divided by its largest absolute value and rounded to −127…127; the
    product of these whole numbers is exact, so a row's result does not depend on the rows beside it.

    >>> linear = nn.Linear(3, 2)
    >>> x = torch.linspace(-1, 1, 15).view(5, 3)
    >>> bool((Int8Linear(linear)(x) - linear(x)).abs().max() < 0.02)
    True
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        rounded, scale = rounded_rows(linear.weight.detach())
        self._tiny = torch.tensor(_TINY)
        self._product = (_fbgemm if fbgemm_is_exact() else _plain)(rounded, scale)

    def product(self, rows: Float[Tensor, "rows d"]) -> Float[Tensor, "rows w"]:
        # Few operators: with a handful of rows each costs as much as a small product itself.
        scale = torch.add(self._tiny, rows.abs().amax(1, keepdim=True))
        y = self._product(rows / scale)
        return y.mul_(scale) if self.bias is None else torch.addcmul(self.bias, y, scale)


def _fbgemm(rounded: Tensor, scale: Float[Tensor, " w"]) -> Callable[[Tensor], Tensor]:
    """The product with rows of numbers from −1 to 1, which are rounded to multiples of 1/127 on the way.

    A quarter of the bytes of fp32 is read, also for one row.
    """
    zero_points = torch.zeros(len(scale), dtype=torch.int64)
    before = torch.backends.quantized.engine
    try:
        torch.backends.quantized.engine = _FBGEMM
        with warnings.catch_warnings():  # such tensors may go some day: `fbgemm_is_exact` looks for them
            warnings.simplefilter("ignore", UserWarning)
            weight = getattr(torch, _WEIGHT)(rounded, scale.double(), zero_points, 0)
        packed = torch.ops.quantized.linear_prepack(weight, None)
    finally:
        torch.backends.quantized.engine = before
    product = getattr(torch.ops.quantized, _PRODUCT).default
    return lambda rows: product(rows, 1 / 127, 128, packed)


def _plain(rounded: Tensor, scale: Float[Tensor, " w"]) -> Callable[[Tensor], Tensor]:
    """The same by PyTorch's product of whole numbers, which every processor has."""
    weight, scale = rounded.t(), scale / 127
    return lambda rows: whole_product((127 * rows).round_().to(torch.int8), weight).float().mul_(scale)


class Int4Linear(Product):
    """x Wᵀ + b with 4 bits a weight, x and the result in bf16: for few rows, which wait for the weights.

    Of 32 neighbouring weights the smallest and the largest are kept, and 14 numbers evenly spaced between.

    >>> linear = nn.Linear(64, 16)
    >>> x = torch.randn(2, 64)
    >>> bool((Int4Linear(linear)(x) - linear(x)).std() < 0.15 * linear(x).std())
    True
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)
        self.outputs = len(linear.weight)
        weight = F.pad(linear.weight.detach(), (0, 0, 0, -self.outputs % 16))  # as the kernel wants them
        groups = weight.view(len(weight), -1, GROUP)
        low, high = groups.amin(2), groups.amax(2)
        step = ((high - low).clamp_min_(_TINY) / 15).bfloat16()
        middle = (low + 8 * step).bfloat16()  # the kernel reads (whole − 8) · step + middle
        whole = ((groups - middle[..., None]) / step[..., None] + 8).round_().clamp_(0, 15)
        self.weight = torch.ops.aten._convert_weight_to_int4pack_for_cpu(whole.flatten(1).int(), 1)
        self.scale = torch.stack([step.t(), middle.t()], -1).contiguous()

    def product(self, rows: Float[Tensor, "rows d"]) -> Float[Tensor, "rows w"]:
        y = torch.ops.aten._weight_int4pack_mm_for_cpu(rows.bfloat16(), self.weight, GROUP, self.scale)
        y = y[:, : self.outputs].float()
        return y if self.bias is None else y.add_(self.bias)


class Bf16Linear(Product):
    """x Wᵀ + b with all of them rounded to bf16, the sums in fp32: for many rows, with matrix tiles.

    >>> linear = nn.Linear(64, 16)
    >>> x = torch.randn(2, 64)
    >>> bool((Bf16Linear(linear, stays=False)(x) - linear(x)).abs().max() < 0.02)
    True
    """

    def __init__(self, linear: nn.Linear, stays: bool) -> None:
        """
        Args:
            linear: the map.
            stays: whether the result stays in bf16, for another such product to read.
        """
        super().__init__(linear)
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach().bfloat16(), 128)
        self.bias = None if self.bias is None else self.bias.bfloat16()
        self.stays = stays

    def product(self, rows: Float[Tensor, "rows d"]) -> Float[Tensor, "rows w"]:
        y = torch.ops.mkldnn._linear_pointwise(rows.bfloat16(), self.weight, self.bias, "none", [], "")
        return y if self.stays else y.float()


def rounded_rows(weight: Float[Tensor, "w d"]) -> tuple[Tensor, Float[Tensor, " w"]]:
    """Each row as whole numbers from −127 to 127, and what they are multiples of.

    >>> rounded_rows(torch.tensor([[0.5, -1.27]]))
    (tensor([[  50, -127]], dtype=torch.int8), tensor([0.0100]))
    """
    scale = weight.abs().amax(1).clamp_min_(_TINY) / 127
    return (weight / scale[:, None]).round().to(torch.int8), scale


def whole_product(x: Tensor, weight: Tensor) -> Tensor:
    """The exact product of two matrices of 8 bits, in 32."""
    return torch._int_mm(x, weight)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


@functools.cache
def fbgemm_is_exact() -> bool:
    """Whether PyTorch was built with the products for x86 processors, still has them, and they come out
    right.

    Some processors sum pairs of products in 16 bits.
    """
    there = hasattr(torch, _WEIGHT) and hasattr(torch.ops.quantized, _PRODUCT)
    if not there or _FBGEMM not in torch.backends.quantized.supported_engines:
        return False
    product = _fbgemm(torch.full((32, 64), 127, dtype=torch.int8), torch.full((32,), 1 / 127))
    return all(
        bool((product(x) - x.sum()).abs().max() < 1e-3) for x in (torch.ones(1, 64), -torch.ones(1, 64))
    )


@functools.cache
def whole_products_are_exact() -> bool:
    """Whether PyTorch's products of whole numbers come out right."""
    x = torch.full((32, 64), 127, dtype=torch.int8)
    return all(bool((whole_product(x, y) == 64 * 127 * int(y[0, 0])).all()) for y in (x.t(), -x.t()))


def has_dot_products() -> bool:
    """Whether the processor sums four 8-bit products in one instruction (VNNI)."""
    found = torch.cpu.get_capabilities()
    return torch.backends.mkldnn.is_available() and bool(found.get("avx512_vnni") or found.get("avx_vnni"))
