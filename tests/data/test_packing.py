"""Every token once an epoch, no padding, and the same batches wherever one starts."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.packing import EncodedDocuments, PackedBatch, PackedBatches, sliding
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import BOS, EOS

FIELDS = ("inputs", "targets", "counted", "documents", "positions")
SIZES = st.lists(st.integers(0, 30), min_size=1, max_size=12).filter(any)


def numbered(sizes: list[int], counted: bool = False) -> EncodedDocuments:
    """Documents in which no token comes twice, so that a batch tells what is in it."""
    tokens = Ragged.from_lengths(np.arange(4, 4 + sum(sizes), dtype=np.int32), np.array(sizes))
    return EncodedDocuments(tokens, np.arange(sum(sizes)) % 3 > 0 if counted else None)


def first(batches: PackedBatches, count: int, start: int = 0) -> list[PackedBatch]:
    stream = batches.stream(start)
    taken = list(itertools.islice(stream, count))
    stream.close()
    return taken


def assert_equal(one: PackedBatch, other: PackedBatch) -> None:
    for field in FIELDS:
        mine, yours = getattr(one, field), getattr(other, field)
        assert (mine is None) == (yours is None)
        assert mine is None or torch.equal(mine, yours), field


def expected(documents: EncodedDocuments) -> list[tuple[int, int]]:
    """All pairs of an input and its target that count, sorted."""
    pairs: list[tuple[int, int]] = []
    for number, ids in enumerate(documents.tokens.to_lists()):
        targets = [*ids, EOS] if documents.ends else ids
        start = documents.tokens.starts[number]
        for place, pair in enumerate(zip([BOS, *ids], targets, strict=False)):
            if documents.counted is None or documents.counted[start + place]:
                pairs.append(pair)
    return sorted(pairs)


def counted_pairs(batches: list[PackedBatch]) -> list[tuple[int, int]]:
    return sorted(
        pair
        for batch in batches
        for pair in zip(
            batch.inputs[batch.counted].tolist(), batch.targets[batch.counted].tolist(), strict=True
        )
    )


def check_rows(batch: PackedBatch, documents: EncodedDocuments) -> None:
    """In each row a document's tokens follow each other, and its places are counted from its beginning."""
    if documents.single:
        assert batch.documents is None
        assert batch.positions is None
        return
    assert batch.documents is not None
    assert batch.positions is not None
    rows = zip(*(getattr(batch, field).tolist() for field in FIELDS), strict=True)
    for inputs, targets, _, numbers, positions in rows:
        assert (numbers[0], positions[0]) == (0, 0)
        for at in range(1, len(inputs)):
            begins = inputs[at] == BOS
            assert numbers[at] == numbers[at - 1] + begins
            assert positions[at] == (0 if begins else positions[at - 1] + 1)
            assert begins or inputs[at] == targets[at - 1]


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(1, 40), st.integers(1, 5), st.integers(0, 3), st.booleans())
def test_every_token_is_predicted_once_an_epoch(
    sizes: list[int], length: int, rows: int, seed: int, counted: bool
) -> None:
    documents = numbered(sizes, counted)
    batches = PackedBatches(documents, length, rows, seed)
    # as many batches as hold whole epochs
    count = batches.rows_per_epoch
    taken = first(batches, count)
    assert all(batch.inputs.shape == batch.targets.shape == (rows, length) for batch in taken)
    assert counted_pairs(taken) == sorted(expected(documents) * rows)
    for batch in taken:
        check_rows(batch, documents)
    assert sum(batch.tokens for batch in taken) == len(expected(documents)) * rows
    # nothing but the last row of an epoch is filled up
    assert batches.rows_per_epoch * length < documents.predictions + length


@settings(max_examples=40, deadline=None)
@given(SIZES, st.integers(1, 20), st.integers(1, 4), st.integers(0, 30))
def test_a_batch_is_a_pure_function_of_its_number(
    sizes: list[int], length: int, rows: int, start: int
) -> None:
    documents = numbered(sizes)
    batches = PackedBatches(documents, length, rows, seed=5)
    whole = first(batches, start + 3)
    for place, batch in enumerate(first(PackedBatches(documents, length, rows, seed=5), 3, start), start):
        assert_equal(batch, whole[place])
        assert_equal(batches[place], whole[place])


def test_epochs_and_seeds_differ() -> None:
    documents = numbered([50, 20, 30])
    batches = PackedBatches(documents, 8, 13, seed=1)
    assert batches.rows_per_epoch == 13
    orders = [batches[0], batches[1], PackedBatches(documents, 8, 13, seed=2)[0]]
    assert [batches.epoch_of(k) for k in (0, 1, 2)] == [0, 1, 2]
    assert not any(torch.equal(one.inputs, other.inputs) for one, other in itertools.combinations(orders, 2))


