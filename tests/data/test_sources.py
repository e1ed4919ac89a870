"""Reading sentence pairs: what is handled is counted and said, what cannot be handled is refused in one
line."""

from __future__ import annotations

import gzip
import json
import lzma
import sys
import types
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qkvae.data.files import LONGEST_LINE, Lines, TextFile
from qkvae.data.pairs import Pairs, Tally
from qkvae.data.sources import MINIMUM_PAIRS, read_pairs

ENGLISH = [f"{n} dogs play" for n in range(20)]
GERMAN = [f"{n} Hunde spielen, schön" for n in range(20)]


def write(folder: Path, name: str, lines: list[str] | bytes) -> Path:
    data = lines if isinstance(lines, bytes) else "".join(line + "\n" for line in lines).encode()
    packed = {".gz": gzip.compress, ".xz": lzma.compress}.get(Path(name).suffix, bytes)(data)
    (folder / name).write_bytes(packed)
    return folder / name


def both(folder: Path, source: list[str] | bytes = ENGLISH, target: list[str] | bytes = GERMAN) -> list[Path]:
    return [write(folder, "train.en", source), write(folder, "train.de", target)]


def note(pairs: Pairs, kind: str) -> tuple[int, tuple[str, ...]]:
    (found,) = [note for note in pairs.notes if note.kind == kind]
    return found.count, found.examples


def refusal(*args: object, **options: object) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - each test looks at the message
        read_pairs(*args, **options)  # type: ignore[arg-type]
    message = str(caught.value)
    assert "\n" not in message
    return message


# what is read


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
def test_two_aligned_files(tmp_path: Path, ending: str) -> None:
    names = [write(tmp_path, "a.en" + ending, ENGLISH), write(tmp_path, "a.de" + ending, GERMAN)]
    pairs = read_pairs(names)
    assert pairs.sources == ENGLISH
    assert pairs.targets == GERMAN
    assert list(pairs.lines) == list(range(1, 21))
    assert pairs.notes == ()


def test_last_line_without_an_end_counts(tmp_path: Path) -> None:
    assert len(read_pairs(both(tmp_path, "\n".join(ENGLISH).encode()))) == 20


@pytest.mark.parametrize("ending", ["", ".gz", ".xz"])
@pytest.mark.parametrize(("kind", "mark"), [(".tsv", "\t"), (".csv", ",")])
def test_tables_by_number_and_by_name(tmp_path: Path, kind: str, mark: str, ending: str) -> None:
    german = [f'"{line}"' if kind == ".csv" else line for line in GERMAN]
    rows = [f"{i}{mark}{t}{mark}{s}" for i, (s, t) in enumerate(zip(ENGLISH, german, strict=True))]
    plain = write(tmp_path, "plain" + kind + ending, rows)
    headed = write(tmp_path, "headed" + kind + ending, [f"number{mark}German{mark}English", *rows])
    for pairs in (read_pairs(plain, 2, "1"), read_pairs(headed, "English", "German")):
        assert pairs.sources == ENGLISH
        assert pairs.targets == GERMAN
    assert read_pairs(headed, "English", 1).lines[0] == 2


def test_first_row_is_never_silently_taken_or_left(tmp_path: Path) -> None:
    rows = [f"{s}\t{t}" for s, t in zip(ENGLISH, GERMAN, strict=True)]
    plain = read_pairs(write(tmp_path, "plain.tsv", rows))
    assert len(plain) == 20
    assert "row was read as a pair: name the columns if it is a header" in str(plain.notes[0])
    headed = read_pairs(write(tmp_path, "headed.tsv", ["en\tde", *rows]))
    assert headed.sources == ENGLISH
    assert str(headed.notes[0]) == '1 first row was left out as a header ("en" → "de")'


def test_csv_cells_hold_commas_quotes_and_line_ends(tmp_path: Path) -> None:
    rows = [f'"{n}, ""so""","first\nsecond {n}"' for n in range(12)]
    pairs = read_pairs(write(tmp_path, "a.csv", rows), 0, 1)
    assert pairs.sources[0] == '0, "so"'
    assert pairs.targets[0] == "first second 0"
    assert list(pairs.lines[:2]) == [1, 3]


def test_quotes_are_ordinary_in_tsv(tmp_path: Path) -> None:
    rows = [f'"{n} is open\t"{n} ist offen' for n in range(12)]
    assert read_pairs(write(tmp_path, "a.tsv", rows)).sources[3] == '"3 is open'


