"""Every family keeps the same promises, whatever parts it is made of."""

from __future__ import annotations

import dataclasses
import itertools
import subprocess
import sys
from typing import Any

import pytest
import torch

from qkvae import config
from qkvae.models import FAMILIES, build
from qkvae.prove import CHECKS, make_case, prove
from qkvae.prove.rows import Row, difference

PARTS: list[dict[str, Any]] = [
    {},
    {"norm_order": "post"},
    {"norm_order": "post", "norm": "std", "activation": "gelu"},
    {"norm": "rms", "activation": "swiglu", "positions": "rotary", "key_heads": 2},
    {"norm": "std", "positions": "learned"},
    {"positions": "alibi", "key_heads": 1, "activation": "gelu"},
    {"positions": "relative", "norm_order": "post", "norm": "rms"},
    {"positions": "none", "activation": "swiglu"},
    {"positions": "rotary", "activation": "relu2"},
    {"window": 2},
    {"window": 3, "positions": "rotary", "norm_order": "post"},
    {"window": 1, "positions": "alibi"},
    {"window": 2, "positions": "relative", "key_heads": 2},
    {"heads": 1, "dim": 12, "hidden": 7},
    {"base": 100.0, "eps": 1e-2},
]
DISTANCES = [
    number
    for number, parts in enumerate(PARTS)
    if parts.get("positions") in ("rotary", "alibi", "relative", "none")
]
"""Parts that tell places by distances, as a memory needs."""

HEADS: list[config.Head] = [
    config.MaskedWords(),
    config.Classes(count=3),
    config.Spans(),
    config.Vector(),
    config.Classes(count=2, pooling="class"),
    config.Vector(pooling="class"),
    config.Classes(count=2, pooling="last"),
    config.Vector(pooling="last"),
]
TIES = ["all", "target", "none"]
MODELS = [
    (parts, tie) for number, parts in enumerate(PARTS) for tie in (TIES if number < 2 else [TIES[number % 3]])
]


def shaken(settings: config.Family) -> Any:
    """A model in which nothing is zero or one that training would move from there."""
    model = build(settings)
    with torch.no_grad():
        for name, p in model.named_parameters():
            if p.ndim == 1 or name.endswith("bias.table"):
                p.add_(0.1 * torch.randn_like(p))
    return model


def tiny(tie: str = "all", **parts: Any) -> config.Seq2Seq:
    block = config.Block(**{"dim": 16, "heads": 4, "hidden": 24, "dropout": 0.2, **parts})
    return config.Seq2Seq(
        block=block,
        encoder_depth=1,
        decoder_depth=2,
        max_length=40,
        vocab=29,
        tie=tie,  # pyright: ignore
    )


def small(family: type, parts: dict[str, Any], number: int) -> config.Family:
    """A decoder or encoder of these parts; what is the family's own takes turns."""
    block = config.Block(**{"dim": 16, "heads": 4, "hidden": 24, "dropout": 0.2, **parts})
    embedding: Any = ("scaled", "plain", "normed")[number % 3]
    if family is config.Decoder:
        tie: Any = ("embedding", "none")[number % 2]
        biases: Any = ("all", "all", "none")[number % 3]
        return config.Decoder(
            block=block,
            depth=2,
            tie=tie,
            biases=biases,
            embedding=embedding,
            conv_size=(4, 0)[number % 2],
            max_length=60,
            vocab=29,
        )
    return config.Encoder(
        block=block,
        depth=2,
        head=HEADS[number % len(HEADS)],
        embedding=embedding,
        segments=number % 2,
        conv_size=(0, 3)[number % 2],
        max_length=40,
        vocab=29,
    )


def named(value: Any) -> str:
    if isinstance(value, str):
        return value
    return " ".join(map(str, itertools.chain(*value.items()))) or "default"


def test_every_family_is_proven_here() -> None:
    proven = {config.Seq2Seq, config.Decoder, config.Encoder, config.Vision, config.MaskedImage}
    proven |= {config.VAE, config.VQ, config.CodePrior, config.TextVAE}
    assert set(FAMILIES) == proven


@pytest.mark.parametrize(("parts", "tie"), MODELS, ids=named)
def test_every_promise_is_kept(parts: dict[str, Any], tie: str) -> None:
    model = shaken(tiny(tie, **parts))
    rows, case = prove(model, seed=len(named(parts))), make_case(model, 0)
    assert [row.name for row in rows] == [check.name for check in CHECKS if check.concerns(case)]
    assert len(rows) == 22
    assert not [row for row in rows if not row.holds]


