"""Masked words: the proportions are exact, special tokens and padding are never touched, words stay whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from qkvae.data.corruption import Corruption, WordEnds
from qkvae.data.tokenizer import Tokenizer

MASK, VOCAB, SPECIALS = 4, 50, (0, 1, 2, 3, 4)
HIDE = Corruption(mask=MASK, vocab=VOCAB, specials=SPECIALS)


def rows(count: int, length: int, seed: int = 0, low: int = 5) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(low, VOCAB, (count, length))


@settings(deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 40), st.integers(0, 2**40), st.integers(0, 10**6), st.floats(0.01, 0.9)
)
def test_what_is_changed_and_what_is_not(count: int, length: int, seed: int, step: int, rate: float) -> None:
    hide = Corruption(mask=MASK, vocab=VOCAB, specials=SPECIALS, rate=rate)
    ids = rows(count, length, seed, low=0)
    documents = np.random.default_rng(seed + 1).integers(-1, 3, ids.shape)
    before = ids.copy()
    found = hide(ids, documents, seed, step)
    assert (ids == before).all()
    flat, changed = ids.reshape(-1), found.ids.reshape(-1)
    eligible = (documents.reshape(-1) >= 0) & (flat > MASK)
    assert eligible[found.places].all()
    assert (np.diff(found.places) > 0).all()
    assert (flat[found.places] == found.targets).all()
    others = np.setdiff1d(np.arange(flat.size), found.places)
    assert (flat[others] == changed[others]).all()
    assert (changed[found.places] >= MASK).all()
    total = int(eligible.sum())
    assert len(found.places) == min(total, max(1, round(rate * total)))


def test_it_is_a_pure_function_of_seed_and_step() -> None:
    ids = rows(4, 64)
    documents = np.zeros_like(ids)
    one, again = HIDE(ids, documents, 3, 9), HIDE(ids, documents, 3, 9)
    assert (one.ids == again.ids).all()
    for seed, step in ((3, 10), (4, 9)):
        assert (HIDE(ids, documents, seed, step).places != one.places).any()


def test_eighty_ten_ten() -> None:
    ids = rows(10, 200)
    found = HIDE(ids, np.zeros_like(ids), 0, 0)
    there = found.ids.reshape(-1)[found.places]
    assert len(found.places) == 300
    assert int((there == MASK).sum()) == 240
    # 30 are replaced at random, one in 45 of them by itself
    assert 245 <= int((there == MASK).sum() + (there != found.targets)[there != MASK].sum()) <= 270
    assert int((there == found.targets).sum()) >= 30


def test_every_place_and_every_token_is_drawn_alike() -> None:
    """Each of 100 places has probability 0.15, each ordinary token 1/45: counts stay within 5 deviations."""
    hide = Corruption(mask=MASK, vocab=VOCAB, specials=SPECIALS, masked=0, random=1)
    ids = rows(1, 100)
    documents = np.zeros_like(ids)
    trials = 3000
    chosen, drawn = np.zeros(100), np.zeros(VOCAB)
    for step in range(trials):
        found = hide(ids, documents, 0, step)
        chosen[found.places] += 1
        drawn += np.bincount(found.ids.reshape(-1)[found.places], minlength=VOCAB)
    assert np.abs(chosen - 0.15 * trials).max() < 5 * np.sqrt(trials * 0.15 * 0.85)
    assert drawn[: MASK + 1].sum() == 0
    draws = 15 * trials
    assert np.abs(drawn[MASK + 1 :] - draws / 45).max() < 5 * np.sqrt(draws / 45)


TEXT = "the dog's barking, (unbelievably) loud: 12,345 times in Köln 😀 東京"
TOKENIZER = Tokenizer.train([TEXT, "barking dogs", "unbelievable"], vocab_size=290, exact=False)


def test_word_ends_of_byte_pairs() -> None:
    ends = WordEnds.of(TOKENIZER)
    whole = Corruption(mask=3, vocab=len(TOKENIZER), specials=(0, 1, 2, 3), words=ends)
    text = "the dog's barking, (unbelievably) 12,345 Köln"
    pieces = TOKENIZER.pieces(text)
    ids = np.array([[piece.id for piece in pieces]])
    numbers = whole.word_numbers(ids[0], np.zeros_like(ids))
    words: dict[int, str] = {}
    for piece, number in zip(pieces, numbers.tolist(), strict=True):
        words[number] = words.get(number, "") + piece.token
    *others, last = words.values()
    assert others == ["▁the", "▁dog", "'", "s", "▁barking", ",", "▁(", "unbelievably", ")", "▁12", ",", "345"]
    assert last.startswith("▁K")
    assert last.endswith("ln")


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10**6), st.floats(0.05, 0.6))
def test_words_are_whole_or_not_chosen(step: int, rate: float) -> None:
    whole = Corruption(
        mask=4, vocab=len(TOKENIZER), specials=SPECIALS, words=WordEnds.of(TOKENIZER), rate=rate
    )
    ids = np.array([TOKENIZER.encode(TEXT * 3), TOKENIZER.encode(TEXT * 3)])
    documents = np.zeros_like(ids)
    documents[:, ids.shape[1] // 2 :] = 1
    found = whole(ids, documents, 0, step)
    numbers = whole.word_numbers(ids.reshape(-1), documents)
    chosen = np.zeros(ids.size, bool)
    chosen[found.places] = True
    longest = int(np.bincount(numbers).max())
    for word in range(numbers[-1] + 1):
        assert chosen[numbers == word].all() or not chosen[numbers == word].any()
    assert abs(len(found.places) - round(rate * ids.size)) <= longest / 2 + 1
    assert numbers[ids.shape[1]] > numbers[ids.shape[1] - 1]


def test_nothing_to_hide() -> None:
    ids = np.full((2, 3), 1)
    found = HIDE(ids, np.zeros_like(ids), 0, 0)
    assert len(found.places) == 0
    assert (found.ids == ids).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 0.0}, "rate is 0.0"),
        ({"rate": 1.0}, "rate is 1.0"),
        ({"masked": 0.8, "random": 0.3}, "masked 0.8 and random 0.3"),
        ({"mask": 9}, "must hold the mask 9"),
        ({"vocab": 5}, "and not all 5"),
    ],
)
def test_settings_that_cannot_be(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Corruption(**{"mask": MASK, "vocab": VOCAB, "specials": SPECIALS, **options})  # type: ignore[arg-type]
