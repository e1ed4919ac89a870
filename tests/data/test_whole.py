"""Conversations stand whole in their rows, each prediction counts once, whatever the row's length."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.even import EvenBatches, next_fit
from qkvae.data.packing import EncodedDocuments, PackedBatch
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import BOS, PAD
from qkvae.data.whole import WholeBatches, Windows, in_turn

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=12)


def talks(sizes: list[int]) -> EncodedDocuments:
    """Conversations in which no token comes twice, so that a batch tells what is in it."""
    tokens = Ragged.from_lengths(np.arange(4, 4 + sum(sizes), dtype=np.int32), np.array(sizes))
    return EncodedDocuments(tokens, np.arange(sum(sizes)) % 3 != 1)


def pairs(batches: list[PackedBatch]) -> list[tuple[int, int]]:
    return [
        pair
        for batch in batches
        for pair in zip(
            batch.inputs[batch.counted].tolist(), batch.targets[batch.counted].tolist(), strict=True
        )
    ]


def expected(documents: EncodedDocuments) -> list[tuple[int, int]]:
    """Every input and its target that count, in the order of the texts."""
    assert documents.counted is not None
    both = [pair for ids in documents.tokens.to_lists() for pair in zip([BOS, *ids[:-1]], ids, strict=True)]
    return list(itertools.compress(both, documents.counted.tolist()))


@settings(deadline=None)
@given(SIZES, st.integers(1, 40), st.integers(1, 60), st.integers(0, 3))
def test_every_prediction_counts_once_an_epoch(sizes: list[int], length: int, tokens: int, seed: int) -> None:
    documents = talks(sizes)
    batches = WholeBatches(documents, length, tokens, seed)
    windows = Windows.over(np.array(sizes), length, max(1, length // 2))
    per_epoch = EvenBatches(windows.size, tokens, seed).per_epoch
    for epoch in range(2):
        seen = [batches[number] for number in range(epoch * per_epoch, (epoch + 1) * per_epoch)]
        assert sorted(pairs(seen)) == sorted(expected(documents))


@settings(deadline=None)
@given(SIZES, st.integers(1, 40), st.data())
def test_in_turn_predictions_come_in_the_order_of_the_texts(
    sizes: list[int], length: int, data: st.DataObject
) -> None:
    documents = talks(sizes)
    stride = data.draw(st.integers(1, length))
    found = list(in_turn(documents, length, stride, rows=2))
    assert pairs(found) == expected(documents)
    assert all(batch.inputs.shape[1] == length and len(batch.inputs) <= 2 for batch in found)


@settings(deadline=None)
@given(SIZES, st.integers(2, 40), st.integers(0, 3))
def test_an_answer_sees_all_that_was_said_before_it(sizes: list[int], length: int, seed: int) -> None:
    """Whole where the row has room; where it has not, at least half a row."""
    documents = talks(sizes)
    begins = dict(zip((documents.tokens.starts[:-1] + 4).tolist(), sizes, strict=True))
    first_of = {first + at: first for first, size in begins.items() for at in range(size)}
    batches = WholeBatches(documents, length, 40, seed)
    for batch in itertools.islice(batches.stream(), 5):
        assert batch.documents is not None
        assert batch.positions is not None
        for row, place in batch.counted.nonzero().tolist():
            target = int(batch.targets[row, place])
            before = int(batch.positions[row, place])
            since = target - first_of[target]
            assert before == since or before >= length // 2
            assert before == since or begins[first_of[target]] > length
            own = batch.documents[row] == batch.documents[row, place]
            assert int(own.nonzero()[0]) == place - before


def test_padding_is_of_no_document_and_never_counts() -> None:
    batch = WholeBatches(talks([5, 4, 3]), length=7, tokens=100, seed=0)[0]
    assert batch.documents is not None
    empty = batch.documents < 0
    assert empty.sum() == batch.inputs.numel() - 12
    assert not batch.counted[empty].any()
    assert (batch.inputs[empty] == PAD).all()


def test_batches_are_the_same_wherever_one_starts_and_in_workers() -> None:
    documents = talks([3 + n % 11 for n in range(60)])
    alone = WholeBatches(documents, 16, 64, seed=5)
    several = WholeBatches(documents, 16, 64, seed=5, workers=2)
    stream = several.stream(7)
    for number, batch in zip(range(7, 10), stream, strict=False):
        assert torch.equal(batch.inputs, alone[number].inputs)
        assert torch.equal(batch.counted, alone[number].counted)
    stream.close()
    assert not torch.equal(alone[7].inputs, WholeBatches(documents, 16, 64, seed=6)[7].inputs)


def test_batches_weigh_alike() -> None:
    batches = WholeBatches(talks([3 + n % 11 for n in range(400)]), 32, 256, seed=1)
    sizes = [int((batches[number].documents >= 0).sum()) for number in range(12)]
    assert max(sizes) - min(sizes) <= 2 * 13
    assert sum(sizes) / 12 == pytest.approx(256, rel=0.05)


@given(SIZES, st.integers(30, 50))
def test_next_fit_keeps_the_order(sizes: list[int], length: int) -> None:
    row, begin, _, rows = next_fit(np.array(sizes), length)
    places = row * length + begin
    assert (np.diff(places) >= np.array(sizes[:-1])).all()
    assert (begin + sizes <= length).all()
    assert rows == row[-1] + 1


@pytest.mark.parametrize("stride", [0, 5])
def test_a_stride_out_of_range_is_refused(stride: int) -> None:
    with pytest.raises(ValueError, match=f"stride is {stride}, but must be between 1 and length, which is 4"):
        Windows.over(np.array([9]), 4, stride)
