"""Packed sentences: each is whole in one row and seen once an epoch; any batch is had by itself."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.corruption import Corruption
from qkvae.data.encoded import Sentences
from qkvae.data.even import first_fit
from qkvae.data.packed import PADDING, MaskedSentences, PackedBatch, PackedSentences, pack
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import PAD

FIRST, LAST = 1, 2
LENGTHS = st.lists(st.integers(0, 20), min_size=1, max_size=80)


def sentences(lengths: list[int], pairs: bool = False) -> Sentences:
    """Sentence i is made of the token 5 + i."""
    texts = Ragged.from_lists([[5 + i] * length for i, length in enumerate(lengths)])
    second = (
        Ragged.from_lists([[5 + i] * (length // 2) for i, length in enumerate(lengths)]) if pairs else None
    )
    return Sentences.framed(texts, second, first=FIRST, last=LAST)


def held(batch: PackedBatch) -> dict[int, list[int]]:
    """What each sentence of a batch reads, after checking that its document's number is its own."""
    length = batch.ids.shape[1]
    found: dict[int, list[int]] = {}
    for sentence, place in zip(batch.sentences.tolist(), batch.places.tolist(), strict=True):
        row, begin = divmod(place, length)
        own = batch.documents[row] == batch.documents[row, begin]
        assert own.nonzero()[0].item() == begin
        found[sentence] = batch.ids[row][own].tolist()
        assert batch.positions[row][own].tolist() == list(range(int(own.sum())))
    return found


@given(st.lists(st.tuples(st.text("abc", max_size=5), st.text("abcd", max_size=5)), min_size=1, max_size=5))
def test_a_token_that_stands_in_both_texts_is_told(pairs: list[tuple[str, str]]) -> None:
    texts, others = (Ragged.from_lists([[ord(x) for x in pair[side]] for pair in pairs]) for side in (0, 1))
    rows = Sentences.framed(texts, others, first=FIRST, last=LAST)
    found = Ragged.from_lengths(rows.kinds().astype(np.int32), rows.ids.lengths).to_lists()
    for (one, other), kinds in zip(pairs, found, strict=True):
        first, second = ([2 * (x in there) for x in here] for here, there in ((one, other), (other, one)))
        assert kinds == [0, *first, 0, *(1 + kind for kind in second), 1]


