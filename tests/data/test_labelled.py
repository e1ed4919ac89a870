"""Labelled texts: every kind of table and folder is read, what is handled is counted, the rest is refused."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qkvae.data.labelled import Label, Labelled, read_labelled, split_labelled

TEXTS = [f"film {n} was seen" for n in range(20)]
LABELS = ["good" if n % 3 else "bad" for n in range(20)]
ROWS = list(zip(TEXTS, LABELS, strict=True))


def write(path: Path, lines: list[str] | bytes) -> Path:
    data = lines if isinstance(lines, bytes) else "".join(line + "\n" for line in lines).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes({".gz": gzip.compress, ".xz": lzma.compress}.get(path.suffix, bytes)(data))
    return path


def refusal(*args: Any, **options: Any) -> str:
    with pytest.raises((ValueError, OSError)) as caught:
        read_labelled(*args, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def kinds(found: Labelled) -> dict[str, int]:
    return {note.kind: note.count for note in found.notes}


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
@pytest.mark.parametrize(("kind", "mark"), [(".tsv", "\t"), (".csv", ","), (".txt", "\t")])
def test_tables_by_number_and_by_name(tmp_path: Path, kind: str, mark: str, ending: str) -> None:
    rows = [f"{n}{mark}{label}{mark}{text}" for n, (text, label) in enumerate(ROWS)]
    plain = read_labelled(write(tmp_path / f"plain{kind}{ending}", rows), 2, "1")
    header = f"number{mark}Mood{mark}Words"
    headed = read_labelled(write(tmp_path / f"headed{kind}{ending}", [header, *rows]), "Words", "Mood")
    for found in (plain, headed):
        assert found.texts == TEXTS
        assert found.labels == LABELS
    assert kinds(plain) == {"first row": 1}
    assert headed.lines[0] == 2
    assert headed.where(0) == f"headed{kind}{ending}: line 2"


def test_columns_that_are_not_given_are_told_by_the_header_or_by_there_being_two(tmp_path: Path) -> None:
    rows = [f"{n},{text},{label}" for n, (text, label) in enumerate(ROWS)]
    named = read_labelled(write(tmp_path / "named.csv", ["id,Sentence,Label", *rows]))
    two = read_labelled(write(tmp_path / "two.csv", [f"{text},{label}" for text, label in ROWS]))
    assert named.texts == two.texts == TEXTS
    assert named.labels == two.labels == LABELS
    assert "named.csv: text Sentence, label Label" in str(named.notes[0])
    assert "two.csv: text 0, label 1" in str(two.notes[0])
    unclear = refusal(write(tmp_path / "unclear.csv", ["id,a,b", *rows]))
    assert unclear == "unclear.csv: say which column is the text (0: id, 1: a, 2: b)"


def test_numbers_with_a_header_that_looks_like_one(tmp_path: Path) -> None:
    rows = [f"{n}\t{text}\tother\t{label}" for n, (text, label) in enumerate(ROWS)]
    path = write(tmp_path / "pairs.txt", ["pair_ID\tsentence_A\tsentence_B\tentailment_judgment", *rows])
    found = read_labelled(path, 1, 3, 2)
    assert found.texts == TEXTS
    assert found.pairs == ["other"] * 20
    assert "first row was left out as a header" in str(found.notes[0])


def test_jsonl_with_lists_numbers_and_truth_values(tmp_path: Path) -> None:
    labels = [["a", "b"], [], 3, 2.5, True, "x", None, ["b", "b"]] + ["a"] * 12
    rows = [json.dumps({"text": text, "label": label}) for text, label in zip(TEXTS, labels, strict=True)]
    found = read_labelled(write(tmp_path / "a.jsonl", rows))
    assert found.labels[:7] == [("a", "b"), (), "3", "2.5", "true", "x", ("b",)]
    assert kinds(found)["no label"] == 1


def test_a_separator_makes_several_labels(tmp_path: Path) -> None:
    rows = [f"{text}\t{'a, b' if n % 2 else ''}" for n, text in enumerate(TEXTS)]
    found = read_labelled(write(tmp_path / "a.tsv", rows), 0, 1, separator=",")
    assert found.labels[:2] == [(), ("a", "b")]
    assert "separator is empty" in refusal(tmp_path / "a.tsv", 0, 1, separator="")


def test_parquet(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pyarrow.table({"text": TEXTS, "label": [len(label) for label in LABELS], "n": range(20)})
    parquet.write_table(table, tmp_path / "a.parquet")
    found = read_labelled(tmp_path / "a.parquet")
    assert found.texts == TEXTS
    assert set(found.labels) == {"3", "4"}
    assert 'no column "txt": did you mean "text"?' in refusal(tmp_path / "a.parquet", "txt", "label")
    assert "is no Parquet file" in refusal(write(tmp_path / "b.parquet", b"no table"))


def packed(folder: Path, kind: str) -> Path:
    if kind == "folder":
        for n, (text, label) in enumerate(ROWS):
            write(folder / "films" / label / f"{n:02d}.txt", text.encode())
        return folder / "films"
    path = folder / f"films{kind}"
    if kind == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for n, (text, label) in enumerate(ROWS):
                archive.writestr(f"films/{label}/{n:02d}.txt", text)
        return path
    with tarfile.open(path, "w:xz" if kind == ".tar.xz" else "w") as archive:
        for n, (text, label) in enumerate(ROWS):
            member = tarfile.TarInfo(f"films/train/{label}/{n:02d}.txt")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return path


@pytest.mark.parametrize("kind", ["folder", ".zip", ".tar", ".tar.xz"])
def test_a_folder_per_class(tmp_path: Path, kind: str) -> None:
    path = packed(tmp_path, kind)
    found = read_labelled(path)
    assert sorted(zip(found.texts, found.labels, strict=True)) == sorted(ROWS)
    assert found.where(0).endswith(".txt: line 1")
    assert "has no columns" in refusal(path, 0, 1)


def test_folders_that_hold_no_examples(tmp_path: Path) -> None:
    write(tmp_path / "flat" / "a.txt", b"text")
    assert "holds no text file in a folder of its own" in refusal(tmp_path / "flat")
    write(tmp_path / "films" / "good" / "picture.txt", b"\x89PNG\x00")
    assert "films/good/picture.txt is a binary file" in refusal(tmp_path / "films")
    (tmp_path / "broken.tar.xz").write_bytes(b"\xfd7zXZ\x00 no archive")
    assert "broken.tar.xz is damaged or cut short" in refusal(tmp_path / "broken.tar.xz")


def test_a_table_inside_a_zip(tmp_path: Path) -> None:
    rows = "".join(f"{text}\t{label}\n" for text, label in ROWS)
    with zipfile.ZipFile(tmp_path / "sets.zip", "w") as archive:
        archive.writestr("all/raw/train.tsv", rows)
        archive.writestr("all/raw/dev.tsv", rows)
    assert read_labelled(tmp_path / "sets.zip" / "raw" / "train.tsv", 0, 1).texts == TEXTS
    assert "holds 2 tables: add the one to read" in refusal(tmp_path / "sets.zip", 0, 1)
    assert 'did you mean "all/raw/dev.tsv"?' in refusal(tmp_path / "sets.zip" / "all/raw/de.tsv", 0, 1)


def test_several_files_are_told_apart(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / name, [f"{text} {name}\t{label}" for text, label in ROWS])
        for name in ("a.tsv", "b.tsv")
    ]
    found = read_labelled(paths, 0, 1)
    assert len(found) == 40
    assert found.where(20) == "b.tsv: line 1"
    assert found.select([25]).where(0) == "b.tsv: line 6"


def test_what_is_handled_is_counted(tmp_path: Path) -> None:
    rows = [f"{text}\t{label}" for text, label in ROWS]
    rows[0] = "  film with space \tgood"
    rows[1] = "\tgood"
    rows[2] = "no label\t"
    rows[3] = "bell\x07 rings\tgood"
    rows[4] = rows[5]
    rows[6] = "three\tcells\there"
    rows[7] = ""
    found = read_labelled(write(tmp_path / "a.tsv", rows), 0, 1)
    expected = ["first row", "white space", "empty text", "no label", "control characters", "duplicates"]
    assert {kind: kinds(found)[kind] for kind in expected} == dict.fromkeys(expected, 1)
    assert kinds(found)["ragged row"] == kinds(found)["blank row"] == 1
    assert len(found) == 16


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([f"{text}\tgood" for text in TEXTS], 'all 20 labels are "good"'),
        ([f"same\t{label}" for label in LABELS], 'all 20 texts are "same"'),
        ([f"{text}\t{label}" for text, label in ROWS[:4]], "4 labelled texts, but at least 10 are needed"),
        (b"caf\xe9\tgood\n" * 20, "line 1 is not UTF-8"),
        (b"", "is empty"),
    ],
)
def test_useless_tables(tmp_path: Path, rows: list[str] | bytes, message: str) -> None:
    assert message in refusal(write(tmp_path / "a.tsv", rows), 0, 1)


def test_what_cannot_be_meant(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", [f"{text}\t{label}" for text, label in ROWS])
    assert 'column "0" is asked for twice' in refusal(path, 0, 0)
    assert "a.tsv has no column 2" in refusal(path, 0, 2)
    assert "did you mean" in refusal(tmp_path / "b.tsv")
    assert "no tab in its first line" in refusal(write(tmp_path / "a.txt", TEXTS))
    assert "is no table" in refusal(write(tmp_path / "a.pdf", TEXTS))
    rows = [json.dumps({"text": 5, "label": "a"})] * 20
    assert "a.jsonl:1: the text is 5, not text" in refusal(write(tmp_path / "a.jsonl", rows))
    rows = [json.dumps({"text": "a", "label": {"b": 1}})] * 20
    assert "it must be a name, a number or a list" in refusal(write(tmp_path / "b.jsonl", rows))


WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(WORDS, WORDS), min_size=2, max_size=20, unique_by=(lambda row: row[0], lambda row: row[1])
    )
)
def test_what_is_written_is_read(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    lines = [json.dumps({"text": text, "label": label}) for text, label in rows]
    found = read_labelled(write(tmp_path / "a.jsonl", lines), minimum=1)
    assert list(zip(found.texts, found.labels, strict=True)) == rows


def test_split_keeps_equal_texts_together() -> None:
    texts = [f"Film {n % 60}" if n % 2 else f"film  {n % 60}" for n in range(240)]
    found = Labelled(texts, [str(n % 2) for n in range(240)], [str(n) for n in range(240)])
    train, valid = split_labelled(found, 0.2)
    assert len(train) + len(valid) == 240
    assert not {text.lower().split()[1] for text in train.texts} & {
        text.lower().split()[1] for text in valid.texts
    }
    assert valid.pairs is not None
    assert valid.pairs[0] == str(valid.lines[0] - 1)
    with pytest.raises(ValueError, match="all the same, cannot be split"):
        split_labelled(Labelled(["a", "A"], ["1", "2"]), 0.5)


def test_the_split_leaves_a_class_that_no_other_text_has_where_it_is_learned() -> None:
    texts = [f"film {n}" for n in range(60)]
    _, valid = split_labelled(Labelled(texts, ["good"] * 60), 0.2)
    rare = int(valid.texts[0].split()[1])
    labels: list[Label] = ["rare" if n == rare else "good" for n in range(60)]
    train, again = split_labelled(Labelled(texts, labels), 0.2, classes=True)
    assert again.texts == valid.texts[1:]
    assert "rare" in train.labels
    line = rare + 1
    assert [str(note) for note in train.notes] == [
        f"1 text was kept for training, which would not know their class (line {line})"
    ]
    assert split_labelled(Labelled(texts, labels), 0.2)[1].texts == valid.texts  # numbers, say


def test_fingerprint_is_of_what_is_said() -> None:
    one = Labelled(["a", "b"], ["1", "2"])
    assert one.fingerprint == Labelled(["a", "b"], ["1", "2"], lines=[5, 6]).fingerprint
    assert one.fingerprint != Labelled(["a", "b"], ["1", ("2",)]).fingerprint
    assert one.fingerprint != Labelled(["a", "b"], ["1", "2"], ["", ""]).fingerprint