def test_a_single_text_has_no_separators_inside() -> None:
    batches = PackedBatches(numbered([1000]), 16, 4, seed=1)
    taken = first(batches, 63)  # four epochs
    inputs = torch.cat([batch.inputs for batch in taken])
    counted = torch.cat([batch.counted for batch in taken])
    assert int((inputs[counted] == BOS).sum()) == 4
    assert not any((batch.targets == EOS).any() for batch in taken)
    offsets = {int(row[0]) % 16 for row in inputs}
    assert len(offsets) > 1  # the rows of different epochs are cut at different places


def test_a_text_shorter_than_a_row() -> None:
    batch = PackedBatches(numbered([3]), 8, 2, seed=0)[0]
    assert batch.inputs.shape == (2, 8)
    assert batch.tokens == 6


def test_split_and_device() -> None:
    batch = PackedBatches(numbered([9, 8, 30]), 4, 5, seed=1)[0]
    parts = batch.split(2)
    assert [len(part.inputs) for part in parts] == [3, 2]
    assert sum(part.tokens for part in parts) == batch.tokens
    assert torch.equal(torch.cat([part.targets for part in parts]), batch.targets)
    assert_equal(batch.to("cpu"), batch)
    assert batch.to("meta").inputs.device.type == "meta"
    single = PackedBatches(numbered([30]), 4, 5, seed=1)[0]
    assert single.split(5)[4].documents is None
    assert [batch.inputs.dtype, batch.counted.dtype] == [torch.int64, torch.bool]


@pytest.mark.parametrize("sizes", [[100], [9, 30, 1, 60]])
def test_what_stands_before_a_row_is_shown_and_does_not_count(sizes: list[int]) -> None:
    documents = numbered(sizes)
    plain, shown = (PackedBatches(documents, 8, 3, seed=5, before=before) for before in (0, 20))
    single = documents.single
    for one, other in zip(first(plain, 9), first(shown, 9), strict=True):
        cut = other.from_place(20)
        for field in ("inputs", "targets", "counted"):
            assert torch.equal(getattr(one, field), getattr(cut, field))
        assert not other.upto(20).counted.any()
        for inputs, targets, numbers in zip(
            other.inputs, other.targets, other.documents if not single else other.inputs, strict=True
        ):
            goes_on = inputs[1:] != BOS
            assert torch.equal(inputs[1:][goes_on], targets[:-1][goes_on])
            assert single or torch.equal(numbers.diff() == 1, ~goes_on)


def test_workers_change_nothing() -> None:
    documents = numbered([40, 30, 50])
    alone = PackedBatches(documents, 8, 3, seed=5)
    with_workers = PackedBatches(documents, 8, 3, seed=5, workers=2)
    state = torch.get_rng_state()
    for one, other in zip(first(alone, 4, 9), first(with_workers, 4, 9), strict=True):
        assert_equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_tokens_in_a_mapped_file(tmp_path: Path) -> None:
    sizes = [40, 30, 50]
    np.arange(4, 124, dtype=np.int32).tofile(tmp_path / "tokens.bin")
    flat = np.memmap(tmp_path / "tokens.bin", np.int32, "r")
    mapped = EncodedDocuments(Ragged.from_lengths(flat, np.array(sizes)))
    assert_equal(PackedBatches(mapped, 8, 3, 5)[2], PackedBatches(numbered(sizes), 8, 3, 5)[2])


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(1, 20), st.data(), st.booleans())
def test_a_sliding_window_predicts_every_token_once(
    sizes: list[int], length: int, data: st.DataObject, counted: bool
) -> None:
    documents = numbered(sizes, counted)
    stride = data.draw(st.integers(1, length))
    taken = list(sliding(documents, length, stride, rows=3))
    assert counted_pairs(taken) == expected(documents)
    for batch in taken:
        check_rows(batch, documents)
        assert batch.inputs.shape[1] == min(length, documents.predictions)
    # every prediction but those of the first window has length - stride places before it
    places = torch.cat([batch.counted for batch in taken])[1:].nonzero()[:, 1]
    if len(places) and not counted:
        assert int(places.min()) >= length - stride


@pytest.mark.parametrize("stride", [0, 5])
def test_a_stride_that_leaves_gaps(stride: int) -> None:
    with pytest.raises(ValueError, match=f"stride is {stride}, but must be between 1 and length, which is 4"):
        list(sliding(numbered([9]), 4, stride, 2))


def test_what_cannot_be_packed() -> None:
    with pytest.raises(ValueError, match="there is no token"):
        EncodedDocuments(Ragged.from_lists([[], []]))
    with pytest.raises(ValueError, match="2 tokens, but 1 say"):
        EncodedDocuments(Ragged.from_lists([[4, 5]]), np.array([True]))
    for name, length, rows in (("length", 0, 2), ("rows", 2, 0)):
        with pytest.raises(ValueError, match=f"{name} is 0"):
            PackedBatches(numbered([9]), length, rows, 1)
    with pytest.raises(ValueError, match="rows is 0"):
        list(sliding(numbered([9]), 4, 2, 0))
