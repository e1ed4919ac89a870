"""The encoder-only model and its heads: padded, packed and alone are the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_families import POSITIONS, VOCAB, packed, small_encoder, texts
from torch.testing import assert_close

from qkvae import config
from qkvae.models import build

CLOSE = {"rtol": 0, "atol": 1e-5}
HEADS = [
    config.MaskedWords(),
    config.Spans(),
    config.Vector(pooling="mean"),
    config.Vector(pooling="class"),
    config.Vector(pooling="last"),
    config.Classes(count=3, pooling="mean"),
    config.Classes(count=1, pooling="class"),
]


@pytest.mark.parametrize("positions", POSITIONS)
@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("conv_size", [0, 5])
@torch.no_grad()
def test_packed_and_padded_features_are_those_of_each_text_alone(
    positions: str, window: int | None, conv_size: int
) -> None:
    model = small_encoder(positions=positions, window=window, conv_size=conv_size)
    rows = texts(5, 1, 9, 3)
    alone = [model.features(row[None])[0] for row in rows]
    for padding in ((0, 0), (2, 4)):
        tokens, documents = packed(rows, padding)
        found = model.features(tokens, documents=documents)[0, padding[0] : tokens.shape[1] - padding[1]]
        assert_close(found, torch.cat(alone), **CLOSE)
    padded = torch.randint(VOCAB, (4, 12))
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    found = model.features(padded, torch.tensor([5, 1, 9, 3]))
    for row, each in zip(found, alone, strict=True):
        assert_close(row[: len(each)], each, **CLOSE)


@torch.no_grad()
def test_documents_and_lengths_may_be_told_both() -> None:
    model = small_encoder(conv_size=3)
    tokens, documents = packed(texts(5, 3, 4), (0, 2))
    lengths = torch.tensor([12])
    found = model.features(tokens, lengths, documents=documents)[0, :12]
    assert_close(found, model.features(tokens, documents=documents)[0, :12], **CLOSE)
    with pytest.raises(ValueError, match="conv_size is 4, but must be odd, as many on each side: use 5"):
        config.Encoder(conv_size=4)


@pytest.mark.parametrize("head", HEADS, ids=str)
@torch.no_grad()
def test_a_head_answers_for_each_text_alone_padded_and_packed(head: Any) -> None:
    model = small_encoder(head, positions="learned")
    rows = texts(5, 1, 9, 3)
    lengths = torch.tensor([5, 1, 9, 3])
    alone = [model(row[None])[0] for row in rows]
    padded = torch.randint(VOCAB, (4, 12))
    for number, row in enumerate(rows):
        padded[number, : len(row)] = row
    tokens, documents = packed(rows, (1, 2))
    found, together = model(padded, lengths), model(tokens, documents=documents)
    if isinstance(head, config.Classes | config.Vector):
        assert_close(found, torch.stack(alone), **CLOSE)
        assert_close(together, torch.stack(alone), **CLOSE)
    else:
        for row, each in zip(found, alone, strict=True):
            assert_close(row[: len(each)], each, **CLOSE)
        assert_close(together[0, 1:-2], torch.cat(alone), **CLOSE)


@torch.no_grad()
@pytest.mark.parametrize("pooling", ["mean", "class", "last"])
def test_packed_texts_of_several_rows_come_as_they_stand(pooling: Any) -> None:
    model = small_encoder(config.Vector(pooling=pooling), positions="rotary")
    rows = texts(3, 4, 2, 5)
    tokens = torch.stack([torch.cat([rows[0], rows[2], rows[0][:2]]), torch.cat([rows[3], rows[2]])])
    documents = torch.tensor([[0, 0, 0, 1, 1, -1, -1], [0, 0, 0, 0, 0, 1, 1]])
    expected = torch.cat([model(rows[i][None]) for i in (0, 2, 3, 2)])
    assert_close(model(tokens, documents=documents), expected, **CLOSE)


@torch.no_grad()
def test_segments_are_told_or_all_the_first() -> None:
    model, tokens = small_encoder(segments=2), torch.randint(VOCAB, (2, 6))
    first, second = torch.zeros_like(tokens), torch.tensor([[0, 0, 0, 1, 1, 1]]).expand(2, -1)
    assert_close(model(tokens), model(tokens, segments=first))
    assert not torch.allclose(model(tokens), model(tokens, segments=second))
    with pytest.raises(ValueError, match="made with segments 0"):
        small_encoder()(tokens, segments=first)


def test_the_head_that_predicts_tokens_shares_the_embeddings_matrix() -> None:
    model = small_encoder()
    assert model.head.weight is model.input.embedding.weight
    features = torch.randn(2, 5, 16)
    expected = model.head.hidden(features) @ model.input.embedding.weight.T + model.head.bias
    assert_close(model.head(features), expected)
    assert sum(p.numel() for name, p in model.named_parameters() if name.startswith("head")) == (
        16 * 16 + 16 + 16 + 16 + VOCAB
    )


def test_forward_is_the_head_of_the_features() -> None:
    for head in HEADS:
        model, tokens, lengths = small_encoder(head), torch.randint(VOCAB, (2, 6)), torch.tensor([6, 2])
        assert torch.equal(model(tokens, lengths), model.head(model.features(tokens, lengths), lengths))


def test_what_is_not_known_yet_is_refused() -> None:
    with pytest.raises(ValueError, match="vocab is 0"):
        build(config.Encoder())
    with pytest.raises(ValueError, match="count is 0"):
        build(config.Encoder(vocab=9, head=config.Classes()))


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_settings_are_written_and_read_back(head: Any) -> None:
    settings = config.Encoder(head=head, segments=2, vocab=7)
    assert config.from_dict(config.Encoder, config.to_dict(settings)) == settings
    with pytest.raises(ValueError, match=r'head.kind is "Class": did you mean "Classes"'):
        config.from_dict(config.Encoder, {"head": {"kind": "Class"}})
