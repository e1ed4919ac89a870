"""Vectors of texts and tokens: each as if its text had been read alone, averaged by hand."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from qkvae import config
from qkvae.data.tokenizer import BOS, EOS, Tokenizer
from qkvae.models import build
from qkvae.tasks.embedder import Embedder

TEXTS = ["two dogs play", "a cat", "", "dogs and cats and dogs play with a cat in two houses", "play"]
TOKENIZER = Tokenizer.train(TEXTS * 2, "bpe", 300, exact=False)
BLOCK = config.Block(dim=16, heads=2, hidden=32)
FAMILIES: dict[str, config.Family] = {
    "encoder": config.Encoder(block=BLOCK, depth=2, vocab=len(TOKENIZER), max_length=40),
    "first token": config.Encoder(
        block=BLOCK, depth=2, head=config.Vector(pooling="class"), vocab=len(TOKENIZER), max_length=40
    ),
    "pairs": config.Encoder(
        block=BLOCK, depth=1, head=config.Classes(count=2), segments=2, vocab=len(TOKENIZER), max_length=40
    ),
    "decoder": config.Decoder(block=BLOCK, depth=2, vocab=len(TOKENIZER), max_length=40),
    "seq2seq": config.Seq2Seq(
        block=BLOCK, encoder_depth=2, decoder_depth=1, vocab=len(TOKENIZER), max_length=40
    ),
}


def embedder(family: str, longest: int = 40) -> Embedder:
    torch.manual_seed(0)
    return Embedder(build(FAMILIES[family]).eval(), TOKENIZER, longest)


def read_alone(family: str, model: Any, text: str) -> Any:
    """The features of every token that is read, [tokens, dim]."""
    ids = TOKENIZER.encode(text)
    framed = {"decoder": [BOS, *ids], "seq2seq": [*ids, EOS]}.get(family, [BOS, *ids, EOS])
    read = model.encode if family == "seq2seq" else model.features
    with torch.no_grad():
        return read(torch.tensor([framed]))[0].numpy()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_vector_is_that_of_the_text_alone(family: str) -> None:
    made = embedder(family)
    matrices = {pool: made.texts(TEXTS, pool)[0] for pool in ("mean", "last")}
    by_token = made.tokens(TEXTS)
    begin = 0 if family == "seq2seq" else 1
    for place, text in enumerate(TEXTS):
        assert "".join(by_token[place].tokens).replace("▁", " ").strip() == text
        if not text:
            assert not matrices["mean"][place].any()
            continue
        alone = read_alone(family, made.model, text)
        np.testing.assert_allclose(matrices["mean"][place], alone.mean(0), atol=1e-5)
        np.testing.assert_allclose(matrices["last"][place], alone[-1], atol=1e-5)
        count = len(TOKENIZER.encode(text))
        np.testing.assert_allclose(by_token[place].matrix, alone[begin : begin + count], atol=1e-5)
        assert "".join(text[start:end] for start, end in by_token[place].places) == text


def test_the_heads_own_pooling_unless_another_is_asked_for() -> None:
    assert [embedder(family).pool for family in FAMILIES] == ["mean", "first", "mean", "mean", "mean"]
    made = embedder("first token")
    ids = torch.tensor([[BOS, *TOKENIZER.encode(TEXTS[0]), EOS]])
    with torch.no_grad():
        told = made.model(ids)[0].numpy()  # type: ignore[operator]
    np.testing.assert_allclose(made.texts(TEXTS[:1])[0][0], told, atol=1e-5)


def test_what_is_too_long_is_cut_and_said() -> None:
    made = embedder("encoder", longest=8)
    _, cut = made.texts(TEXTS)
    assert cut.tolist() == [len(TOKENIZER.encode(text)) > 6 for text in TEXTS]
    assert [each.cut for each in made.tokens(TEXTS)] == cut.tolist()
    assert max(len(each.tokens) for each in made.tokens(TEXTS)) == 6
    assert "2 texts have more than 8 tokens" in (made.said_of(2) or "")
    assert made.said_of(0) is None


@pytest.mark.parametrize("name", ["max_length", "length"])
def test_no_more_is_read_than_was_learned(name: str) -> None:
    model = embedder("decoder").model
    answerer = SimpleNamespace(model=model, tokenizer=TOKENIZER, begins=False)
    made = Embedder.of(answerer, SimpleNamespace(data=SimpleNamespace(**{name: 5})))
    assert made.longest == 5
    assert [len(each.tokens) for each in made.tokens(TEXTS)] == [
        min(5, len(TOKENIZER.encode(text))) for text in TEXTS
    ]


def test_the_nearest_text_is_the_text_itself() -> None:
    search = embedder("encoder").index([*TEXTS, TEXTS[0]])
    ((nearest, cosine), second), _ = search([TEXTS[0], TEXTS[4]], 2)
    assert nearest == TEXTS[0]
    assert cosine == pytest.approx(1)
    assert second[0] != TEXTS[0]
    assert second[1] < 1


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="first token of a decoder sees nothing"):
        embedder("decoder").texts(TEXTS, "first")
    with pytest.raises(ValueError, match='pool is "mena": did you mean "mean"'):
        embedder("encoder").texts(TEXTS, "mena")
    images = SimpleNamespace(model=embedder("encoder").model)
    with pytest.raises(ValueError, match="reads no text"):
        Embedder.of(images, None)
