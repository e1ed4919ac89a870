"""Reading documents: nothing is lost or changed without being said, and the split is what it says."""

from __future__ import annotations

import gzip
import json
import lzma
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkvae.data.default_text import default_documents
from qkvae.data.documents import MANY, Documents, fingerprint, read_documents, split_documents

BOOK = "Call me Ishmael.\n\nSome years ago — never mind how long…\n\tA tab, and é.\n"
ROWS = [f"document {n}\nof two lines" for n in range(5)]


def write(path: Path, text: str | bytes) -> Path:
    data = text if isinstance(text, bytes) else text.encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes({".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)(data))
    return path


def notes(documents: Documents) -> dict[str, int]:
    return {note.kind: note.count for note in documents.notes}


def refusal(*args: object) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - each test looks at the message
        read_documents(*args)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


# files and folders


@pytest.mark.parametrize("name", ["book.txt", "book.txt.gz", "book.xz", "book", "book.md"])
def test_a_text_file_is_one_document(tmp_path: Path, name: str) -> None:
    documents = read_documents(write(tmp_path / name, BOOK))
    assert documents.texts == [BOOK]
    assert documents.where(0) == f"{name}:1"
    assert documents.notes == ()
    assert (documents.characters, documents.bytes) == (len(BOOK), len(BOOK.encode()))


def test_several_paths_in_their_order(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, name * 3) for name in ("b.txt", "a.txt")]
    assert read_documents(paths).texts == ["b.txt" * 3, "a.txt" * 3]


def test_a_line_of_any_length_is_kept(tmp_path: Path) -> None:
    text = "word " * 60_000
    assert read_documents(write(tmp_path / "text8", text)).texts == [text]
    row = json.dumps({"text": text})
    assert read_documents(write(tmp_path / "long.jsonl", row)).texts == [text]


def test_a_folder_is_read_in_the_order_of_its_names(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    for name in ("b.txt", "a/z.txt", "a.txt", ".git/config", "a/.hidden", "c.txt.gz"):
        write(folder / name, f"text of {name}")
    write(folder / "picture.png", b"\x89PNG\r\n\x1a\n\x00\x00")
    write(folder / "old.txt", "Männer".encode("latin-1"))
    write(folder / "rows.jsonl", json.dumps({"text": "a row"}))
    write(folder / "empty.txt", "")
    documents = read_documents(folder)
    found = [documents.where(at) for at in range(len(documents))]
    assert found == ["a/z.txt:1", "a.txt:1", "b.txt:1", "c.txt.gz:1", "rows.jsonl:1"] or found == sorted(
        found
    )
    assert documents.texts[found.index("a/z.txt:1")] == "text of a/z.txt"
    assert documents.texts[found.index("rows.jsonl:1")] == "a row"
    assert notes(documents) == {"empty": 1, "not text": 2, "columns": 1}
    (left_out,) = [note for note in documents.notes if note.kind == "not text"]
    assert left_out.examples == ("old.txt", "picture.png")


def test_a_zip_is_read_as_a_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        for name in ("b.txt", "a.txt", "__MACOSX/._a.txt"):
            archive.writestr(name, f"text of {name}")
    assert read_documents(tmp_path / "texts.zip").texts == ["text of a.txt", "text of b.txt"]


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tar.xz"])
def test_a_tar_is_read_in_one_pass_as_packed(tmp_path: Path, ending: str) -> None:
    (tmp_path / "rows.csv").write_text("text\nof a row\n", encoding="utf-8")
    (tmp_path / "zipped.txt.gz").write_bytes(gzip.compress(b"of a file in it"))
    (tmp_path / "plain.txt").write_text("of a file", encoding="utf-8")
    (tmp_path / "picture.txt").write_bytes(b"\x00\x01")
    mode = {"tar": "w", "tar.gz": "w:gz", "tar.xz": "w:xz"}[ending]
    with tarfile.open(tmp_path / f"texts.{ending}", mode) as archive:
        for name in ("rows.csv", "zipped.txt.gz", "plain.txt", "picture.txt"):
            archive.add(tmp_path / name, f"texts/{name}")
    found = read_documents(tmp_path / f"texts.{ending}")
    assert found.texts == ["of a row", "of a file in it", "of a file"]
    assert found.where(2) == "texts/plain.txt:1"
    assert [note.count for note in found.notes if "no UTF-8 text" in str(note)] == [1]  # the picture


def test_folders_without_text(tmp_path: Path) -> None:
    write(tmp_path / "one/picture.png", b"\x89PNG\x00")
    assert "one holds no text: picture.png is a binary file" in refusal(tmp_path / "one")
    write(tmp_path / "one/again.png", b"\x89PNG\x00")
    assert refusal(tmp_path / "one") == "one holds no text in 2 files"
    (tmp_path / "none").mkdir()
    assert refusal(tmp_path / "none") == "none holds no text"
    assert "every document is empty" in refusal(write(tmp_path / "blank.txt", " \n\n"))


def test_what_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "old.txt", "one\nMänner".encode("latin-1")))
    assert message.startswith("old.txt: line 2 is not UTF-8")
    assert "is UTF-16" in refusal(write(tmp_path / "wide.txt", "wide text".encode("utf-16")))
    damaged = tmp_path / "book.gz"
    damaged.write_bytes(gzip.compress(BOOK.encode())[:-9])
    assert "damaged or cut short" in refusal(damaged)
    with pytest.raises(FileNotFoundError, match=r'did you mean ".*old\.txt"'):
        read_documents(tmp_path / "odl.txt")
    with pytest.raises(ValueError, match="no path is given"):
        read_documents([])


