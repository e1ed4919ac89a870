"""Every example once an epoch, little padding, and the same batches however they are prepared."""

import itertools
from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.batches import Batches, DropoutPairs, PairSource, SentencePairs, Seq2SeqBatch, collate
from qkvae.data.plan import bucketed, plan_epoch
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import BOS, EOS, PAD, Tokenizer

FIELDS = ("source", "source_lengths", "target_in", "target_out", "target_lengths")
LENGTHS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=300)


def numbered(count: int, seed: int = 0) -> SentencePairs:
    """Pairs of random lengths; every token of pair i is 4 + i, so that a batch tells what is in it."""
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, 30, count)
    sources = [[4 + i] * length for i, length in enumerate(lengths)]
    targets = [
        [4 + i] * max(1, length + change)
        for (i, length), change in zip(enumerate(lengths), generator.integers(-3, 4, count), strict=True)
    ]
    return SentencePairs(Ragged.from_lists(sources), Ragged.from_lists(targets))


def dropped(count: int) -> DropoutPairs:
    texts = [f"{n} bananas and {n * 7919 % 1000} mangoes" for n in range(count)]
    tokenizer = Tokenizer.train(texts, vocab_size=400, exact=False)
    return DropoutPairs(tokenizer.words(texts), tokenizer.words(texts[::-1]), 0.3)


def assert_equal(one: Seq2SeqBatch, other: Seq2SeqBatch) -> None:
    for field in FIELDS:
        assert torch.equal(getattr(one, field), getattr(other, field)), field


def first(batches: Batches, count: int, start: int = 0) -> list[Seq2SeqBatch]:
    stream = batches.stream(start)
    taken = list(itertools.islice(stream, count))
    stream.close()
    return taken


def test_collate_frames_and_pads() -> None:
    pairs = SentencePairs(Ragged.from_lists([[5, 6, 7], [], [9]]), Ragged.from_lists([[8], [7] * 4, []]))
    batch = collate(pairs, [1, 0])
    assert batch.source.tolist() == [[EOS, PAD, PAD, PAD], [5, 6, 7, EOS]]
    assert batch.target_in.tolist() == [[BOS, 7, 7, 7, 7, PAD, PAD, PAD], [BOS, 8] + [PAD] * 6]
    assert batch.target_out.tolist() == [[7, 7, 7, 7, EOS, PAD, PAD, PAD], [8, EOS] + [PAD] * 6]
    assert batch.source_lengths.tolist() == [1, 4]
    assert batch.target_lengths.tolist() == [5, 2]
    assert batch.tokens == 7
    assert {getattr(batch, field).dtype for field in FIELDS} == {torch.int64}
    assert_equal(batch.to("cpu"), batch)
    assert batch.to("meta").target_out.device.type == "meta"


def test_sides_of_different_length() -> None:
    with pytest.raises(ValueError, match="1 source sentences, but 2 target sentences"):
        SentencePairs(Ragged.from_lists([[5]]), Ragged.from_lists([[5], [6]]))


@given(LENGTHS, st.integers(1, 2000), st.integers(0, 3), st.booleans())
def test_a_plan_holds_every_example_once(
    lengths: list[tuple[int, int]], tokens: int, epoch: int, fixed: bool
) -> None:
    sources, targets = np.array(lengths, np.int64).T.copy()
    count = len(plan_epoch(sources[::-1], targets, tokens, 1, 0)) if fixed else None
    plan = plan_epoch(sources, targets, tokens, 1, epoch, batches=count)
    assert sorted(np.concatenate(plan).tolist()) == list(range(len(lengths)))
    assert all(len(rows) for rows in plan)
    assert sum(len(rows) % 8 > 0 for rows in plan) <= 1
    if fixed:
        assert len(plan) == count


