"""From files to token ids: what is split off, which tokens, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_texts import chats, story, write_book, write_chats, write_folder

from qkvae.config import Decoder, TextData, TextGeneration, Training, Writing
from qkvae.data.chat import Chats
from qkvae.data.documents import Documents
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks import texts
from qkvae.tasks.text_generation.corpus import (
    bytes_spelt,
    chosen_kind,
    encode_texts,
    read_corpus,
    train_tokenizer,
)


def test_the_end_of_a_book_is_split_off(tmp_path: Path) -> None:
    read = read_corpus(TextData(paths=(write_book(tmp_path),), valid_fraction=0.25))
    assert read.train.texts[0] + read.valid.texts[0] == story()
    assert len(read.valid.texts[0]) == pytest.approx(len(story()) / 4, abs=1)


def test_the_default_is_there_without_data() -> None:
    read = read_corpus(TextData())
    assert len(read.train) > 50
    assert 0 < len(read.valid) < len(read.train)


def test_no_more_than_enough_is_split_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(texts, "MOST_VALID", 50)
    read = read_corpus(TextData(paths=(write_book(tmp_path),)))
    assert 40 <= len(read.valid.texts[0]) <= 51


def test_chats_keep_their_template_with_the_tokenizer(tmp_path: Path) -> None:
    data = TextData(paths=(write_chats(tmp_path),), format="chat")
    read = read_corpus(data)
    tokenizer = train_tokenizer(read.train, data)
    assert tokenizer.specials[4:] == ("<system>", "<user>", "<assistant>")
    encoded = encode_texts(read.train, tokenizer)
    assert encoded.counted is not None
    assert 0 < encoded.counted.mean() < 1


def test_the_vocabulary_is_learned_from_the_training_part_alone() -> None:
    tokenizer = train_tokenizer(Documents(["abab " * 9]), TextData(paths=("x",), tokenizer="char"))
    assert tokenizer.decode(tokenizer.encode("abz")) == "ab<unk>"


@pytest.mark.parametrize(
    ("text", "kind"),
    [(story(), "char"), ("".join(map(chr, range(500, 900))) * 9, "bpe"), (story() * 4000, "bpe")],
)
def test_auto_takes_characters_for_little_text_of_few(text: str, kind: str) -> None:
    assert chosen_kind(Documents([text])) == kind


def test_bytes_are_told_where_tokens_spell_the_text() -> None:
    texts = Documents(["né né", "€"])
    for kind, known in (("byte", 10), ("char", 10), ("bpe", 10), ("word", None)):
        tokenizer = Tokenizer.train(texts.texts, kind)
        assert bytes_spelt(texts, encode_texts(texts, tokenizer), tokenizer) == known
    narrow = Tokenizer.train(["né"], "char")
    assert bytes_spelt(texts, encode_texts(texts, narrow), narrow) is None
    said = Chats(chats(3).conversations)
    tokenizer = Tokenizer.train(said.texts(), "char", specials=("<system>", "<user>", "<assistant>"))
    expected = sum(
        len(turn.content) for each in said.conversations for turn in each if turn.role == "assistant"
    )
    assert bytes_spelt(said, encode_texts(said, tokenizer), tokenizer) == expected


def test_the_fingerprint_knows_which_part_a_text_is_in(tmp_path: Path) -> None:
    path = write_folder(tmp_path)
    first, again = (read_corpus(TextData(paths=(path,), valid_fraction=0.3)) for _ in range(2))
    assert first.fingerprint == again.fingerprint
    other = read_corpus(TextData(paths=(path,), valid_fraction=0.4))
    assert other.fingerprint != first.fingerprint


REFUSED = [
    (lambda: TextData(valid=("v.txt",)), "--valid is given without DATA"),
    (
        lambda: TextData(paths=("c.jsonl",), format="chat", text="body"),
        "text body has no effect with format chat",
    ),
    (lambda: TextData(tokenizer="byte", vocab_size=300), "vocab_size 300 has no effect with tokenizer byte"),
    (lambda: Writing(temperature=0, top_p=0.9), "top_p has no effect with temperature 0"),
    (lambda: Writing(stop=("",)), "stop holds an empty string"),
    (
        lambda: TextGeneration(model=Decoder(max_length=99)),
        "max_length is 99, which is no room for rows of length 256",
    ),
    (
        lambda: TextGeneration(training=Training(batch_tokens=100)),
        "holds no row of length 256: use batch_tokens 256",
    ),
    (lambda: read_corpus(TextData(format="chat")), "format chat needs DATA"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_what_makes_no_sense_is_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
