"""BPE-dropout against its definition: nothing dropped is plain BPE, and the distribution is the paper's."""

import math
import pickle
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkvae.data import bpe_dropout
from qkvae.data.bpe_dropout import Merges, segment
from qkvae.data.tokenizer import Tokenizer

TEXTS = ["the lowest newer newest widest, the low banana banana"] * 4
TOKENIZER = Tokenizer.train(TEXTS, vocab_size=284)
ANY = st.text(max_size=30) | st.text(alphabet="lowest banan", max_size=60)


def exact_distribution(tokens: tuple[int, ...], merges: Merges, p: float) -> dict[tuple[int, ...], float]:
    """Every segmentation a word can end in and its probability, by algorithm 1 of the paper: each possible
    merge of a step is dropped or kept by its own coin, and the best of the kept is applied."""
    places = [at for at in range(len(tokens) - 1) if tokens[at : at + 2] in merges]
    ends: Counter[tuple[int, ...]] = Counter()
    for coins in range(2 ** len(places)):
        kept = [place for bit, place in enumerate(places) if coins >> bit & 1]
        chance = (1 - p) ** len(kept) * p ** (len(places) - len(kept))
        if not kept:
            ends[tokens] += chance
            continue
        best = min(kept, key=lambda at: (merges[tokens[at], tokens[at + 1]][0], at))
        made = merges[tokens[best], tokens[best + 1]][1]
        after = (*tokens[:best], made, *tokens[best + 2 :])
        for end, part in exact_distribution(after, merges, p).items():
            ends[end] += chance * part
    return ends


def assert_follows(counts: Counter[tuple[int, ...]], expected: dict[tuple[int, ...], float]) -> None:
    """Every frequency within five standard deviations, rare ones together."""
    total = sum(counts.values())
    assert set(counts) <= set(expected)
    for end, chance in expected.items():
        deviation = math.sqrt(chance * (1 - chance) / total)
        assert abs(counts[end] / total - chance) <= 5 * deviation + 5 / total, (
            end,
            counts[end] / total,
            chance,
        )


@pytest.mark.parametrize("p", [0.1, 0.5])
@pytest.mark.parametrize("word", ["lowest", "banana"])
def test_the_distribution_is_the_papers(word: str, p: float) -> None:
    words = TOKENIZER.words([word])
    spelling = tuple(words.table.history(int(words.numbers.flat[0]))[0])
    expected = exact_distribution(spelling, words.table.merges, p)
    assert sum(expected.values()) == pytest.approx(1)
    assert len(expected) >= 4

    rows = TOKENIZER.words([word] * 4_000).sample(p, seed=1)
    assert_follows(Counter(tuple(row) for row in rows.to_lists()), expected)

    generator = np.random.default_rng(2)
    merges = words.table.merges
    assert_follows(Counter(tuple(segment(spelling, merges, p, generator)) for _ in range(800)), expected)


@given(st.lists(ANY, max_size=5))
def test_nothing_dropped_is_plain_bpe(texts: list[str]) -> None:
    plain = TOKENIZER.encode_batch(texts).to_lists()
    assert TOKENIZER.words(texts).sample(0, seed=3).to_lists() == plain
    assert TOKENIZER.words(texts).encode().to_lists() == plain


def test_nothing_dropped_is_plain_bpe_in_long_words() -> None:
    text = "banana" * 500 + " lowestnewest" * 3
    assert TOKENIZER.words([text]).sample(0, seed=3).to_lists() == [TOKENIZER.encode(text)]


def test_everything_dropped_is_bytes() -> None:
    text = "lowest é" + "banana" * 20
    rows = TOKENIZER.words([text]).sample(1, seed=3)
    assert rows.lengths.tolist() == [len(text.encode()) + 1]


@given(st.lists(ANY, max_size=5), st.floats(0, 1), st.integers(0, 9))
def test_any_segmentation_is_the_same_text(texts: list[str], p: float, seed: int) -> None:
    assert TOKENIZER.decode_batch(TOKENIZER.words(texts).sample(p, seed)) == texts


def test_a_pure_function_of_texts_p_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["the newest banana", "lowest " + "banana" * 20] * 20
    fresh = Tokenizer.from_json(TOKENIZER.to_json())
    first = fresh.words(texts).sample(0.3, 7).to_lists()
    words = fresh.words(["some other words first", *texts])[1:]
    words.sample(0.5, 8)  # the machine has now seen more
    assert words.sample(0.3, 7).to_lists() == first
    assert words.sample(0.3, 8).to_lists() != first
    assert pickle.loads(pickle.dumps(words)).sample(0.3, 7).to_lists() == first  # noqa: S301
    monkeypatch.setattr(bpe_dropout, "MOST_STATES", 0)  # the machine is forgotten before every use
    assert words.sample(0.3, 7).to_lists() == first


def test_occurrences_are_drawn_independently() -> None:
    rows = TOKENIZER.words(["banana"] * 200).sample(0.5, seed=0).to_lists()
    assert len({tuple(row) for row in rows}) > 5


def test_a_long_line_without_spaces_takes_no_time() -> None:
    text = "banana" * 4_000
    assert TOKENIZER.decode_batch(TOKENIZER.words([text]).sample(0.1, seed=0)) == [text]


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"dropping a merge is 1\.5, but must be between 0 and 1"):
        TOKENIZER.words(["low"]).sample(1.5, seed=0)
    words = Tokenizer.train(TEXTS, kind="word", exact=False)
    with pytest.raises(ValueError, match="needs a bpe tokenizer"):
        words.words(["low"]).sample(0.1, seed=0)
