"""What the tokenizers promise: exact texts back, exact places, special tokens that no text can spell."""

import itertools
import pickle
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from hypothesis import example, given, settings
from hypothesis import strategies as st

from qkvae.config import Decoder, Encoder
from qkvae.data.tokenizer import BOS, EOS, PAD, SPECIALS, UNK, Tokenizer
from qkvae.interop.huggingface.tokens import read_tokenizer, write_tokenizer

TEXTS = [
    "Two dogs play in the snow.",
    "A man and his dog don't play; the dogs run.",
    "Zwei Hunde spielen im Schnee, während ein Mann läuft.",
    "Der Mann und sein Hund: 3.14 Meter! 今日は 😀",
] * 3
BPE = Tokenizer.train(TEXTS, vocab_size=320)
WORDS = Tokenizer.train(TEXTS, kind="word", exact=False)
CHARS = Tokenizer.train(TEXTS, kind="char")
BYTES = Tokenizer.train([], kind="byte")
ALL = pytest.mark.parametrize("tokenizer", [BPE, WORDS, CHARS, BYTES], ids=lambda each: each.kind)
ANY = st.text(max_size=40) | st.text(alphabet="Two dogs<s>/pad'é😀\u2009\n\u0301", max_size=30)


def test_specials_are_declared_once() -> None:
    assert (PAD, BOS, EOS, UNK) == (0, 1, 2, 3)
    assert SPECIALS == ("<pad>", "<s>", "</s>", "<unk>")
    for tokenizer in (BPE, WORDS, CHARS, BYTES):
        assert tuple(tokenizer.tokens(range(4))) == tokenizer.specials == SPECIALS


@given(ANY)
@example(" ")
@example("\n x")
@example("")
def test_bpe_and_bytes_give_every_text_back(text: str) -> None:
    assert BPE.decode(BPE.encode(text)) == text
    assert BYTES.decode(BYTES.encode(text)) == text
    assert len(BYTES.encode(text)) == len(text.encode())


@given(st.text(alphabet="".join(sorted(set("".join(TEXTS)))), max_size=40))
def test_characters_give_back_what_they_have_seen(text: str) -> None:
    assert CHARS.decode(CHARS.encode(text)) == text
    assert len(CHARS.encode(text)) == len(text)


def test_unseen_characters_and_words_are_unknown_and_counted() -> None:
    assert CHARS.encode("dog~\ndog~") == [*CHARS.encode("dog"), UNK, UNK, *CHARS.encode("dog"), UNK]
    assert CHARS.decode(CHARS.encode("dog~")) == "dog<unk>"
    assert CHARS.unknown(["dog~\n", "", "~"]) == {"~": 2, "\n": 1}
    assert WORDS.unknown(["dogs hop, hop"]) == {"hop": 2}
    assert not BPE.unknown(["~ today"])
    assert not BYTES.unknown(["~ today"])


@given(ANY)
def test_no_text_spells_a_special_token(text: str) -> None:
    assert min(BPE.encode(text), default=4) > UNK
    assert not {PAD, BOS, EOS} & set(WORDS.encode(text))
    assert not {PAD, BOS, EOS} & set(CHARS.encode(text))
    assert min(BYTES.encode(text), default=4) > UNK


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
def test_pieces_cover_the_text(text: str) -> None:
    for tokenizer in (BPE, CHARS, BYTES):
        pieces = tokenizer.pieces(text)
        assert [piece.id for piece in pieces] == tokenizer.encode(text)
        assert [(piece.start, piece.end) for piece in pieces] == tokenizer.offsets(text)
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


@settings(deadline=None)  # the first word tokenized takes its time
@given(st.lists(ANY, max_size=6))
def test_a_batch_is_its_texts(texts: list[str]) -> None:
    for tokenizer in (BPE, WORDS, CHARS, BYTES):
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


@pytest.mark.parametrize("kind", ["bpe", "word", "char"])
def test_a_vocabulary_larger_than_the_texts_allow(kind: str) -> None:
    largest = len(Tokenizer.train(TEXTS, kind, vocab_size=5000, exact=False))
    assert len(Tokenizer.train(TEXTS, kind, vocab_size=largest)) == largest
    with pytest.raises(ValueError, match=f"vocab_size is {largest + 1}, .* at most {largest} tokens"):
        Tokenizer.train(TEXTS, kind, vocab_size=largest + 1)


