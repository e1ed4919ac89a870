"""Sentences longer than the limit are left out and counted; of very many pairs some make the vocabulary."""

import pytest

from qkvae.config import TranslationData
from qkvae.data.pairs import Pairs
from qkvae.tasks.corpus import Corpus
from qkvae.tasks.translation.corpus import encode_corpus, learned_rows, train_tokenizer

SHORT = Pairs([f"{n} dogs bark" for n in range(30)], [f"{n} Hunde bellen" for n in range(30)])
LONG = "a dog " * 400


def test_long_validation_pairs_are_left_out_with_their_texts() -> None:
    data = TranslationData(max_length=64)
    corpus = Corpus(SHORT, Pairs([LONG, "3 dogs", "4 dogs"], ["x", "y", "z"]))
    encoded = encode_corpus(corpus, train_tokenizer(SHORT, data), data)
    assert (encoded.left_out, encoded.valid_left_out) == (0, 1)
    assert encoded.valid_texts.sources == ["3 dogs", "4 dogs"]
    assert len(encoded.valid) == 2


def test_a_validation_part_of_long_pairs_alone_is_refused() -> None:
    data = TranslationData(max_length=64)
    corpus = Corpus(SHORT, Pairs([LONG], ["x"]))
    with pytest.raises(ValueError, match="every validation pair is longer than max_length 64 tokens"):
        encode_corpus(corpus, train_tokenizer(SHORT, data), data)


def test_a_vocabulary_comes_from_an_even_part_of_very_many_pairs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("qkvae.tasks.translation.corpus._MOST_LEARNED", 10)
    pairs, words = TranslationData(), TranslationData(tokenizer="word")
    assert learned_rows(SHORT, pairs).tolist() == [0, 3, 6, 9, 12, 16, 19, 22, 25, 29]
    assert len(learned_rows(SHORT, words)) == 30
