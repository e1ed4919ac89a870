"""8-bit products: near the model's own answers, and as independent of their neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from small_models import sentences
from torch import nn

from qkvae.config import Block, Decoder, Generation, Seq2Seq
from qkvae.config.generation import Precision
from qkvae.generate import generate
from qkvae.generate import quick as quick_module
from qkvae.generate.products import Bf16Linear, Int4Linear, Int8Linear, Product
from qkvae.generate.quick import quick
from qkvae.models import build


def test_large_matrices_are_rounded_and_the_model_stays_as_it_is() -> None:
    settings = Seq2Seq(block=Block(dim=256, heads=2, hidden=512), encoder_depth=1, decoder_depth=1, vocab=600)
    model = build(settings)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    ready = quick(model, "int8")
    kinds = {name for name, part in ready.named_modules() if isinstance(part, Int8Linear)}
    assert "head" in kinds
    assert "decoder.blocks.0.feedforward.up" in kinds
    assert "decoder.blocks.0.attention.output" in kinds
    assert not rounded(quick(model, "auto", 4))  # small ones only pay with many rows
    narrow = build(
        Seq2Seq(block=Block(dim=128, heads=2, hidden=384), encoder_depth=1, decoder_depth=1, vocab=900)
    )
    assert not rounded(quick(narrow, "auto", 32))
    assert rounded(quick(narrow, "int8").head)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    inputs = sentences(9, vocab=600)
    answers = generate(ready, inputs, Generation(beam=3, batch=4))
    for source, together in zip(inputs, answers, strict=True):
        alone = generate(ready, [source], Generation(beam=3))[0]
        assert [each.ids for each in alone] == [each.ids for each in together]
    with torch.no_grad():
        source, target = torch.randint(4, 600, (3, 8)), torch.randint(4, 600, (3, 6))
        exact, found = model.eval()(source, target), ready(source, target)
    assert float((found - exact).std() / exact.std()) < 0.03


def small_model(vocab: int = 600) -> Any:
    return build(Seq2Seq(block=Block(dim=256, heads=2), encoder_depth=1, decoder_depth=1, vocab=vocab)).eval()


def test_in_fp32_the_numbers_are_the_same_and_what_can_be_is_shared() -> None:
    model = small_model()
    ready = quick(model, "fp32")
    assert not any(isinstance(part, Int8Linear) for part in ready.modules())
    assert ready.source_embedding.weight is model.source_embedding.weight
    assert all(torch.equal(p, model.state_dict()[name]) for name, p in ready.state_dict().items())
    source, target = torch.randint(4, 600, (3, 8)), torch.randint(4, 600, (3, 6))
    with torch.no_grad():
        torch.testing.assert_close(ready(source, target), model(source, target), rtol=0, atol=1e-5)
    assert quick(ready, "auto") is ready
    assert quick(ready, "fp32") is ready


def rounded(model: nn.Module) -> bool:
    return any(isinstance(part, Int8Linear) for part in model.modules())


@pytest.fixture
def processor(monkeypatch: pytest.MonkeyPatch) -> Callable[[bool, bool, bool], None]:
    """A processor that has or has not: 8-bit dot products, exact ones, matrix tiles."""

    def make(dot_products: bool, exact: bool, tiles: bool) -> None:
        monkeypatch.setattr(quick_module, "has_dot_products", lambda: dot_products)
        monkeypatch.setattr(quick_module, "_products_are_exact", lambda: exact)
        monkeypatch.setattr(quick_module, "tiles_work", lambda: tiles)

    return make


def kinds(model: nn.Module) -> set[type[Product]]:
    return {type(part) for part in model.modules() if isinstance(part, Product)}


def test_auto_rounds_where_that_is_quick_and_exact(processor: Callable[[bool, bool, bool], None]) -> None:
    processor(True, True, False)
    assert kinds(quick(small_model(), "auto", 32)) == {Int8Linear}
    assert not kinds(quick(small_model(), "fp32"))
    processor(True, False, False)
    assert not kinds(quick(small_model(), "auto", 32))
    with pytest.raises(ValueError, match="8-bit products are not exact: use auto"):
        quick(small_model(), "int8")
    processor(False, True, False)
    assert not kinds(quick(small_model(), "auto", 32))
    assert kinds(quick(small_model(), "int8")) == {Int8Linear}


def test_auto_takes_what_is_quick_for_so_many_rows(processor: Callable[[bool, bool, bool], None]) -> None:
    processor(True, True, True)
    assert kinds(quick(small_model(), "auto", 9)) == {Bf16Linear}
    for rows in (8, None):
        few = quick(small_model(4000), "auto", rows)
        assert isinstance(few.head, Int8Linear)  # a large matrix
        assert not kinds(few.decoder)


def test_4_bits_leave_the_vocabulary_8() -> None:
    ready = quick(small_model(), "int4")
    assert isinstance(ready.head, Int8Linear)
    assert isinstance(ready.decoder.blocks[0].feedforward.up, Int4Linear)


@pytest.mark.parametrize(
    ("precision", "rows", "error"), [("bf16", 64, 0.02), ("int8", 2, 0.03), ("int4", 2, 0.25)]
)
def test_answers_are_near_those_of_the_model(precision: Precision, rows: int, error: float) -> None:
    model = small_model()
    source, target = torch.randint(4, 600, (3, 8)), torch.randint(4, 600, (3, 6))
    with torch.no_grad():
        exact, found = model(source, target), quick(model, precision, rows)(source, target)
    assert 0 < float((found - exact).std() / exact.std()) < error


def test_what_cannot_be_rounded_is_left_alone_or_refused() -> None:
    half = small_model().bfloat16()
    assert quick(half, "auto") is half
    with pytest.raises(ValueError, match=r"but this model is torch\.bfloat16 on cpu: use auto"):
        quick(half, "int8")
    small = build(Seq2Seq(block=Block(dim=8, heads=2), encoder_depth=1, decoder_depth=1, vocab=10))
    with pytest.raises(ValueError, match="int8 has no effect: the model has no matrix of 65,536 weights or"):
        quick(small, "int8")
    with pytest.raises(ValueError, match="precision int8, but the model was made ready in fp32"):
        quick(quick(small_model(), "fp32"), "int8")


def test_the_setting_reaches_the_products(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    product = Int8Linear.forward
    monkeypatch.setattr(Int8Linear, "forward", lambda self, x: asked.append("int8") or product(self, x))
    generate(small_model(4000), [[5, 6]], Generation(beam=1, max_length=1, precision="fp32"))
    assert not asked
    generate(small_model(4000), [[5, 6]], Generation(beam=1, max_length=1, precision="int8"))
    assert asked


def test_a_decoder_with_rounded_products_writes() -> None:
    settings = Decoder(block=Block(dim=256, heads=4, positions="rotary"), depth=1, vocab=600)
    model = build(settings).eval()
    ready = quick(model, "int8")
    assert rounded(ready.head)
    prompt, token = torch.randint(4, 600, (2, 5)), torch.tensor([7, 8])
    with torch.inference_mode():
        exact, found = (each.step(token, each.start(prompt)) for each in (model, ready))
    assert float((found - exact).std() / exact.std()) < 0.03
