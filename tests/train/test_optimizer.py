"""The optimisers against torch's own, and each map treated as the matrix it is."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from qkvae import config
from qkvae.config import Optimizer
from qkvae.models import Seq2Seq
from qkvae.nn.projection import Projection
from qkvae.train.optimizer import Matrix, Muon, Optimizers, orthogonalize

TINY = config.Seq2Seq(
    block=config.Block(dim=8, heads=2, hidden=16, dropout=0.0), encoder_depth=1, decoder_depth=1, vocab=11
)


def whole(weight: Tensor) -> Matrix:
    return Matrix(weight, lambda x: [x])


def quintic(x: Tensor, steps: int = 5) -> Tensor:
    """The published iteration, as it is written, in double precision."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = x.double() / x.double().norm()
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 3), st.integers(1, 9), st.integers(0, 30), st.integers(0, 99))
def test_orthogonalize_is_the_quintic(count: int, r: int, wider: int, seed: int) -> None:
    x = torch.randn(count, r, r + wider, generator=torch.Generator().manual_seed(seed))
    expected = torch.stack([quintic(one) for one in x])
    assert_close(orthogonalize(x).double(), expected, rtol=0, atol=2e-3)


@pytest.mark.parametrize("shape", [(16, 24), (16, 64)])
def test_rounded_to_bf16_it_stays_near(shape: tuple[int, int]) -> None:
    """Also where singular values are far below what bf16 tells apart from zero."""
    stretched = torch.randn(3, *shape) @ torch.diag(torch.logspace(-6, 0, shape[1]))
    found = orthogonalize(stretched.bfloat16())
    assert found.dtype == torch.bfloat16
    assert float(torch.linalg.svdvals(found.float()).max()) < 1.3


def test_muon_orthogonalises_in_the_type_of_the_model() -> None:
    """The weights are moved in fp32, by directions that bf16 can hold."""
    model = nn.Sequential(Projection(64, (32,))).bfloat16()
    weight = torch.zeros(32, 64)
    made = Optimizers(
        Optimizer(lr=1.0, weight_decay=0.0), model, {"0.weight": weight, "0.bias": torch.zeros(32)}
    )
    weight.grad = torch.randn(32, 64)
    made.step(factor=1.0)
    moved = weight / (0.2 * math.sqrt(64))
    assert_close(moved, moved.bfloat16().float(), rtol=1e-6, atol=0)
    exact = -orthogonalize(weight.grad[None])[0]
    assert float((moved - exact).norm() / exact.norm()) < 0.05


@pytest.mark.parametrize("shape", [(8, 8), (8, 12), (8, 64)])
def test_singular_values_come_near_one(shape: tuple[int, int]) -> None:
    values = torch.linalg.svdvals(orthogonalize(torch.randn(4, *shape)))
    assert float(values.min()) > 0.3
    assert float(values.max()) < 1.3
    assert bool(orthogonalize(torch.zeros(1, *shape)).isfinite().all())


@pytest.mark.parametrize("shape", [(16, 16), (8, 40), (40, 8), (12, 18)])
def test_muon_is_torchs_on_plain_matrices(shape: tuple[int, int]) -> None:
    """Torch iterates in bf16, so the updates agree to its two or three digits."""
    start = torch.randn(shape)
    ours, theirs = start.clone().requires_grad_(), start.clone().requires_grad_()
    one = Muon([whole(ours)], lr=0.02, weight_decay=0.1, momentum=0.95)
    other = torch.optim.Muon(
        [theirs], lr=0.02, weight_decay=0.1, momentum=0.95, nesterov=True, adjust_lr_fn="match_rms_adamw"
    )
    for _ in range(5):
        gradient = torch.randn(shape)
        before = ours.detach().clone(), theirs.detach().clone()
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        one.step()
        other.step()
        moved, expected = ours.detach() - before[0], theirs.detach() - before[1]
        assert float((moved - expected).norm() / expected.norm()) < 0.03
        with torch.no_grad():
            ours.copy_(theirs)


def test_muon_decays_the_weights_and_scales_the_update_by_hand() -> None:
    """W ← (1 − ηλ)W − η·0.2·√max(r, c)·O; without momentum the update is the gradient's own direction."""
    start, gradient = torch.randn(4, 9), torch.randn(4, 9)
    weight = start.clone().requires_grad_()
    weight.grad = gradient.clone()
    Muon([whole(weight)], lr=0.1, weight_decay=0.5, momentum=0.0).step()
    expected = 0.95 * start - 0.1 * 0.2 * 3 * quintic(gradient).float()
    assert_close(weight.detach(), expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    "module",
    [
        Projection(8, (8, 4, 4)),
        Projection(8, (8, 4, 4), head_rows=4),
        Projection(8, (8,), head_columns=4),
        Projection(6, (24,)),
    ],
)
def test_stacked_maps_are_orthogonalised_one_by_one(module: Projection) -> None:
    gradient, start = torch.randn_like(module.weight), module.weight.detach().clone()
    module.weight.grad = gradient.clone()
    Muon([Matrix(module.weight, module.maps)], lr=0.1, weight_decay=0.0, momentum=0.0).step()
    moved = start - module.weight.detach()
    for part, direction in zip(module.maps(moved), module.maps(gradient), strict=True):
        longest = max(part.shape)
        turned = quintic(direction) if part.shape[0] <= part.shape[1] else quintic(direction.T).T
        assert_close(part.double(), 0.1 * 0.2 * longest**0.5 * turned, rtol=0, atol=1e-3)