@pytest.mark.parametrize("family", [config.Decoder, config.Encoder])
@pytest.mark.parametrize("number", range(len(PARTS)), ids=[named(parts) for parts in PARTS])
def test_every_promise_is_kept_by_the_other_families(family: type, number: int) -> None:
    model = shaken(small(family, PARTS[number], number))
    rows = prove(model, seed=number)
    case = make_case(model, 0)
    assert [row.name for row in rows] == [check.name for check in CHECKS if check.concerns(case)]
    assert len(rows) == {config.Decoder: 17, config.Encoder: 13}[family]
    assert not [row for row in rows if not row.holds]


GRIDS = [
    config.Patches(size=(6, 8), channels=3, patch=(2,)),
    config.Patches(size=(12,), channels=1, patch=(3,)),
    config.Patches(size=(4, 4, 6), channels=2, patch=(2, 2, 3)),
]
GRID_PARTS: list[dict[str, Any]] = [
    {"positions": "learned"},
    {"positions": "sinusoidal", "norm_order": "post", "activation": "gelu"},
    {"positions": "rotary", "heads": 2, "key_heads": 1, "norm": "rms", "activation": "swiglu"},
    {"positions": "none", "norm": "std"},
]
GRID_HEADS: list[Any] = [
    config.LinearClasses(count=3),
    config.LinearClasses(count=2, pooling="mean"),
    config.Vector(pooling="class"),
    config.Vector(pooling="mean"),
]


@pytest.mark.parametrize("axes", range(3), ids=["picture", "signal", "video"])
@pytest.mark.parametrize("number", range(4), ids=[named(parts) for parts in GRID_PARTS])
def test_every_promise_is_kept_by_models_of_grids(number: int, axes: int) -> None:
    block = config.Block(**{"dim": 16, "heads": 4, "hidden": 24, "dropout": 0.2, **GRID_PARTS[number]})
    parts: dict[str, Any] = {"depth": 2, "patches": GRIDS[axes], "leading": 1 + number % 2}
    parts["stochastic_depth"] = 0.3 * (number % 2)
    target: Any = ("normalised", "pixels")[number % 2]
    conv_size = (0, 3)[(number + axes) % 2]
    embedding: Any = ("linear", "stem", "deep-stem")[(number + axes) % 3]
    seen = parts | {"patches": dataclasses.replace(GRIDS[axes], embedding=embedding)}
    settings = [
        config.Vision(block=block, head=GRID_HEADS[(number + axes) % 4], conv_size=conv_size, **seen),
        config.MaskedImage(block=block, decoder_block=block, target=target, **parts),
    ]
    for made, checks in zip(settings, (11, 11), strict=True):
        model = shaken(made)
        rows, case = prove(model, seed=number), make_case(model, 0)
        assert [row.name for row in rows] == [check.name for check in CHECKS if check.concerns(case)]
        assert len(rows) == checks
        assert not [row for row in rows if not row.holds]


@pytest.mark.parametrize("number", DISTANCES, ids=[named(PARTS[number]) for number in DISTANCES])
def test_every_promise_is_kept_by_a_decoder_with_memory(number: int) -> None:
    settings = dataclasses.replace(small(config.Decoder, PARTS[number], number), memory=20)
    rows = prove(shaken(settings), seed=number)
    assert "carried = at once" in [row.name for row in rows]
    assert len(rows) == 18
    assert not [row for row in rows if not row.holds]


LATENT_PARTS: list[dict[str, Any]] = [
    {},
    {"widths": ()},
    {"shape": (11,), "likelihood": "gaussian", "noise": "each", "activation": "tanh"},
    {"latents": (3, 2), "activation": "gelu", "classes": 3},
    {"latents": (2, 3, 2), "net": "convolutional", "widths": (4, 6)},
    {"prior": "vamp", "components": 7, "latents": (3, 2)},
    {"shape": (3, 5, 8), "net": "convolutional", "widths": (4, 6), "classes": 4},
    {"likelihood": "logistic", "levels": 4, "activation": "silu"},
    {"likelihood": "categorical", "levels": 4},
    {"shape": (3, 4, 8), "net": "transformer", "widths": (8, 8), "classes": 4},
]


@pytest.mark.parametrize("parts", LATENT_PARTS, ids=named)
def test_every_promise_is_kept_by_models_with_latent_variables(parts: dict[str, Any]) -> None:
    model = shaken(config.VAE(**{"shape": (1, 7, 6), "latents": (5,), "widths": (12,), **parts}))
    rows, case = prove(model, seed=len(named(parts))), make_case(model, 0)
    assert [row.name for row in rows] == [check.name for check in CHECKS if check.concerns(case)]
    assert len(rows) == 7
    assert not [row for row in rows if not row.holds]


CODED_PARTS: list[dict[str, Any]] = [
    {},
    {"net": "transformer", "widths": (8, 8), "shape": (1, 4, 8)},
    {"likelihood": "categorical", "levels": 4, "shape": (3, 5, 8)},
    {"likelihood": "logistic", "noise": "each", "levels": 4, "commitment": 2.0},
]