@pytest.mark.parametrize("nested", [False, True])
def test_jsonl(tmp_path: Path, nested: bool) -> None:
    cells = [{"en": s, "de": t} for s, t in zip(ENGLISH, GERMAN, strict=True)]
    rows = [json.dumps({"id": 1, "translation": cell} if nested else cell) for cell in cells]
    path = write(tmp_path, "a.jsonl", rows)
    assert read_pairs(path, "de", "en").sources == GERMAN
    if not nested:
        assert note(read_pairs(path), "columns") == (1, ("en → de",))
    arrays = write(tmp_path, "b.jsonl", [json.dumps([7, s, t]) for s, t in zip(ENGLISH, GERMAN, strict=True)])
    assert read_pairs(arrays, 1, 2).targets == GERMAN


def test_zip_of_a_table_or_of_two_texts(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "table.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", "about")
        archive.writestr("data/all.tsv", "".join(f"{s}\t{t}\n" for s, t in zip(ENGLISH, GERMAN, strict=True)))
    with zipfile.ZipFile(tmp_path / "texts.zip", "w") as archive:
        archive.writestr("__MACOSX/._x", "junk")
        archive.writestr("c.de", "\n".join(GERMAN))
        archive.writestr("c.en.gz", gzip.compress("\n".join(ENGLISH).encode()))
    assert read_pairs(tmp_path / "table.zip").sources == ENGLISH
    assert read_pairs(tmp_path / "texts.zip", "en", "de").sources == ENGLISH
    unasked = read_pairs(tmp_path / "texts.zip")
    assert note(unasked, "columns") == (1, ("c.de → c.en.gz",))


def test_data_folder_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    both(tmp_path)
    monkeypatch.setenv("QKVAE_DATA", str(tmp_path.parent))
    assert len(read_pairs([f"{tmp_path.name}/train.en", f"{tmp_path.name}/train.de"])) == 20


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\n")), min_size=12))
def test_lines_never_drift_apart(tmp_path: Path, texts: list[str]) -> None:
    """Whatever stands in the source lines, the target read beside each is the one of the same line."""
    numbers = [str(n) for n in range(1, len(texts) + 1)]
    files = both(tmp_path, [text + " x" for text in texts], numbers)
    try:
        pairs = read_pairs(files, minimum=1)
    except ValueError as error:
        assert "binary" in str(error) or "identical" in str(error)  # noqa: PT017
        return
    assert pairs.targets == [str(number) for number in pairs.lines] == numbers
    assert all(len(text.splitlines()) == 1 and text == text.strip() for text in pairs.sources)


# data sets of Hugging Face