@pytest.mark.parametrize(("kind", "least"), [("bpe", 260), ("word", 5), ("char", 5)])
def test_a_vocabulary_too_small_for_its_alphabet(kind: str, least: int) -> None:
    with pytest.raises(ValueError, match=f"vocab_size is {least - 1}, but must be at least {least}"):
        Tokenizer.train(TEXTS, kind, vocab_size=least - 1)


def test_unknown_kind() -> None:
    with pytest.raises(ValueError, match='kind is "words": did you mean "word"'):
        Tokenizer.train(TEXTS, "words")


@ALL
def test_save_and_load(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.to_json() == tokenizer.to_json()
    assert loaded.kind == tokenizer.kind
    assert loaded.encode(TEXTS[3]) == tokenizer.encode(TEXTS[3])


@settings(deadline=None)
@given(ANY)
def test_the_library_reads_the_file_alike(text: str) -> None:
    for tokenizer in (BPE, WORDS, CHARS, BYTES):
        library = tokenizers.Tokenizer.from_str(tokenizer.to_json())
        library.encode_special_tokens = True
        ids = library.encode(text).ids
        assert ids == tokenizer.encode(text)
        if tokenizer.kind != "word":
            assert library.decode(ids, skip_special_tokens=False) == tokenizer.decode(ids)


# Long texts, declared special tokens, text that comes token by token


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from(["Two", "dogs", "'s", " ", "  ", "\n", "\t", "é", "3.1", "l'", "-", "😀"]),
        max_size=60,
    )
)
def test_stretches_do_not_show(words: list[str]) -> None:
    text = "".join(words)
    for tokenizer in (BPE, WORDS):
        whole = tokenizer.encode_batch([text, "dogs", text]).to_lists()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("qkvae.data.token_kinds.STRETCH", 4)
            patch.setattr("qkvae.data.tokenizer.CHUNK", 3)
            assert tokenizer.encode_batch([text, "dogs", text]).to_lists() == whole


def test_a_long_text_is_learned_from_as_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    text = " ".join(TEXTS * 3)
    whole = [Tokenizer.train([text], kind, 300, exact=False).to_json() for kind in ("bpe", "word", "char")]
    monkeypatch.setattr("qkvae.data.token_kinds.STRETCH", 20)
    again = [Tokenizer.train([text], kind, 300, exact=False).to_json() for kind in ("bpe", "word", "char")]
    assert again == whole


def test_a_million_characters_are_quick() -> None:
    text = "The dogs play. 😀ä" * 60_000
    for tokenizer in (CHARS, BYTES):
        start = time.process_time()
        ids = tokenizer.encode_batch([text]).flat
        assert time.process_time() - start < 1
        assert ids.dtype == np.int32
        assert tokenizer.decode(ids) == text


MORE = ("[MASK]", "<user>", "<|x|>")


@pytest.mark.parametrize("kind", ["bpe", "word", "char", "byte"])
def test_more_special_tokens_are_declared_at_training(kind: str) -> None:
    size = None if kind == "byte" else 280
    tokenizer = Tokenizer.train([*TEXTS, "[MASK] <user> <|x|>"] * 9, kind, size, exact=False, specials=MORE)
    for each in (tokenizer, Tokenizer.from_json(tokenizer.to_json()), pickle.loads(pickle.dumps(tokenizer))):  # noqa: S301
        assert each.specials == (*SPECIALS, *MORE)
        assert [each.special(name) for name in MORE] == [4, 5, 6]
        assert each.tokens(range(7)) == [*SPECIALS, *MORE]
        assert min(each.encode("dogs [MASK] <user> <|x|>[MASK]")) >= 7
        assert each.decode([4, *each.encode("dogs"), 5]).replace(" ", "") == "[MASK]dogs<user>"
    with pytest.raises(ValueError, match='no special token "<usr>": did you mean "<user>"'):
        tokenizer.special("<usr>")
    if kind == "bpe":
        again = Tokenizer.from_json(tokenizer.to_json())
        assert again.words(["Two dogs"]).sample(0.0, 0).to_lists() == [tokenizer.encode("Two dogs")]


@pytest.mark.parametrize("kind", ["bpe", "word"])
def test_a_mark_stands_where_a_word_stood(kind: str) -> None:
    tokenizer = Tokenizer.train(["The cat sat on the mat ."] * 9, kind, 300, exact=False, specials=MORE)
    words = ["The", "cat", "sat", "on", "the", "mat", "."]
    whole = tokenizer.encode(" ".join(words))
    assert len(whole) == len(words)
    for marked in ([0], [3], [6], [0, 1], [2, 3, 6], []):
        text = " ".join("[MASK]" if at in marked else word for at, word in enumerate(words))
        ids = [4 if at in marked else index for at, index in enumerate(whole)]
        assert tokenizer.encode_marked(text, "[MASK]") == ids
    with pytest.raises(ValueError, match="no special token"):
        tokenizer.encode_marked("[CLS]", "[CLS]")