@pytest.mark.parametrize("parts", CODED_PARTS, ids=named)
def test_every_promise_is_kept_by_models_of_codes(parts: dict[str, Any]) -> None:
    model = shaken(config.VQ(**{"shape": (1, 7, 6), "codes": 9, "dim": 5, "widths": (6, 8), **parts}))
    rows, case = prove(model, seed=len(named(parts))), make_case(model, 0)
    assert [row.name for row in rows] == [check.name for check in CHECKS if check.concerns(case)]
    assert len(rows) == 7
    assert not [row for row in rows if not row.holds]


@pytest.mark.parametrize("classes", [0, 3])
def test_every_promise_is_kept_by_priors_of_codes(classes: int) -> None:
    block = config.Block(dim=16, heads=4, hidden=24, positions="learned")
    vq = config.VQ(shape=(1, 7, 6), codes=9, dim=5, widths=(6, 8))
    model = shaken(config.CodePrior(vq=vq, classes=classes, block=block, depth=2))
    rows, case = prove(model, seed=classes), make_case(model, 0)
    assert [row.name for row in rows] == [check.name for check in CHECKS if check.concerns(case)]
    assert len(rows) == 9
    assert not [row for row in rows if not row.holds]


@pytest.mark.parametrize("number", [0, 1, 3, 6, 8], ids=lambda number: named(PARTS[number]))
def test_every_promise_is_kept_by_text_vaes(number: int) -> None:
    block = config.Block(**{"dim": 16, "heads": 4, "hidden": 24, "dropout": 0.2, **PARTS[number]})
    model = shaken(config.TextVAE(block=block, latents=(3,), max_length=40, vocab=29))
    rows, case = prove(model, seed=number), make_case(model, 0)
    assert [row.name for row in rows] == [check.name for check in CHECKS if check.concerns(case)]
    assert len(rows) == 6
    assert not [row for row in rows if not row.holds]


def test_proving_changes_nothing() -> None:
    model = shaken(tiny()).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    first = prove(model, seed=3)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert all(p.grad is None for p in model.parameters())
    assert prove(model, seed=3) == first


def test_a_model_in_bf16_is_refused() -> None:
    with pytest.raises(ValueError, match="prove the model in fp32"):
        prove(build(tiny()).to(torch.bfloat16))


def test_the_smallest_model_there_is() -> None:
    block = config.Block(dim=2, heads=1, hidden=1, positions="learned")
    settings = config.Seq2Seq(block=block, encoder_depth=1, decoder_depth=1, vocab=6, max_length=12)
    assert not [row for row in prove(build(settings)) if not row.holds]


def test_the_cases_differ_from_seed_to_seed_and_fit_the_model() -> None:
    model = build(tiny(window=3))
    one, other = make_case(model, 0), make_case(model, 1)
    assert one.pairs.sources.lengths.tolist() != other.pairs.sources.lengths.tolist()
    for case in (one, other):
        assert case.pairs.sources.lengths.min() == 1
        assert case.pairs.sources.lengths.max() > 4 * 3
        assert int(case.batch.source.max()) < 29


def test_what_is_not_a_number_does_not_hold() -> None:
    assert not Row("x", float("nan"), 1.0).holds
    assert difference(torch.tensor([1.0, torch.nan]), torch.ones(2)) == float("inf")
    assert difference(torch.zeros(0), torch.zeros(0)) == 0.0
    assert difference(torch.tensor([0.5]), torch.tensor([0.25])) == 0.25
    assert difference(torch.tensor([200.0]), torch.tensor([100.0])) == 1.0


COMPILED = """
import torch
from qkvae import config
from qkvae.models import build
from qkvae.prove import make_case
from qkvae.prove.rows import difference

block = config.Block(dim=16, heads=4, hidden=24, {parts})
model = build(config.Seq2Seq(block=block, encoder_depth=1, decoder_depth=2, vocab=29)).eval()
batch = make_case(model, 0).batch
logits = [f(batch.source, batch.target_in, batch.source_lengths) for f in (torch.compile(model), model)]
gradients = [torch.autograd.grad(x.square().mean(), list(model.parameters())) for x in logits]
print(max(difference(*pair) for pair in [logits, *zip(*gradients)]))
"""


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "parts", ["", "positions='rotary', key_heads=2, activation='swiglu'", "activation='relu2'"]
)
def test_compiled_is_eager(parts: str) -> None:
    """Values and gradients, where there is a compiler; in a process whose signatures are not checked."""
    script = [sys.executable, "-c", COMPILED.format(parts=parts)]
    done = subprocess.run(script, capture_output=True, text=True, encoding="utf-8", check=False)
    if "compiler" in done.stderr.lower() and done.returncode:
        pytest.skip("there is no compiler for torch.compile here")
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) < 1e-5