def test_what_is_handled_is_counted(tmp_path: Path) -> None:
    raw = b"\xef\xbb\xbfone\r\ntwo\rthree\x00\x0b\xe2\x80\xa8four\x7f\n".replace(b"\x00", b"\x01")
    documents = read_documents([write(tmp_path / "a.txt", raw), write(tmp_path / "b.txt", "two")])
    assert documents.texts == ["one\ntwo\nthree   four \n", "two"]
    assert notes(documents) == {"byte-order mark": 1, "carriage returns": 2, "control characters": 4}
    twice = read_documents([tmp_path / "b.txt", tmp_path / "b.txt"])
    assert len(twice) == 2
    assert [str(note) for note in twice.notes] == [
        "1 exact duplicate of an earlier document was kept (b.txt:1)"
    ]


# tables


@pytest.mark.parametrize("column", ["body", "1", 1])
def test_csv(tmp_path: Path, column: str | int) -> None:
    head = "number,body\n" if column == "body" else ""
    cells = "".join(f'{n},"{text}"\n' for n, text in enumerate(ROWS))
    documents = read_documents(write(tmp_path / "rows.csv", head + cells), column)
    assert documents.texts == ROWS
    first = 2 if head else 1
    assert list(documents.lines) == [first + 2 * n for n in range(5)]


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_the_column_of_the_text_is_known_by_its_name(tmp_path: Path, ending: str) -> None:
    path = write(tmp_path / f"a.tsv{ending}", "id\tText\n" + "".join(f"{n}\tword {n}\n" for n in range(3)))
    documents = read_documents(path)
    assert documents.texts == ["word 0", "word 1", "word 2"]
    assert "table was read by one of its columns" in str(documents.notes[0])
    single = read_documents(write(tmp_path / "b.csv", "text\none\ntwo\n"))
    assert single.texts == ["one", "two"]
    assert str(single.notes[0]) == '1 first row was left out as a header (b.csv: "text")'
    bare = read_documents(write(tmp_path / "c.csv", "one\n\ntwo\nthree,four\n"))
    assert bare.texts == ["one", "two"]
    assert notes(bare) == {"first row": 1, "blank row": 1, "ragged row": 1}


