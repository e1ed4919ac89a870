"""Text too large for memory: the same documents, split and token ids as from memory; its ids on the disk."""

from __future__ import annotations

import gzip
import json
import os
import pickle
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from qkvae.data import large as large_module
from qkvae.data.documents import Documents, read_documents, split_documents
from qkvae.data.large import LargeDocuments, is_large, read_large
from qkvae.data.packing import EncodedDocuments, PackedBatches
from qkvae.data.token_cache import cache_folder, cached_tokens
from qkvae.data.tokenizer import Tokenizer

BOOK = (
    "One day — or\r\ntwo —  the  words\n\n\nwere  gone:\tno é, no ß.  \n" * 60 + "and\x01 the rest" + "z" * 99
)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Pieces that end everywhere: inside lines, characters and line ends."""
    monkeypatch.setattr(large_module, "_PIECE", 7)
    monkeypatch.setenv("QKVAE_CACHE", str(tmp_path / "cache"))


def write_book(folder: Path) -> str:
    (folder / "book.txt").write_bytes(BOOK.encode())
    return str(folder / "book.txt")


def write_rows(folder: Path) -> str:
    """More documents than are split by their ends; some are empty, one comes twice."""
    texts = [f"document {n} of\n\n{n * 7 % 11} rows" for n in range(80)] + [
        "",
        "  ",
        "document 3 of\n\n10 rows",
    ]
    path = folder / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts), encoding="utf-8")
    return str(path)


def write_folder(folder: Path) -> str:
    texts = folder / "texts"
    texts.mkdir()
    for number in range(4):
        (texts / f"{number}.txt.gz").write_bytes(gzip.compress(BOOK[number:].encode()))
    (texts / "blank.txt").write_text(" \n" * 20, encoding="utf-8")
    (texts / "picture.png").write_bytes(b"\x89PNG\x00\x00\x00")
    return str(texts)


WRITERS = pytest.mark.parametrize("write", [write_book, write_rows, write_folder])


def whole(documents: LargeDocuments) -> list[str]:
    """The texts that the stretches make."""
    texts: list[str] = []
    for begins, text in documents.stretches():
        if begins:
            texts.append("")
        texts[-1] += text
    return texts


@WRITERS
def test_documents_and_split_are_those_from_memory(tmp_path: Path, write: object) -> None:
    path = write(tmp_path)  # type: ignore[operator]
    train, valid = split_documents(read_documents(path), 0.2)
    large, aside = read_large([path], None, lambda count: 0.2)
    assert whole(large) == train.texts
    assert aside.texts == valid.texts
    assert (len(large), large.characters) == (len(train), train.characters)
    kinds = {note.kind: note.count for note in train.notes if note.kind != "duplicates"}
    assert {note.kind: note.count for note in large.notes} == kinds
    everything, nothing = read_large([path], None)
    assert whole(everything) == read_documents(path).texts
    assert not len(nothing)
    assert everything.fingerprint != large.fingerprint


@WRITERS
@pytest.mark.parametrize("kind", ["bpe", "char", "byte", "word"])
def test_token_ids_and_batches_are_those_from_memory(tmp_path: Path, write: object, kind: str) -> None:
    path = write(tmp_path)  # type: ignore[operator]
    train, _ = split_documents(read_documents(path), 0.2)
    large, _ = read_large([path], None, lambda count: 0.2)
    size = 280 if kind == "bpe" else None
    tokenizer = Tokenizer.train(train.texts, kind, size, exact=False)
    if kind != "bpe":  # which counts what white space ends with, and stretches end elsewhere
        assert Tokenizer.train(large.sample(), kind, size, exact=False).to_json() == tokenizer.to_json()
    mapped, expected = cached_tokens(large, tokenizer, lambda said: None), tokenizer.encode_batch(train.texts)
    assert isinstance(mapped.flat, np.memmap)
    assert mapped.to_lists() == expected.to_lists()
    told = pickle.dumps(mapped)
    assert pickle.loads(told).to_lists() == mapped.to_lists()  # noqa: S301 - our own
    assert len(told) < 2000 + mapped.starts.nbytes, "a worker maps the file and is not sent it"
    assert pickle.loads(pickle.dumps(mapped[1:])).to_lists() == mapped[1:].to_lists()  # noqa: S301
    batches = [PackedBatches(EncodedDocuments(ids), 16, 4, seed=1) for ids in (mapped, expected)]
    for number in (0, 5):
        one, other = (each[number] for each in batches)
        assert bool((one.inputs == other.inputs).all() & (one.targets == other.targets).all())


def test_a_text_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large, _ = read_large([write_book(tmp_path)], None)
    tokenizer = Tokenizer.train([BOOK], "byte")
    said: list[str] = []
    done: list[float] = []
    first = cached_tokens(large, tokenizer, said.append, done.append)
    assert done == sorted(done)
    assert done[-1] == 1
    with monkeypatch.context() as patch:
        patch.setattr(Tokenizer, "encode_stretches", lambda self, parts: 1 / 0)
        again = cached_tokens(large, tokenizer, said.append)
    assert first.to_lists() == again.to_lists()
    assert "are kept in" in said[0]
    assert "encoded already" in said[1]
    (entry,) = (cache_folder() / "tokens").iterdir()
    assert sorted(path.name for path in entry.iterdir()) == ["entry.json", "ids", "starts"]
    # Another tokenizer or another text is another entry.
    cached_tokens(large, Tokenizer.train([BOOK], "char"), said.append)
    (tmp_path / "book.txt").write_bytes(BOOK.encode() + b"!")
    cached_tokens(read_large([str(tmp_path / "book.txt")], None)[0], tokenizer, said.append)
    assert len(list((cache_folder() / "tokens").iterdir())) == 3


DAMAGES = {
    "a byte changed": lambda folder: flip(folder / "ids"),
    "starts changed": lambda folder: flip(folder / "starts"),
    "cut short": lambda folder: os.truncate(folder / "ids", 100),
    "file gone": lambda folder: (folder / "starts").unlink(),
    "no entry": lambda folder: (folder / "entry.json").unlink(),
    "entry is no JSON": lambda folder: (folder / "entry.json").write_text("{", encoding="utf-8"),
    "of another text": lambda folder: renamed(folder / "entry.json", "text"),
    "of another tokenizer": lambda folder: renamed(folder / "entry.json", "tokenizer"),
    "of a later format": lambda folder: renamed(folder / "entry.json", "format"),
}


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4] ^= 1
    path.write_bytes(content)


def renamed(path: Path, name: str) -> None:
    entry = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**entry, name: 9}), encoding="utf-8")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_or_foreign_entry_is_noticed_and_made_anew(tmp_path: Path, damage: str) -> None:
    large, _ = read_large([write_book(tmp_path)], None)
    tokenizer = Tokenizer.train([BOOK], "byte")
    expected = cached_tokens(large, tokenizer, lambda said: None).to_lists()
    (folder,) = (cache_folder() / "tokens").iterdir()
    DAMAGES[damage](folder)
    said: list[str] = []
    assert cached_tokens(large, tokenizer, said.append).to_lists() == expected
    assert "damaged" in said[0]
    assert "made anew" in said[0]
    assert cached_tokens(large, tokenizer, said.append).to_lists() == expected
    assert "encoded already" in said[-1]


def test_encoding_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    large, _ = read_large([write_book(tmp_path)], None)

    def stop(done: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_tokens(large, Tokenizer.train([BOOK], "byte"), lambda said: None, stop)
    assert not list((cache_folder() / "tokens").iterdir())


def test_a_vocabulary_is_learned_from_an_evenly_spread_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, _ = read_large([write_book(tmp_path)], None)
    monkeypatch.setattr(large_module, "MOST_LEARNED", large.characters // 4)
    part = "".join(large.sample())
    assert large.characters / 5 < len(part) < large.characters / 3


def test_what_is_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_book(tmp_path)
    size = os.path.getsize(path)
    for limit, expected in ((size, True), (size + 1, False)):
        monkeypatch.setattr(large_module, "LARGE", limit)
        assert is_large([path]) is expected
    assert not is_large([])
    with pytest.raises(FileNotFoundError, match="no-such does not exist"):
        is_large([str(tmp_path / "no-such")])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a line\n" * 9 + b"caf\xe9 noir\n", "line 10 is not UTF-8"),
        (b"  \n \n", "every document is empty"),
        (b"", "is empty"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "bad.txt").write_bytes(content)
    with pytest.raises(ValueError, match=said):
        read_large([str(tmp_path / "bad.txt")], None)
    (tmp_path / "good.txt").write_bytes(b"good")
    with pytest.raises(ValueError, match="text body has no effect on plain text"):
        read_large([str(tmp_path / "good.txt")], "body")


def test_a_tar_of_too_much_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "texts.tar.xz").write_bytes(b"")
    with pytest.raises(ValueError, match=r"unpack texts\.tar\.xz and name the folder"):
        read_large([str(tmp_path / "texts.tar.xz")], None)


def test_many_documents_fall_on_the_same_sides_as_from_memory(tmp_path: Path) -> None:
    """By hash, so that equal ones never straddle."""
    large, aside = read_large([write_rows(tmp_path)], None, lambda count: 0.3)
    assert aside.texts
    assert not set(aside.texts) & set(whole(large))
    assert all(len(list(group)) for _, group in groupby(large.kept.tolist()))
    assert isinstance(aside, Documents)
