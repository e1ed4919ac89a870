"""Checks against torch.nn and closed forms that are quick enough to be made under every planted fault."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch.nn import functional as F
from torch.testing import assert_close

from qkvae import config
from qkvae.config import Optimizer
from qkvae.nn import attention as A
from qkvae.nn.grid_conv import GridConv
from qkvae.nn.grid_positions import GridSinusoidal
from qkvae.nn.masks import Mask
from qkvae.nn.patches import LinearPatches
from qkvae.nn.positions import Alibi
from qkvae.nn.projection import Projection
from qkvae.train.average import Ema
from qkvae.train.optimizer import Matrix, Muon
from qkvae.train.precision import Weights
from qkvae.train.schedule import rate
from torch_twins import twins

CLOSE = {"rtol": 0, "atol": 1e-5}


def _whole_model(order: str, activation: str) -> None:
    block = config.Block(
        dim=16,
        heads=4,
        hidden=24,
        dropout=0.0,
        eps=1e-2,
        norm_order=order,  # pyright: ignore
        activation=activation,  # pyright: ignore
    )
    ours, theirs, _ = twins(config.Seq2Seq(block=block, encoder_depth=2, decoder_depth=2, vocab=19))
    source, target, lengths = torch.randint(19, (2, 7)), torch.randint(19, (2, 5)), torch.tensor([7, 3])
    assert_close(ours(source, target, lengths), theirs(source, target, lengths), **CLOSE)


def pre_norm_model() -> None:
    _whole_model("pre", "relu")


def post_norm_model() -> None:
    _whole_model("post", "gelu")


def attention() -> None:
    q, k, v = torch.randn(2, 3, 5, 4), torch.randn(2, 3, 7, 4), torch.randn(2, 3, 7, 4)
    for kernel in (A.attention, A.explicit):
        expected = torch.softmax(q @ k.mT / math.sqrt(4), -1) @ v
        assert_close(kernel(q, k, v), expected, **CLOSE)


def grouped_heads() -> None:
    q, k, v = torch.randn(2, 6, 5, 4), torch.randn(2, 2, 5, 4), torch.randn(2, 2, 5, 4)
    expected = F.scaled_dot_product_attention(q, k, v, enable_gqa=True)
    assert_close(A.attention(q, k, v), expected, **CLOSE)


def blind_row() -> None:
    parts = [torch.randn(1, 1, 3, 2, requires_grad=True) for _ in range(3)]
    mask = Mask(key_lengths=torch.tensor([0]))
    for kernel in (A.explicit, A.fused):
        mixed = kernel(*parts, mask)
        assert bool((mixed == 0).all())
        assert all(bool(g.isfinite().all()) for g in torch.autograd.grad(mixed.sum(), parts))


def muon_by_heads() -> None:
    """Each head's map becomes nearly orthogonal by itself: all its singular values are about one."""
    module = Projection(16, (16, 8, 8), head_rows=4)
    before = module.weight.detach().clone()
    module.weight.grad = torch.randn_like(module.weight) * torch.logspace(-2, 2, 32)[:, None].ceil()
    Muon([Matrix(module.weight, module.maps)], lr=1.0, weight_decay=0.0, momentum=0.0).step()
    for rows in (before - module.weight.detach()).split(4):
        values = torch.linalg.svdvals(rows) / (0.2 * 16**0.5)
        assert float(values.min()) > 0.3
        assert float(values.max()) < 1.3


def clipping() -> None:
    model = torch.nn.Linear(2, 1, bias=False)
    model.weight.grad = torch.tensor([[30.0, 40.0]])
    assert abs(Weights(model, "fp32").collect_gradients(0.1, 1.0) - 5.0) < 1e-5
    assert_close(model.weight.grad, torch.tensor([[0.6, 0.8]]), rtol=1e-5, atol=0)


def masters() -> None:
    model = torch.nn.Linear(1, 1, bias=False)
    torch.nn.init.ones_(model.weight)
    weights = Weights(model, "bf16")
    for _ in range(100):
        with torch.no_grad():
            weights.masters["weight"] += 0.001
        weights.publish()
    assert abs(float(model.weight.detach()) - 1.1) < 0.01


def moving_average() -> None:
    """Early it is the plain mean; a late jump comes in by its share of the window, 0.001 / 0.03."""
    average = Ema({"w": torch.zeros(1)})
    for step in range(1, 5):
        average.update({"w": torch.tensor([float(step)])}, step * 0.005)
    assert_close(average.weights["w"], torch.tensor([2.5]))
    average = Ema({"w": torch.zeros(1)})
    average.progress = 0.5
    average.update({"w": torch.tensor([30.0])}, 0.501)
    assert_close(average.weights["w"], torch.tensor([1.0]))


def schedule() -> None:
    course = Optimizer(schedule="linear", warmup=0.1)
    assert [round(rate(course, p), 6) for p in (0.0, 0.05, 0.1, 0.55, 1.0)] == [0.0, 0.5, 1.0, 0.5, 0.0]


def alibi_slopes() -> None:
    assert_close(Alibi(8).slopes, torch.tensor([2.0**-h for h in range(1, 9)]))


def patches_by_convolution() -> None:
    for axes, size in enumerate([(6,), (4, 6), (2, 4, 6)]):
        ours = LinearPatches(config.Patches(size=size, channels=3, patch=(2,)), 5)
        convolve = (F.conv1d, F.conv2d, F.conv3d)[axes]
        grid, kernel = torch.randn(2, 3, *size), ours.weight.view(5, 3, *[2] * (axes + 1))
        assert_close(ours(grid), convolve(grid, kernel, ours.bias, stride=2).flatten(2).mT, **CLOSE)


def positions_of_a_grid() -> None:
    """At row r and column c of 2 × 3: four channels of r, four of c."""
    table = GridSinusoidal(8, 100.0, (2, 3))((2, 3))
    for place, row in enumerate(table.tolist()):
        places = divmod(place, 3)
        told = [f(p * rate) for p in places for rate in (1.0, 0.1) for f in (math.sin, math.cos)]
        assert max(abs(one - other) for one, other in zip(row, told, strict=True)) < 1e-6


def joined_patches() -> None:
    """A leading token, and 2 × 3 patches with those around each, by weights looked up one by one."""
    conv, x = GridConv(4, size=3, axes=2, leading=1), torch.randn(2, 7, 4)
    expected = x.clone()
    for place in range(6):
        row, column = divmod(place, 3)
        for near in range(6):
            down, right = near // 3 - row, near % 3 - column
            if abs(down) <= 1 and abs(right) <= 1:
                expected[:, 1 + place] += conv.weight[:, 0, 1 + down, 1 + right] * x[:, 1 + near]
    assert_close(conv(x, (2, 3)), expected, **CLOSE)


REFERENCES: dict[str, Callable[[], None]] = {
    "pre-norm model = torch.nn.Transformer": pre_norm_model,
    "post-norm model = torch.nn.Transformer": post_norm_model,
    "attention = its equation": attention,
    "grouped heads = torch's": grouped_heads,
    "a row that sees nothing gives zeros": blind_row,
    "Muon makes each head's map orthogonal": muon_by_heads,
    "a long gradient is cut to the clip": clipping,
    "small updates add up in bf16": masters,
    "moving average = its equation": moving_average,
    "schedule = its end points": schedule,
    "ALiBi slopes = the paper's": alibi_slopes,
    "patches = a convolution": patches_by_convolution,
    "positions of a grid = their equation": positions_of_a_grid,
    "joined patches = a sum over those around": joined_patches,
}