def test_a_mark_among_characters() -> None:
    tokenizer = Tokenizer.train(TEXTS, "char", specials=MORE)
    ids = tokenizer.encode_marked("do[MASK]s [MASK]", "[MASK]")
    assert tokenizer.tokens(ids) == ["d", "o", "[MASK]", "s", "▁", "[MASK]"]


@pytest.mark.parametrize("name", ["mask", "<>", "<->", "<a b>", "x<mask>", ""])
def test_a_special_token_that_a_text_could_spell(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be a special token: write it"):
        Tokenizer.train(TEXTS, "char", specials=[name])


@pytest.mark.parametrize("names", [("<s>",), ("[MASK]", "[MASK]")])
def test_a_special_token_declared_twice(names: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="declared twice"):
        Tokenizer.train(TEXTS, "char", specials=names)


@given(st.lists(st.integers(0, 262), max_size=30), st.integers(0, 30))
def test_text_that_comes_token_by_token(ids: list[int], known: int) -> None:
    for tokenizer in (BPE, BYTES, CHARS, WORDS):
        own = [index for index in ids if index < len(tokenizer)]
        decoder = tokenizer.decoder()
        before = decoder.add(own[:known])
        after = "".join(decoder.add([index]) for index in own[known:]) + decoder.end()
        assert before + after == tokenizer.decode(own)
    library = tokenizers.Tokenizer.from_str(BPE.to_json())
    assert BPE.decode(ids) == library.decode(
        [i for i in ids if i not in (PAD, BOS, EOS)], skip_special_tokens=False
    )


def test_half_a_letter_is_held_back() -> None:
    decoder = BYTES.decoder()
    assert [decoder.add([index]) for index in BYTES.encode("é😀")] == ["", "é", "", "", "", "😀"]
    assert decoder.add(BYTES.encode("é")[:1]) == ""
    assert decoder.end() == "\ufffd"


def test_the_most_frequent_characters() -> None:
    tokenizer = Tokenizer.train(["aaabbc"], "char", vocab_size=6)
    assert tokenizer.tokens(range(4, 6)) == ["a", "b"]
    assert len(Tokenizer.train(["aaabbc"], "char", min_frequency=3)) == 5


@pytest.mark.parametrize(("setting", "value"), [("vocab_size", 300), ("min_frequency", 2)])
def test_bytes_have_no_choice(setting: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{setting} {value} has no effect on tokenizer byte"):
        Tokenizer.train(TEXTS, "byte", **{setting: value})


def test_what_is_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(ValueError, match=r"tokenizer\.json: not a tokenizer\.json"):
        Tokenizer.load(tmp_path / "tokenizer.json")
    foreign = tokenizers.Tokenizer(tokenizers.models.BPE())
    with pytest.raises(ValueError, match="first tokens are"):
        Tokenizer.from_json(foreign.to_str())
    with pytest.raises(ValueError, match="model is Unigram"):
        Tokenizer.from_json(tokenizers.Tokenizer(tokenizers.models.Unigram()).to_str())


@pytest.mark.parametrize("kind", ["word", "char", "byte", "bpe"])
@pytest.mark.parametrize("family", [Decoder, Encoder])
def test_in_a_folder_for_others_it_stays_what_it_was(kind: str, family: Any, tmp_path: Path) -> None:
    text = "The dog, and the cat: the dog.\nThe cat and a dog!"
    ours = Tokenizer.train([text] * 2, kind)
    model = family(vocab=len(ours))
    write_tokenizer(ours, tmp_path, model)
    again = read_tokenizer(tmp_path, "llama" if family is Decoder else "bert", model)
    for each in (text, "the dog", "a"):
        assert again.encode(each) == ours.encode(each)
        assert again.decode(again.encode(each)) == ours.decode(ours.encode(each))
    assert (len(again), again.marks.pad, again.marks.eos) == (len(ours), ours.marks.pad, ours.marks.eos)
    with pytest.raises(ValueError, match=f"has {len(ours)} tokens, but the model {len(ours) - 1}"):
        read_tokenizer(tmp_path, "llama", Decoder(vocab=len(ours) - 1))