@settings(deadline=None)
@given(LENGTHS, st.booleans(), st.integers(40, 64))
def test_sentences_are_whole(lengths: list[int], pairs: bool, length: int) -> None:
    every = sentences(lengths, pairs)
    batch = pack(every, np.arange(len(every)), length)
    assert held(batch) == dict(enumerate(every.ids.to_lists()))
    padding = batch.documents == PADDING
    assert (batch.ids[padding] == PAD).all()
    assert batch.tokens == int(every.ids.lengths.sum()) == int((~padding).sum())
    seconds = (batch.segments % 2).sum().item()
    assert seconds == int((every.ids.lengths - every.second).sum())
    assert (batch.places[1:] > batch.places[:-1]).all()


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=200))
def test_first_fit_overlaps_nothing_and_wastes_little(lengths: list[int]) -> None:
    array = np.array(lengths, np.int64)
    row, begin, number, rows = first_fit(array, 30)
    cells = {(int(r), int(b) + at) for r, b, n in zip(row, begin, array, strict=True) for at in range(n)}
    assert len(cells) == array.sum()
    assert all(at < 30 for _, at in cells)
    assert set(row.tolist()) == set(range(rows))
    assert len(set(zip(row.tolist(), number.tolist(), strict=True))) == len(lengths)
    # the bound of first fit by decreasing length, against the least that any packing needs
    assert rows <= 11 / 9 * max(-(-int(array.sum()) // 30), (array > 15).sum()) + 4


def test_rows_of_real_lengths_are_nearly_full() -> None:
    lengths = np.clip(np.random.default_rng(0).lognormal(3, 0.5, 2000), 3, 120).astype(int)
    batches = PackedSentences(sentences(lengths.tolist()), length=128, tokens=4096, seed=0)
    fills = [batch.tokens / batch.ids.numel() for batch in itertools.islice(batches.stream(), 10)]
    assert min(fills) > 0.95


@settings(deadline=None, max_examples=50)
@given(LENGTHS, st.integers(20, 400), st.integers(0, 5))
def test_every_sentence_once_an_epoch(lengths: list[int], tokens: int, seed: int) -> None:
    every = sentences(lengths)
    batches = PackedSentences(every, 30, tokens, seed)
    for epoch in (0, 3):
        first = epoch * batches.batches_per_epoch
        parts = [batches[first + place] for place in range(batches.batches_per_epoch)]
        assert sorted(s for part in parts for s in part.sentences.tolist()) == list(range(len(every)))
        assert all(len(part.sentences) for part in parts)
        assert batches.epoch_of(first) == epoch
    assert sorted(s for part in batches.once() for s in part.sentences.tolist()) == list(range(len(every)))


def test_a_batch_is_had_without_those_before_it() -> None:
    every = sentences([n % 17 for n in range(300)])
    stream = PackedSentences(every, 32, 256, seed=3).stream()
    straight = list(itertools.islice(stream, 60))
    jumped = next(PackedSentences(every, 32, 256, seed=3).stream(57))
    for field in ("ids", "documents", "positions", "segments", "sentences", "places"):
        assert torch.equal(getattr(jumped, field), getattr(straight[57], field)), field
    other = PackedSentences(every, 32, 256, seed=4)[57]
    assert other.sentences.tolist() != straight[57].sentences.tolist()


def test_split_and_to() -> None:
    batch = PackedSentences(sentences([n % 17 for n in range(100)]), 32, 512, seed=0)[0]
    parts = batch.split(4)
    assert sum(part.tokens for part in parts) == batch.tokens
    assert {key: value for part in parts for key, value in held(part).items()} == held(batch)
    assert batch.to("meta").places.device.type == "meta"


def masked() -> MaskedSentences:
    every = PackedSentences(sentences([n % 17 for n in range(100)]), 32, 512, seed=0)
    return MaskedSentences(every, Corruption(mask=4, vocab=200, specials=(0, 1, 2, 3, 4)), seed=0)


def test_masked_batches() -> None:
    batch, plain = masked()[1], masked().batches[1]
    assert torch.equal(plain.ids.flatten()[batch.places], batch.targets)
    assert batch.tokens == len(batch.targets)
    assert torch.equal(batch.packed.documents, plain.documents)
    assert batch.tokens == round(0.15 * (plain.ids > 4).sum().item())
    parts = batch.split(3)
    assert sum(part.tokens for part in parts) == batch.tokens
    for part in parts:
        there = part.packed.ids.flatten()[part.places]
        assert ((there == 4) | (there == part.targets) | (there > 4)).all()
    assert torch.equal(torch.cat([part.targets for part in parts]), batch.targets)
    assert batch.to("meta").targets.device.type == "meta"


def test_masked_batches_are_pure_and_evaluation_repeats() -> None:
    first, again = next(masked().stream(7)), masked()[7]
    assert torch.equal(first.packed.ids, again.packed.ids)
    once, twice = (list(masked().once()) for _ in range(2))
    assert all(torch.equal(a.packed.ids, b.packed.ids) for a, b in zip(once, twice, strict=True))
    assert masked().epoch_of(masked().batches_per_epoch) == 1


def test_what_cannot_be_packed() -> None:
    with pytest.raises(ValueError, match="sentence 2 has 12 tokens, but a row holds 11"):
        PackedSentences(sentences([3, 10]), 11, 100, 0)
    with pytest.raises(ValueError, match="no sentences"):
        PackedSentences(sentences([]), 11, 100, 0)
