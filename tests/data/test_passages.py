"""Passages hold every token once, in order, and end where they should."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.passages import cut_passages, running
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import Tokenizer

TEXT = "It was late. The unbelievable dog, who barked, went home! Why? Nobody knows it"
BPE = Tokenizer.train([TEXT] * 2, vocab_size=400, exact=False)
WORDS = Tokenizer.train([TEXT], "word", min_frequency=1)


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=6), st.integers(1, 20), st.sampled_from([BPE, WORDS]))
def test_no_token_is_lost_and_none_is_too_many(lengths: list[int], most: int, tokenizer: Tokenizer) -> None:
    generator = np.random.default_rng(sum(lengths))
    texts = Ragged.from_lists([generator.integers(4, len(tokenizer), n).tolist() for n in lengths])
    passages = cut_passages(texts, tokenizer, most)
    assert np.array_equal(passages.flat, texts.flat)
    assert passages.lengths.max(initial=0) <= most
    assert set(texts.starts.tolist()) <= set(passages.starts.tolist())
    assert not len(passages) or passages.lengths.min() > 0


def test_a_passage_ends_with_a_sentence_that_fills_more_than_half_of_it() -> None:
    passages = cut_passages(WORDS.encode_batch([TEXT]), WORDS, 7)
    shown = [" ".join(WORDS.tokens(row)) for row in passages]
    assert shown == [
        "It was late .",
        "The unbelievable dog , who barked ,",
        "went home ! Why ?",
        "Nobody knows it",
    ]


def test_a_word_is_not_cut() -> None:
    passages = cut_passages(BPE.encode_batch([TEXT.replace(".", "")]), BPE, 9)
    assert len(passages) == 3
    assert all(BPE.tokens(row)[0].startswith("▁") for row in passages)


def test_white_space_is_one_space() -> None:
    assert list(running(["a\n\n b\t", " "])) == ["a b", ""]


def test_a_passage_holds_a_token() -> None:
    with pytest.raises(ValueError, match="most is 0"):
        cut_passages(Ragged.from_lists([[4]]), WORDS, 0)