def test_jsonl(tmp_path: Path) -> None:
    cells = [{"id": n, "text": text} for n, text in enumerate(ROWS)]
    lines = "\n".join(json.dumps(cell) for cell in [*cells, {"id": 9}, {"id": 10, "text": None}])
    path = write(tmp_path / "rows.jsonl", lines + "\n\n")
    documents = read_documents(path)
    assert documents.texts == ROWS
    assert notes(documents) == {"columns": 1, "empty": 2, "blank row": 1}
    assert refusal(path, "id") == 'rows.jsonl: line 1: column "id" is 0, not text'
    assert 'no column "txt": did you mean "text"' in refusal(path, "txt")
    write(path, '{"a": "x", "b": "y"}')
    assert refusal(path) == "rows.jsonl: say which column is the text (0: a, 1: b)"
    assert read_documents(write(path, '["x", "y"]'), 1).texts == ["y"]
    assert "line 1 is not JSON" in refusal(write(path, "{no"))


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"n": [1, 2, 3], "text": ["one", None, "three"]}), path)
    documents = read_documents(path)
    assert documents.texts == ["one", "three"]
    assert list(documents.lines) == [1, 3]
    assert 'row 1: column "n" is 1, not text' in refusal(path, "n")
    assert 'no column "txt"' in refusal(path, "txt")
    assert "is no Parquet file" in refusal(write(path, b"PAR1 nothing"))
    with zipfile.ZipFile(tmp_path / "rows.zip", "w") as archive:
        parquet.write_table(pyarrow.table({"text": ["zipped"]}), path)
        archive.write(path, "rows.parquet")
    assert read_documents(tmp_path / "rows.zip").texts == ["zipped"]


def test_parquet_without_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    path = write(tmp_path / "rows.parquet", b"PAR1")
    assert refusal(path) == 'rows.parquet is Parquet, which needs the extra data: pip install "qkvae[data]"'


def test_a_column_of_plain_text(tmp_path: Path) -> None:
    assert "text body has no effect on plain text" in refusal(write(tmp_path / "a.txt", BOOK), "body")


# splitting


@given(st.text(min_size=2, max_size=300), st.floats(0.05, 0.95))
def test_a_single_text_is_cut_where_the_fraction_says(text: str, fraction: float) -> None:
    cut = int((1 - fraction) * len(text))
    if not 0 < cut < len(text):
        with pytest.raises(ValueError, match="are too few to set"):
            split_documents(Documents([text]), fraction)
        return
    train, valid = split_documents(Documents([text]), fraction)
    assert (train.texts, valid.texts) == ([text[:cut]], [text[cut:]])
    assert valid.lines[0] == 1 + text[:cut].count("\n")


def test_the_usual_ninety_to_ten() -> None:
    text = "x" * 1_115_394
    train, valid = split_documents(Documents([text]), 0.1)
    assert train.texts == [text[: int(0.9 * len(text))]]
    assert len(valid.texts[0]) == 111_540


def test_few_documents_are_cut_each() -> None:
    train, valid = split_documents(Documents(["abcdefghij" * 2, "x", "klmnopqrst"]), 0.1)
    assert train.texts == ["abcdefghijabcdefgh", "klmnopqrs"]
    assert valid.texts == ["ij", "x", "t"]


def test_many_documents_are_set_aside_whole() -> None:
    texts = [f"document {n % 200}" for n in range(400)]
    documents = Documents(texts, files=("a", "b"), file_of=[n // 200 for n in range(400)])
    train, valid = split_documents(documents, 0.2)
    assert sorted(train.texts + valid.texts) == sorted(texts)
    assert not set(train.texts) & set(valid.texts)
    assert 40 <= len(valid) <= 120
    assert all(documents.texts[line - 1] == text for line, text in zip(valid.lines, valid.texts, strict=True))
    assert all(texts[line - 1] in valid.texts for line in valid.lines)
    assert valid.where(0).startswith("a:")


def test_equal_documents_are_too_few_to_set_aside() -> None:
    train, _ = split_documents(Documents(["the same text"] * 2 * MANY), 0.1)
    assert set(train.texts) == {"the same te"}


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_a_fraction_that_leaves_nothing(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"fraction is {fraction}"):
        split_documents(Documents(["text"]), fraction)


# the rest


def test_fingerprint_and_figures() -> None:
    documents = Documents(["one", "two"], paths=("a.txt",))
    assert documents.figures == {"files": ["a.txt"], "documents": 2, "characters": 6}
    assert documents.fingerprint == fingerprint(["one", "two"]) != fingerprint(["two", "one"])
    with pytest.raises(ValueError, match="2 texts, 1 lines"):
        Documents(["one", "two"], lines=[1])


def test_the_default_text() -> None:
    documents = default_documents()
    assert documents.texts == default_documents().texts
    assert len(documents) == len(set(documents.texts)) > 60
    assert documents.characters > 300_000
    train, valid = split_documents(documents, 0.1)
    assert len(train) > len(valid) > 0
