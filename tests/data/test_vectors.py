"""Word vectors: three text formats are read; a lying header and wrong widths are refused with their line."""

from __future__ import annotations

import gzip
import lzma
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qkvae.data.tokenizer import Tokenizer
from qkvae.data.vectors import Vectors, match, read_vectors, words_of

ROWS = ["the 0.1 -2 3e-1", "cat 1 2 3", ". . . 4 5 6", "Köln 7 8 9"]


def write(path: Path, lines: list[str] | bytes) -> Path:
    data = lines if isinstance(lines, bytes) else "".join(line + "\n" for line in lines).encode()
    path.write_bytes({".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)(data))
    return path


def refusal(path: Path) -> str:
    with pytest.raises((ValueError, OSError)) as caught:
        read_vectors(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["glove.txt", "glove.txt.gz", "glove.txt.xz"])
@pytest.mark.parametrize("header", [[], ["4 3"]])
@pytest.mark.parametrize("trailing", ["", " "])
def test_glove_word2vec_and_fasttext(tmp_path: Path, name: str, header: list[str], trailing: str) -> None:
    found = read_vectors(write(tmp_path / name, [*header, *(row + trailing for row in ROWS)]))
    assert found.words == ["the", "cat", ". . .", "Köln"]
    assert found.matrix.dtype == np.float32
    assert found["the"].tolist() == pytest.approx([0.1, -2, 0.3])
    assert found["Köln"].tolist() == [7, 8, 9]
    assert [note.kind for note in found.notes] == ["word with spaces"]


def test_only_the_words_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", ROWS)
    found = read_vectors(path, ["Köln", "cat", "dog"])
    assert found.words == ["cat", "Köln"]
    assert "dog" not in found
    with pytest.raises(ValueError, match="no vector of the 1 words asked for"):
        read_vectors(path, {"dog"})


def test_words_given_twice_and_empty_ones(tmp_path: Path) -> None:
    found = read_vectors(write(tmp_path / "a.txt", ["cat 1 2", "dog 3 4", "cat 5 6", " 7 8"]))
    assert found["cat"].tolist() == [1, 2]
    assert [str(note) for note in found.notes] == [
        "1 word was given twice; the first vector counts (a.txt:3: cat)",
        "1 vector of an empty word was dropped (a.txt:4)",
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["100 3", *ROWS], "line 1 says 100 words of 3 values, but 4 follow: it was cut short"),
        (["3 3", *ROWS], "line 1 says 3 words of 3 values, but 4 follow"),
        (["cat 1 2 3", "dog 1 2"], "line 2 has 2 values, but its first line has 3"),
        (["cat 1 2 3", "dog 1 2 3 4"], "line 2 has 4 values, but its first line has 3"),
        (["2 4", "cat 1 2 3", "dog 1 2 3"], "line 2 has 3 values, but its header has 4"),
        (["cat 1 2 x"], "line 1: could not convert string to float: 'x'"),
        (["cat 1 2 nan"], 'line 1: the vector of "cat" is not finite'),
        (["cat"], "line 1 has 0 values"),
        (b"", "is empty"),
        (b"3 2\ncat " + struct.pack("<2f", 0.1, -2.5) + b"\n", "a.txt is word2vec's binary format, not text"),
        (b"\xba\x16\x4f\x2f\x0c\x00\x00\x00", "a.txt is a saved model, not text"),
        (b"\x80\x04\x95cgensim", "a.txt is a saved model, not text"),
    ],
)
def test_what_is_refused(tmp_path: Path, rows: list[str] | bytes, message: str) -> None:
    assert message in refusal(write(tmp_path / "a.txt", rows))


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=8)
NUMBERS = st.lists(st.floats(-100, 100, width=32), min_size=3, max_size=3)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(WORDS, NUMBERS, min_size=1, max_size=20))
def test_what_is_written_is_read(tmp_path: Path, vectors: dict[str, list[float]]) -> None:
    rows = [f"{word} {' '.join(map(repr, values))}" for word, values in vectors.items()]
    found = read_vectors(write(tmp_path / "a.vec", [f"{len(rows)} 3", *rows]))
    assert found.words == list(vectors)
    np.testing.assert_array_equal(found.matrix, np.array(list(vectors.values()), np.float32))


def test_neighbours_and_analogies() -> None:
    generator = np.random.default_rng(0)
    base = generator.normal(size=(30, 8)).astype(np.float32)
    vectors = Vectors([f"w{n}" for n in range(30)], base)
    units = base / np.linalg.norm(base, axis=1, keepdims=True)
    expected = np.argsort(-(units @ units[3]))[1:6]
    found = vectors.neighbours("w3", 5)
    assert [word for word, _ in found] == [f"w{n}" for n in expected]
    assert [cosine for _, cosine in found] == pytest.approx((units @ units[3])[expected].tolist())
    assert vectors.neighbours(base[3], 1)[0][0] == "w3"
    wanted = units[1] - units[0] + units[2]
    left = [n for n in np.argsort(-(units @ wanted)) if n > 2]
    assert vectors.analogy("w0", "w1", "w2")[0][0] == f"w{left[0]}"
    with pytest.raises(ValueError, match='no vector of "w33"'):
        vectors.neighbours("w33")
    zero = Vectors(["a", "b"], np.array([[0, 0], [1, 0]], np.float32))
    assert zero.neighbours("b") == [("a", 0.0)]


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_match_finds_whole_words(kind: str) -> None:
    tokenizer = Tokenizer.train(
        ["the cat saw the cat in Rome"] * 3, kind, 280 if kind == "bpe" else None, exact=False
    )
    vectors = Vectors(["cat", "rome", "at", "the"], np.arange(8, dtype=np.float32).reshape(4, 2))
    found = match(vectors, tokenizer)
    shown = [token.removeprefix("▁") for token in tokenizer.tokens(found.ids)]
    assert {"cat", "the"} <= set(shown) <= {"cat", "the", "Rome"}
    for token, row in zip(shown, found.rows, strict=True):
        assert row.tolist() == vectors[token.lower()].tolist()
    assert found.notes[0].count == len(shown)
    assert sum(note.count for note in found.notes) == len(words_of(tokenizer))


def test_match_of_nothing() -> None:
    with pytest.raises(ValueError, match="not one of 1 words"):
        match(Vectors(["a"], np.ones((1, 2), np.float32)), ["b"])