def folder_of_translations(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    rows = [{"id": str(n), "translation": {"en": ENGLISH[n], "it": GERMAN[n]}} for n in range(20)]
    write(folder, "train.jsonl", [json.dumps(row) for row in rows])
    return folder


def test_data_set_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library: what is asked of it, and what is made of its answers."""
    asked: list[tuple[tuple[str, ...], str]] = []

    class Table:
        def iter(self, batch_size: int) -> list[dict[str, list[object]]]:
            return [{"translation": [{"en": s, "it": t} for s, t in zip(ENGLISH, GERMAN, strict=True)]}]

    def load_dataset(*names: str, split: str) -> Table:
        asked.append((names, split))
        if names[-1] == "it-en":
            raise FileNotFoundError("no such configuration")
        return Table()

    module = types.ModuleType("datasets")
    module.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", module)
    pairs = read_pairs("opus_books:it-en:validation")
    assert pairs.sources == GERMAN
    assert asked == [(("opus_books", "it-en"), "validation"), (("opus_books", "en-it"), "validation")]
    assert "no column" in refusal("opus_books:en-de")


def test_data_set_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert 'pip install "qkvae[hf]"' in refusal("opus_books:en-it")


@pytest.mark.peer
@pytest.mark.filterwarnings("ignore")
def test_data_set_from_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    folder = folder_of_translations(tmp_path)
    pairs = read_pairs(f"{folder}:it-en")
    assert pairs.sources == GERMAN
    assert pairs.targets == ENGLISH
    assert "cannot be read" in refusal(f"{folder}:it-en:validation")


# what is handled, counted and said


def test_byte_order_mark_and_carriage_returns(tmp_path: Path) -> None:
    windows = b"\xef\xbb\xbf" + "\r\n".join([*ENGLISH, ""]).encode()
    pairs = read_pairs(both(tmp_path, windows))
    assert pairs.sources == ENGLISH
    assert note(pairs, "byte-order mark") == (1, ("train.en",))
    assert note(pairs, "carriage returns")[0] == 20


def test_control_characters_and_white_space(tmp_path: Path) -> None:
    english = [*ENGLISH, "a\x07b\u2028c\x85d", "\u00a0 padded "]
    pairs = read_pairs(both(tmp_path, english, [*GERMAN, "x", "y"]))
    assert pairs.sources[-2:] == ["a b c d", "padded"]
    assert note(pairs, "control characters") == (3, ("train.en:21",) * 1)
    assert note(pairs, "white space") == (1, ("train.en:22",))


def test_empty_lines_on_one_side(tmp_path: Path) -> None:
    german = GERMAN.copy()
    german[4] = ""
    german[7] = " \t"
    pairs = read_pairs(both(tmp_path, target=german))
    assert len(pairs) == 18
    assert pairs.lines[4] == 6
    assert note(pairs, "empty side") == (2, ("train.de:5", "train.de:8"))


@pytest.mark.parametrize("compression", ["", ".gz"])
def test_line_of_a_megabyte(tmp_path: Path, compression: str) -> None:
    english = ENGLISH.copy()
    english[9] = "x" * 1_000_000
    source = write(tmp_path, "a.en" + compression, english)
    pairs = read_pairs([source, write(tmp_path, "a.de", GERMAN)])
    assert len(pairs) == 19
    assert note(pairs, "too long") == (1, (f"a.en{compression}:10: 1,000,001 bytes",))
    assert pairs.targets[9] == GERMAN[10]


def test_line_at_the_limit_stays(tmp_path: Path) -> None:
    english = ["x" * LONGEST_LINE, "x" * (LONGEST_LINE + 1), *ENGLISH[2:]]
    assert list(read_pairs(both(tmp_path, english)).lines[:2]) == [1, 3]


def test_duplicates_are_kept_and_counted(tmp_path: Path) -> None:
    pairs = read_pairs(both(tmp_path, [*ENGLISH, ENGLISH[3]], [*GERMAN, GERMAN[3]]))
    assert len(pairs) == 21
    assert note(pairs, "duplicates") == (1, ("line 21",))


def test_ragged_and_blank_rows(tmp_path: Path) -> None:
    rows = [f"{s}\t{t}" for s, t in zip(ENGLISH, GERMAN, strict=True)]
    rows[5] += "\tmore"
    rows[8] = ""
    pairs = read_pairs(write(tmp_path, "a.tsv", rows))
    assert len(pairs) == 18
    assert note(pairs, "ragged row") == (1, ("a.tsv:6: 3",))
    assert note(pairs, "blank row") == (1, ("a.tsv:9",))


# what is refused


def test_missing_file_names_the_nearest(tmp_path: Path) -> None:
    both(tmp_path)
    with pytest.raises(FileNotFoundError, match=r'did you mean ".*train\.en"\?'):
        read_pairs([tmp_path / "trian.en", tmp_path / "train.de"])


def test_unequal_line_counts(tmp_path: Path) -> None:
    message = refusal(both(tmp_path, target=[*GERMAN, "one", "more"]))
    assert "train.en has 20 lines and train.de has 22" in message


def test_unequal_line_counts_are_not_hidden_by_trailing_blanks(tmp_path: Path) -> None:
    assert "20 lines" in refusal(both(tmp_path, target=[*GERMAN, ""]))


@pytest.mark.parametrize("name", ["a.en", "a.en.gz", "a.en.xz"])
def test_empty_file(tmp_path: Path, name: str) -> None:
    assert "is empty" in refusal([write(tmp_path, name, b""), write(tmp_path, "a.de", GERMAN)])


def test_side_wholly_empty(tmp_path: Path) -> None:
    assert "target side is empty in all 20 lines" in refusal(both(tmp_path, target=[" "] * 20))


def test_wrong_columns(tmp_path: Path) -> None:
    rows = [f"{s}\t{t}" for s, t in zip(ENGLISH, GERMAN, strict=True)]
    path = write(tmp_path, "a.tsv", ["english\tgerman", *rows])
    assert 'no column "germna": did you mean "german"?' in refusal(path, "english", "germna")
    assert "no column 2: its first row has 2 (0 to 1)" in refusal(path, 0, 2)
    assert 'both column "german"' in refusal(path, "german", "german")
    semicolons = write(tmp_path, "b.csv", [row.replace(",", "").replace("\t", ";") for row in rows])
    assert 'if ";" separates them' in refusal(semicolons)
    objects = write(tmp_path, "c.jsonl", [json.dumps({"en": s, "de": s, "id": 1}) for s in ENGLISH])
    assert 'no column "xx": known: de, en, id' in refusal(objects, "en", "xx")
    assert "columns en, de, id: name two" in refusal(objects)
    assert "is 1, not text" in refusal(objects, "en", "id")


def test_settings_without_effect(tmp_path: Path) -> None:
    assert "have no effect" in refusal(both(tmp_path), "en", "de")
    assert "given twice" in refusal([both(tmp_path)[0]] * 2)
    assert "one text file" in refusal(both(tmp_path)[0])
    assert "3 paths" in refusal([*both(tmp_path), "x"])
    assert "is a folder" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" * 50, "binary file"),
        (bytes(range(1, 32)) * 40 + b"\xff", "binary file"),
        ("\n".join(ENGLISH).encode("utf-16"), "utf-16"),
        ("\n".join(ENGLISH).encode("utf-16-le"), "utf-16"),
        (
            "\n".join([*ENGLISH, "schön"]).encode("latin-1"),
            "line 21 is not UTF-8 (byte 0xf6): it looks like lat",
        ),
        ("\n".join([*ENGLISH, "„schön“"]).encode("cp1252"), "looks like cp1252"),
        ("\n".join(["Привет, мир"] * 20).encode("cp1251"), "another alphabet"),
    ],
)
def test_what_is_not_utf8(tmp_path: Path, data: bytes, said: str) -> None:
    assert said in refusal(both(tmp_path, data))


def test_all_lines_identical(tmp_path: Path) -> None:
    message = refusal(both(tmp_path, target=["Hallo Welt"] * 20))
    assert 'all 20 target lines are identical ("Hallo Welt")' in message


def test_three_lines_of_data(tmp_path: Path) -> None:
    files = both(tmp_path, ENGLISH[:3], GERMAN[:3])
    assert f"3 sentence pairs, but at least {MINIMUM_PAIRS} are needed" in refusal(files)
    assert len(read_pairs(files, minimum=1)) == 3


@pytest.mark.parametrize("name", ["a.en.gz", "a.en.xz"])
def test_truncated(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, name, [f"{n * n} and {n**3}" for n in range(4000)])
    path.write_bytes(path.read_bytes()[:-2000])
    assert "damaged or cut short" in refusal([path, write(tmp_path, "a.de", GERMAN)])


@pytest.mark.parametrize("kind", [".gz", ".xz", ".zip"])
def test_bomb(tmp_path: Path, kind: str) -> None:
    line = b"a" * 1021 + b"\tb\n"
    if kind == ".zip":
        with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a.tsv", line * 70_000)
        message = refusal(tmp_path / "a.zip")
    else:
        message = refusal([write(tmp_path, "a.en" + kind, line * 70_000), both(tmp_path)[1]])
    assert "decompression bomb" in message


@pytest.mark.parametrize("member", ["../a.tsv", "/a.tsv", "C:/a.tsv", "x/..\\..\\a.tsv"])
def test_zip_with_a_path_that_leaves_it(tmp_path: Path, member: str) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(member, "a\tb\n" * 20)
    assert "leaves its folder" in refusal(tmp_path / "a.zip")


def test_zip_of_too_much_and_no_zip(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.tsv", "a\tb\n" * 20)
        archive.writestr("b.tsv", "a\tb\n" * 20)
    assert "holds 2 files" in refusal(tmp_path / "a.zip")
    assert "no zip file" in refusal(write(tmp_path, "b.zip", b"not a zip"))


def test_malformed_jsonl(tmp_path: Path) -> None:
    rows = [json.dumps({"en": s, "de": s}) for s in ENGLISH]
    rows[6] = rows[6][:-1]
    assert "a.jsonl: line 7 is not JSON" in refusal(write(tmp_path, "a.jsonl", rows))
    assert "line 1 is 5: each line" in refusal(write(tmp_path, "b.jsonl", ["5"] * 20))


@pytest.mark.parametrize("broken", ['"never closed,b', '"closed" too early,b'])
def test_csv_with_unbalanced_quotes(tmp_path: Path, broken: str) -> None:
    rows = [f"{s},{n}" for n, s in enumerate(ENGLISH)]
    rows[11] = broken
    assert "begins in line 12 has unbalanced quotes" in refusal(write(tmp_path, "a.csv", rows), 0, 1)


# fingerprint


def test_fingerprint_knows_content_and_order_only(tmp_path: Path) -> None:
    pairs = read_pairs(both(tmp_path))
    assert pairs.fingerprint == Pairs(ENGLISH, GERMAN).fingerprint
    assert pairs.fingerprint != Pairs(GERMAN, ENGLISH).fingerprint
    assert pairs.fingerprint != Pairs(ENGLISH[::-1], GERMAN[::-1]).fingerprint
    assert pairs.fingerprint != pairs.select(range(19)).fingerprint


def test_a_byte_order_mark_before_a_line_too_long(tmp_path: Path) -> None:
    path = tmp_path / "marked.txt"
    path.write_bytes(b"\xef\xbb\xbf" + b"a" * (LONGEST_LINE + 50) + b"\nsecond\n")
    assert list(Lines(TextFile(path), Tally())) == [None, "second"]
