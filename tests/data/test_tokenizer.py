"""What the tokenizers promise: exact texts back, exact places, special tokens that no text can spell."""

import itertools
from pathlib import Path

import pytest
import tokenizers
from hypothesis import example, given
from hypothesis import strategies as st

from qkvae.data.tokenizer import BOS, EOS, PAD, SPECIALS, UNK, Tokenizer

TEXTS = [
    "Two dogs play in the snow.",
    "A man and his dog don't play; the dogs run.",
    "Zwei Hunde spielen im Schnee, während ein Mann läuft.",
    "Der Mann und sein Hund: 3.14 Meter! 今日は 😀",
] * 3
BPE = Tokenizer.train(TEXTS, vocab_size=320)
WORDS = Tokenizer.train(TEXTS, kind="word", exact=False)
ANY = st.text(max_size=40) | st.text(alphabet="Two dogs<s>/pad'é😀\u2009\n\u0301", max_size=30)


def test_specials_are_declared_once() -> None:
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert SPECIALS == ("<pad>", "<s>", "</s>", "<unk>")
    for tokenizer in (BPE, WORDS):
        assert tuple(tokenizer.tokens(range(4))) == SPECIALS


@given(ANY)
@example(" ")
@example("\n x")
@example("")
def test_bpe_gives_every_text_back(text: str) -> None:
    assert BPE.decode(BPE.encode(text)) == text


@given(ANY)
def test_no_text_spells_a_special_token(text: str) -> None:
    assert min(BPE.encode(text), default=4) > UNK
    assert not {PAD, BOS, EOS} & set(WORDS.encode(text))


@pytest.mark.parametrize("special", SPECIALS)
@pytest.mark.parametrize("tokenizer", [BPE, WORDS])
def test_a_text_that_looks_like_a_special_token(tokenizer: Tokenizer, special: str) -> None:
    again = Tokenizer.from_json(tokenizer.to_json())
    for each in (tokenizer, again):
        ids = each.encode(f"dogs {special} {special}{special}")
        assert not {PAD, BOS, EOS} & set(ids)
        assert each.kind == "word" or UNK not in ids
    trained = Tokenizer.train([special] * 50, kind=tokenizer.kind, exact=False)
    assert not {PAD, BOS, EOS, UNK} & set(trained.encode(special))


@given(ANY)
def test_bpe_pieces_cover_the_text(text: str) -> None:
    pieces = BPE.pieces(text)
    assert [piece.id for piece in pieces] == BPE.encode(text)
    assert [(piece.start, piece.end) for piece in pieces] == BPE.offsets(text)
    position = 0
    for piece in pieces:
        assert piece.start in (position, position - 1)  # inside a letter of several tokens, or after it
        if piece.start == position - 1:
            assert len(text[piece.start].encode()) > 1
        position = max(position, piece.end)
    assert position == len(text)


def test_offsets_count_characters_not_bytes() -> None:
    text = "Männer 😀 dogs"
    assert [text[start:end] for start, end in WORDS.offsets(text)] == ["Männer", "😀", "dogs"]
    last = BPE.pieces(text)[-1]
    assert (last.token, text[last.start : last.end]) == ("▁dogs", " dogs")


def test_a_word_is_the_same_token_at_the_start_and_inside() -> None:
    assert BPE.encode("dogs")[0] == BPE.encode("Two dogs")[-1]


@given(st.lists(ANY, max_size=6))
def test_a_batch_is_its_texts(texts: list[str]) -> None:
    for tokenizer in (BPE, WORDS):
        rows = tokenizer.encode_batch(texts)
        assert rows.to_lists() == [tokenizer.encode(text) for text in texts]
        assert tokenizer.decode_batch(rows) == [tokenizer.decode(tokenizer.encode(text)) for text in texts]


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = BPE.encode_batch(TEXTS).to_lists()
    monkeypatch.setattr("qkvae.data.tokenizer.CHUNK", 5)
    assert BPE.encode_batch(iter(TEXTS)).to_lists() == whole


def test_decode_leaves_out_what_frames_a_sentence() -> None:
    assert BPE.decode([BOS, *BPE.encode("Two dogs"), EOS, PAD]) == "Two dogs"
    assert WORDS.decode([BOS, *WORDS.encode("dog xylophone."), EOS, PAD]) == "dog <unk>."


def test_rare_words_are_unknown() -> None:
    tokenizer = Tokenizer.train(["often often once"], kind="word", min_frequency=2, exact=False)
    assert tokenizer.encode("often once") == [4, UNK]


@pytest.mark.parametrize(
    "text",
    [
        'He said: "Don\'t run, dogs!" (twice)',
        "L'amico dell'Unione è qui.",
        "It costs 3.14 or 1,000 at 12:30; well-known...",
        "Er sagt: „Guten Tag“ und geht.",
        "and/or 50% [sic]",
    ],
)
def test_words_are_joined_as_people_write(text: str) -> None:
    tokenizer = Tokenizer.train([text] * 2, kind="word", exact=False)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_merges_tell_how_a_word_came_about() -> None:
    for word in BPE.merges("Two dogs play"):
        assert all(len(after) == len(before) - 1 for before, after in itertools.pairwise(word))
    last = [token for word in BPE.merges("Two dogs play") for token in word[-1]]
    assert last == BPE.tokens(BPE.encode("Two dogs play"))


def test_training_is_repeatable() -> None:
    assert Tokenizer.train(TEXTS, vocab_size=320).to_json() == BPE.to_json()


@pytest.mark.parametrize("kind", ["bpe", "word"])
def test_a_vocabulary_larger_than_the_texts_allow(kind: str) -> None:
    largest = len(Tokenizer.train(TEXTS, kind, vocab_size=5000, exact=False))
    assert len(Tokenizer.train(TEXTS, kind, vocab_size=largest)) == largest
    with pytest.raises(ValueError, match=f"vocab_size is {largest + 1}, .* at most {largest} tokens"):
        Tokenizer.train(TEXTS, kind, vocab_size=largest + 1)


@pytest.mark.parametrize(("kind", "least"), [("bpe", 260), ("word", 5)])
def test_a_vocabulary_too_small_for_its_alphabet(kind: str, least: int) -> None:
    with pytest.raises(ValueError, match=f"vocab_size is {least - 1}, but must be at least {least}"):
        Tokenizer.train(TEXTS, kind, vocab_size=least - 1)


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match='kind is "words": did you mean "word"'):
        Tokenizer.train(TEXTS, "words")


@pytest.mark.parametrize("tokenizer", [BPE, WORDS])
def test_save_and_load(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.to_json() == tokenizer.to_json()
    assert loaded.kind == tokenizer.kind
    assert loaded.encode(TEXTS[3]) == tokenizer.encode(TEXTS[3])


@given(ANY)
def test_the_library_reads_the_file_alike(text: str) -> None:
    library = tokenizers.Tokenizer.from_str(BPE.to_json())
    library.encode_special_tokens = True
    ids = library.encode(text).ids
    assert ids == BPE.encode(text)
    assert library.decode(ids) == text


def test_what_is_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokenizer\.json: not a tokenizer\.json"):
        Tokenizer.load(tmp_path / "tokenizer.json")
    foreign = tokenizers.Tokenizer(tokenizers.models.BPE())
    with pytest.raises(ValueError, match="first tokens are"):
        Tokenizer.from_json(foreign.to_str())
    with pytest.raises(ValueError, match="model is Unigram"):
        Tokenizer.from_json(tokenizers.Tokenizer(tokenizers.models.Unigram()).to_str())