def test_every_weight_has_one_optimiser_and_matrices_alone_decay() -> None:
    model = Seq2Seq(TINY)
    weights = dict(model.named_parameters())
    for name in ("muon", "adamw"):
        made = Optimizers(Optimizer(name=name, lr=1e-3, lr_rest=2e-3), model, weights)  # pyright: ignore
        (matrices, lr), (rest, lr_rest) = made.optimizers
        inside = [p for group in matrices.param_groups for p in group["params"]]
        outside = [p for group in rest.param_groups for p in group["params"]]
        assert len({id(p) for p in inside + outside}) == len(inside + outside) == len(weights)
        assert all(p.ndim == 2 for p in inside)
        assert {id(model.head.weight)} <= {id(p) for p in outside}
        assert (lr, lr_rest) == (1e-3, 2e-3)
        assert matrices.param_groups[0]["weight_decay"] == 0.05
        assert rest.param_groups[0]["weight_decay"] == 0.0


def test_adamw_is_torchs() -> None:
    torch.manual_seed(1)
    model = Seq2Seq(TINY)
    weights = dict(model.named_parameters())
    copies = {name: p.detach().clone().requires_grad_() for name, p in weights.items()}
    made = Optimizers(Optimizer(name="adamw", lr=1e-2), model, weights)
    projections = {name + ".weight" for name, part in model.named_modules() if isinstance(part, Projection)}
    groups = [
        {
            "params": [p for name, p in copies.items() if (name in projections) is inside],
            "weight_decay": decay,
        }
        for inside, decay in ((True, 0.05), (False, 0.0))
    ]
    reference = torch.optim.AdamW(groups, lr=5e-3, betas=(0.9, 0.98))
    for _ in range(3):
        for name, p in weights.items():
            p.grad = torch.randn_like(p)
            copies[name].grad = p.grad.clone()
        made.step(0.5)
        reference.step()
    for name, p in weights.items():
        assert_close(p, copies[name], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["muon", "adamw"])
@pytest.mark.parametrize("tie", ["all", "target", "none"])
def test_what_the_optimisers_remember_goes_on_bit_for_bit(name: str, tie: str) -> None:
    settings = config.Seq2Seq(block=TINY.block, encoder_depth=1, decoder_depth=1, vocab=11, tie=tie)  # pyright: ignore
    asked = Optimizer(name=name)  # pyright: ignore
    generator = torch.Generator().manual_seed(5)

    def steps(made: Optimizers, model: Seq2Seq, count: int) -> None:
        for _ in range(count):
            for p in model.parameters():
                p.grad = torch.randn(p.shape, generator=generator)
            made.step(1.0)

    model = Seq2Seq(settings)
    made = Optimizers(asked, model, dict(model.named_parameters()))
    steps(made, model, 2)
    state, weights = made.state(), {k: v.clone() for k, v in model.state_dict().items()}
    state = {key: value.clone() for key, value in state.items()}
    place = generator.get_state()
    steps(made, model, 2)

    other = Seq2Seq(settings)
    other.load_state_dict(weights)
    again = Optimizers(asked, other, dict(other.named_parameters()))
    again.load_state(state)
    generator.set_state(place)
    steps(again, other, 2)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_name_that_ends_like_another_keeps_its_own_memory() -> None:
    """``weight`` beside ``a.weight``: neither takes the other's momentum."""
    model = torch.nn.ModuleDict(
        {"norm": torch.nn.LayerNorm(2), "a": torch.nn.ModuleDict({"norm": torch.nn.LayerNorm(2)})}
    )
    model["part"] = Projection(2, (2,))
    weights = dict(model.named_parameters())
    made = Optimizers(Optimizer(), model, weights)
    for p in weights.values():
        p.grad = torch.randn_like(p)
    made.step(1.0)
    state = made.state()
    other = Optimizers(Optimizer(), model, weights)
    other.load_state(state)
    assert other.state().keys() == state.keys()
    for optimizer, _ in other.optimizers:
        for memory in optimizer.state.values():
            assert set(memory) in ({"momentum"}, {"step", "exp_avg", "exp_avg_sq"})
    for key, value in other.state().items():
        assert torch.equal(value, state[key])
