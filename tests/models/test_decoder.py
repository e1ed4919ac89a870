"""The decoder-only model: packed documents, prompts of any lengths, a cache, carried keys and values."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from small_families import DISTANCES, POSITIONS, VOCAB, packed, small_decoder, texts
from torch import Tensor
from torch.testing import assert_close

from qkvae import config
from qkvae.models import Decoder, build
from qkvae.nn.masks import Mask

CLOSE = {"rtol": 0, "atol": 1e-5}
KINDS = pytest.mark.parametrize("positions", POSITIONS)
WINDOWS = pytest.mark.parametrize("window", [None, 2])
CONV = pytest.mark.parametrize("conv_size", [0, 4])


@KINDS
@WINDOWS
@CONV
@pytest.mark.parametrize("padding", [(0, 0), (3, 2)])
@torch.no_grad()
def test_packed_documents_are_as_each_alone(
    positions: str, window: int | None, conv_size: int, padding: tuple[int, int]
) -> None:
    model = small_decoder(positions=positions, window=window, conv_size=conv_size)
    rows = texts(5, 1, 9, 3)
    tokens, documents = packed(rows, padding)
    found = model.features(tokens, documents)[0, padding[0] : tokens.shape[1] - padding[1]]
    assert_close(found, torch.cat([model.features(row[None])[0] for row in rows]), **CLOSE)


@torch.no_grad()
def test_a_packed_row_may_be_longer_than_learned_positions() -> None:
    model = small_decoder(positions="learned")
    rows = texts(30, 25)
    tokens, documents = packed(rows, (0, 50))
    found = model.features(tokens, documents)[0, 30:55]
    assert_close(found, model.features(rows[1][None])[0], **CLOSE)
    with pytest.raises(ValueError, match="55 tokens, but learned positions were made for 40"):
        model.features(tokens, torch.zeros_like(tokens).masked_fill(documents < 0, -1))


@KINDS
@WINDOWS
@CONV
@torch.no_grad()
def test_every_step_with_a_cache_is_the_whole_text_without(
    positions: str, window: int | None, conv_size: int
) -> None:
    """Prompts of different lengths in one batch, two hypotheses each, which change places and are dropped."""
    model = small_decoder(positions=positions, window=window, conv_size=conv_size, key_heads=2)
    prompts, steps = texts(6, 1, 4), 7
    lengths = torch.tensor([len(prompt) for prompt in prompts])
    rows = torch.stack([torch.cat([p, torch.randint(VOCAB, (6 - len(p),))]) for p in prompts])
    cache = model.start(rows, lengths, beam=2, capacity=1)
    written = [torch.cat([prompt]) for prompt in prompts for _ in range(2)]
    for step in range(steps):
        tokens = torch.randint(VOCAB, (len(written),))
        written = [torch.cat([row, token[None]]) for row, token in zip(written, tokens, strict=True)]
        found = model.step(tokens, cache)
        assert_close(found, torch.stack([model(row[None])[0, -1] for row in written]), **CLOSE)
        if step == 2:
            cache.reorder(torch.tensor([1, 1, 2, 3, 5, 4]))
            written = [written[row] for row in (1, 1, 2, 3, 5, 4)]
        if step == 4:
            cache.keep(torch.tensor([0, 2]))
            written = [written[row] for row in (0, 1, 4, 5)]


@CONV
@torch.no_grad()
def test_an_empty_prompt_begins_a_text(conv_size: int) -> None:
    model = small_decoder(conv_size=conv_size)
    begin = torch.tensor([1, 1])
    expected = model(begin[:1, None])[:, 0].expand(2, -1)
    assert_close(model.step(begin, model.start(torch.empty(2, 0, dtype=torch.long))), expected, **CLOSE)
    mixed = model.start(torch.tensor([[7, 8, 9], [3, 3, 3]]), torch.tensor([3, 0]))
    assert_close(model.step(begin, mixed)[1:], expected[1:], **CLOSE)


@KINDS
@CONV
def test_no_token_looks_ahead(positions: str, conv_size: int) -> None:
    model = small_decoder(positions=positions, conv_size=conv_size)
    leaves: list[Tensor] = []

    def cut(x: Tensor) -> Tensor:
        leaves.append(x.detach().requires_grad_())
        return leaves[-1]

    model.input.looked_up.listener = cut
    logits = model(torch.randint(VOCAB, (2, 9)))
    (gradient,) = torch.autograd.grad(logits[:, 4].square().sum(), leaves)
    assert bool((gradient[:, 5:] == 0).all())
    assert bool((gradient[:, :5] != 0).any(-1).all())


def segments(model: Decoder, tokens: Tensor, *lengths: int, documents: Tensor | None = None) -> Tensor:
    """The features of a text read in segments, with what is carried between them."""
    carried = model.carry()
    told = [None] * len(lengths) if documents is None else documents.split(lengths, 1)
    parts = zip(tokens.split(lengths, 1), told, strict=True)
    return torch.cat([model.features(part, each, carried) for part, each in parts], 1)


@torch.no_grad()
def test_reading_nothing_changes_nothing() -> None:
    model, (text,) = small_decoder(conv_size=4), texts(7)
    cache = model.start(text[None, :4])
    assert model.read_on(text[None, :0], cache).shape[1] == 0
    assert_close(model.read_on(text[None, 4:], cache), model.features(text[None])[:, 4:], **CLOSE)


@CONV
@torch.no_grad()
def test_tokens_taken_back_are_as_if_they_had_not_been_read(conv_size: int) -> None:
    model, (text, other) = small_decoder(conv_size=conv_size), texts(9, 6)
    cache = model.start(text[None, :4])
    model.read_on(other[None], cache)
    cache.back_to(3)
    assert_close(model.read_on(text[None, 3:], cache), model.features(text[None])[:, 3:], **CLOSE)


@pytest.mark.parametrize("positions", DISTANCES)
@WINDOWS
@CONV
@torch.no_grad()
def test_segments_with_enough_memory_are_one_long_text(
    positions: str, window: int | None, conv_size: int
) -> None:
    model = small_decoder(memory=100, positions=positions, window=window, conv_size=conv_size, key_heads=2)
    tokens = torch.randint(VOCAB, (2, 30))
    assert_close(segments(model, tokens, 11, 8, 1, 10), model.features(tokens), **CLOSE)


@pytest.mark.parametrize("positions", DISTANCES)
@torch.no_grad()
def test_a_short_memory_is_a_restricted_view(positions: str) -> None:
    """What is carried is what a pass over the whole text has, each token seeing what its segment sees."""
    model, lengths, memory = small_decoder(memory=5, positions=positions), (8, 3, 7, 9), 5
    tokens = torch.randint(VOCAB, (2, sum(lengths)))
    begin = torch.tensor([0, 8, 11, 18]).repeat_interleave(torch.tensor(lengths))
    place = torch.arange(len(begin))
    allowed = (place <= place[:, None]) & (place >= begin[:, None] - memory)

    class Restricted(Mask):
        def allowed(self, n: int, m: int, offset: int = 0, device: Any = None) -> Tensor:
            return allowed[None, None]

    found = segments(model, tokens, *lengths)
    model.mask = Restricted(window=100)  # whose kernel asks for the table
    assert_close(found, model.features(tokens), **CLOSE)


@CONV
@torch.no_grad()
def test_documents_go_on_through_segments(conv_size: int) -> None:
    model = small_decoder(memory=12, positions="rotary", conv_size=conv_size)
    tokens = torch.randint(VOCAB, (1, 24))
    documents = torch.tensor([0] * 9 + [1] * 8 + [2] * 7)[None]
    found = segments(model, tokens, 6, 6, 6, 6, documents=documents)
    assert_close(found, model.features(tokens, documents), **CLOSE)
    carried = model.carry()
    model.features(tokens, documents, carried)
    with pytest.raises(ValueError, match="documents are told of some segments only"):
        model.features(tokens, None, carried)


@CONV
def test_gradients_reach_one_segment_only(conv_size: int) -> None:
    """Through what attention remembers; the neighbours of its first tokens are looked up anew."""
    model = small_decoder(memory=8, positions="rotary", conv_size=conv_size).train()
    leaves: list[Tensor] = []
    model.input.embedded.listener = lambda x: leaves.append(x.detach().requires_grad_()) or leaves[-1]
    carried = model.carry()
    model.features(torch.randint(VOCAB, (1, 6)), carried=carried)
    loss = model.features(torch.randint(VOCAB, (1, 6)), carried=carried).square().sum()
    earlier, own = torch.autograd.grad(loss, leaves, allow_unused=True)
    assert earlier is None
    assert bool((own != 0).any())
    with pytest.raises(ValueError, match="2 rows cannot continue 1"):
        model.features(torch.randint(VOCAB, (2, 6)), carried=carried)


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="memory is 9, but learned positions"):
        config.Decoder(memory=9, block=config.Block(positions="learned"))
    with pytest.raises(ValueError, match="memory is 2, but conv_size is 4, which looks 3 tokens back"):
        config.Decoder(memory=2, conv_size=4, block=config.Block(positions="rotary"))
    with pytest.raises(ValueError, match="vocab is 0"):
        build(config.Decoder())
    with pytest.raises(ValueError, match="carries nothing"):
        small_decoder().carry()


def test_without_biases_there_are_none_but_the_norms() -> None:
    block = config.Block(dim=16, heads=4, hidden=24, norm="rms", activation="swiglu", positions="rotary")
    model = build(config.Decoder(block=block, depth=1, biases="none", vocab=VOCAB))
    assert not [name for name, _ in model.named_parameters() if name.endswith("bias")]
    assert model(torch.randint(VOCAB, (1, 3))).isfinite().all()


def test_tied_or_not() -> None:
    tied, own = small_decoder(tie="embedding"), small_decoder(tie="none")
    assert tied.head.weight is tied.input.embedding.weight
    assert own.head.weight is not own.input.embedding.weight


@torch.no_grad()
def test_what_the_input_is_made_of() -> None:
    tokens = torch.tensor([[3, 4]])
    scaled, plain, normed = (
        small_decoder(positions="none", embedding=e) for e in ("scaled", "plain", "normed")
    )
    assert_close(scaled.input(tokens), 4 * scaled.input.embedding.weight[3:5][None])
    assert_close(plain.input(tokens), plain.input.embedding.weight[3:5][None])
    assert_close(normed.input(tokens), normed.input.norm(normed.input.embedding.weight[3:5][None]))