def multi30k_like(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Lengths with the means, spreads and correlation of short captions in two languages."""
    generator = np.random.default_rng(0)
    sources = generator.lognormal(2.6, 0.3, count)
    targets = sources * generator.lognormal(0.0, 0.25, count)
    return tuple(np.clip(np.round(each), 1, 60).astype(np.int64) for each in (sources, targets))


def test_little_padding_few_shapes_even_batches() -> None:
    sources, targets = multi30k_like(29_000)
    plan = plan_epoch(sources, targets, 2048, seed=1, epoch=0)
    up = lambda lengths: -(-lengths // 4) * 4  # noqa: E731
    held = [int((targets[rows] + 1).sum()) for rows in plan]
    shapes = [
        (len(rows), int(up(sources[rows] + 1).max()), int(up(targets[rows] + 1).max())) for rows in plan
    ]
    fill = (sources + targets + 2).sum() / sum(rows * (n + m) for rows, n, m in shapes)
    assert fill > 0.89
    assert len(set(shapes)) < 60
    assert np.mean(held) == pytest.approx(2048, rel=0.01)
    assert np.std(held) < 250


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    lengths = multi30k_like(500)
    again = [
        [rows.tolist() for rows in plan_epoch(*lengths, 300, seed, epoch)]
        for seed, epoch in ((1, 2), (1, 2), (1, 3), (2, 2))
    ]
    assert again[0] == again[1]
    assert again[0] != again[2] != again[3] != again[0]


@pytest.mark.parametrize("pairs", [numbered(400), dropped(300)], ids=["plain", "dropout"])
def test_a_batch_is_a_pure_function_of_its_number(pairs: PairSource) -> None:
    batches = Batches(pairs, tokens=400, seed=5)
    per_epoch = batches.batches_per_epoch
    whole = first(batches, 2 * per_epoch + 3)
    for start in (0, 3, per_epoch - 1, per_epoch, per_epoch + 1, 2 * per_epoch):
        for one, other in zip(first(Batches(pairs, 400, 5), 3, start), whole[start : start + 3], strict=True):
            assert_equal(one, other)
    assert_equal(batches[per_epoch + 2], whole[per_epoch + 2])
    assert [batches.epoch_of(k) for k in (0, per_epoch - 1, per_epoch, 2 * per_epoch)] == [0, 0, 1, 2]
    assert any(
        not torch.equal(one.source, other.source)
        for one, other in zip(whole, whole[per_epoch:], strict=False)
    )


@pytest.mark.parametrize("shard", [32_768, 90])
def test_every_pair_once_an_epoch(monkeypatch: pytest.MonkeyPatch, shard: int) -> None:
    monkeypatch.setattr("qkvae.data.batches.SHARD", shard)
    pairs = numbered(400)
    batches = Batches(pairs, tokens=300, seed=5)
    for epoch in range(2):
        rows = first(batches, batches.batches_per_epoch, epoch * batches.batches_per_epoch)
        seen = [row for batch in rows for row in (batch.source[:, 0] - 4).tolist()]
        assert sorted(seen) == list(range(400))
        for batch in rows:
            for target, length in zip(batch.target_out, batch.target_lengths, strict=True):
                target = target.tolist()
                assert set(target[: length - 1]) <= {target[0]}
                assert target[length - 1] == EOS
                assert set(target[length:]) <= {PAD}


def test_dropout_encodes_anew_each_epoch() -> None:
    pairs = dropped(64)
    batches = Batches(pairs, tokens=100_000, seed=5)
    assert batches.batches_per_epoch == 1
    one, other = first(batches, 2)
    tokenizer_ids = [Counter(sorted(map(tuple, batch.source.tolist()))) for batch in (one, other)]
    assert tokenizer_ids[0] != tokenizer_ids[1]


@pytest.mark.parametrize("pairs", [numbered(200), dropped(100)], ids=["plain", "dropout"])
def test_workers_change_nothing(pairs: PairSource) -> None:
    alone = Batches(pairs, tokens=400, seed=5)
    with_workers = Batches(pairs, tokens=400, seed=5, workers=2)
    state = torch.get_rng_state()
    start = alone.batches_per_epoch - 2
    for one, other in zip(first(alone, 6, start), first(with_workers, 6, start), strict=True):
        assert_equal(one, other)
    assert torch.equal(torch.get_rng_state(), state)


def test_nothing_to_learn_from() -> None:
    with pytest.raises(ValueError, match="there are no sentence pairs"):
        Batches(numbered(0), tokens=100, seed=1)


@settings(max_examples=50)
@given(LENGTHS, st.integers(1, 500))
def test_buckets_for_evaluation(lengths: list[tuple[int, int]], tokens: int) -> None:
    sources, targets = np.array(lengths, np.int64).T.copy()
    plan = bucketed(sources, targets, tokens)
    order = np.concatenate(plan)
    assert sorted(order.tolist()) == list(range(len(lengths)))
    assert (np.diff(sources[order]) <= 0).all()
    for rows in plan:
        longest = max((sources[rows] + 1).max(), (targets[rows] + 1).max())
        assert len(rows) == 1 or len(rows) * -(-longest // 4) * 4 <= tokens
