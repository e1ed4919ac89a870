"""Pictures out of every kind of file; what is odd is handled and counted, what is broken named or refused."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_cases import classes, drawn, filed, written
from PIL import Image

from qkvae.config.pictures import PictureData
from qkvae.data.picture_decoding import UnreadableError, decode, read_header
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures, split_pictures
from qkvae.data.read_pictures import read_pictures

MOST = 10**6


def refusal(path: Any, settings: PictureData | None = None, **options: Any) -> str:
    with pytest.raises((ValueError, OSError)) as caught:
        read_pictures(path, settings, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


def kinds(found: Pictures) -> dict[str, int]:
    return {note.kind: note.count for note in found.notes}


def decoded(raw: bytes, channels: int = 3) -> np.ndarray:
    header = read_header(raw, MOST)
    return decode(raw, (header.height, header.width), channels, "crop", MOST)


def archived(path: Path, kind: str) -> Path:
    packed = path.with_name(f"packed{kind}")
    files = {file.relative_to(path.parent).as_posix(): file for file in sorted(path.rglob("*.png"))}
    if kind == ".zip":
        with zipfile.ZipFile(packed, "w") as archive:
            for name, file in files.items():
                archive.write(file, name)
    else:
        with tarfile.open(packed, "w:xz" if kind == ".tar.xz" else "w") as archive:
            for name, file in files.items():
                archive.add(file, name)
    return packed


@pytest.mark.parametrize("kind", ["folder", ".zip", ".tar", ".tar.xz"])
def test_a_folder_per_class_packed_or_not(tmp_path: Path, kind: str) -> None:
    folder = classes(tmp_path / "photos")
    found = read_pictures(folder if kind == "folder" else archived(folder, kind))
    assert found.labels == ["cat"] * 6 + ["dog"] * 6
    assert found.size == (12, 16)
    for n in range(6):
        assert (found.values[n] == np.asarray(drawn(n)).transpose(2, 0, 1)).all()
    assert kinds(found) == {}
    assert found.fingerprint == read_pictures(folder).fingerprint


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "headless"])
def test_tables_of_paths(tmp_path: Path, form: str) -> None:
    folder = classes(tmp_path / "photos", 2)
    rows = [(f"photos/{name}/{n:02d}.png", name) for name in ("cat", "dog") for n in range(2)]
    mark = "\t" if form == "tsv" else ","
    lines = [mark.join(row) for row in rows]
    if form == "jsonl":
        lines = [json.dumps({"path": path, "label": name}) for path, name in rows]
    elif form != "headless":
        lines.insert(0, f"path{mark}label")
    table = tmp_path / f"table.{'csv' if form == 'headless' else form}"
    table.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    found = read_pictures(table)
    assert found.labels == ["cat", "cat", "dog", "dog"]
    assert (found.values == read_pictures(folder).values).all()
    columns = PictureData(picture="0") if form == "headless" else None
    assert read_pictures(table, columns, labelled=False).labels is None


def test_paths_of_a_table_stay_inside_its_folder(tmp_path: Path) -> None:
    classes(tmp_path / "photos", 1)
    table = filed(tmp_path / "lists", {"rows.csv": b"path,label\n../photos/cat/00.png,cat\n"}) / "rows.csv"
    assert "lies outside" in refusal(table)
    table.write_text("path,label\ncat/00.png,cat\ndog/00.png,dog\n", encoding="utf-8")
    assert len(read_pictures(table, PictureData(folder=str(tmp_path / "photos")))) == 2
    assert "is not in" in refusal(table)
    table.write_text("path,label\n/etc/passwd,cat\n", encoding="utf-8")
    assert "lies outside" in refusal(table)
    assert 'no column "labels"' in refusal(table, PictureData(label="labels"))


def test_parquet_as_hugging_face_writes_it(tmp_path: Path) -> None:
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"bytes": written(drawn(n)), "path": f"{n}.png"} for n in range(4)]
    names = {"info": {"features": {"label": {"names": ["cat", "dog"], "_type": "ClassLabel"}}}}
    table = pyarrow.table({"image": rows, "label": [0, 1, 0, 1]})
    named = table.replace_schema_metadata({"huggingface": json.dumps(names)})
    parquet.write_table(named, tmp_path / "named.parquet")
    parquet.write_table(table, tmp_path / "plain.parquet")
    assert read_pictures(tmp_path / "named.parquet").labels == ["cat", "dog", "cat", "dog"]
    plain = read_pictures(tmp_path / "plain.parquet")
    assert plain.labels == ["0", "1", "0", "1"]
    assert (plain.values[3] == np.asarray(drawn(3)).transpose(2, 0, 1)).all()


def idx(array: np.ndarray) -> bytes:
    return bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def test_idx_finds_its_labels_or_is_told_them(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 3), np.uint8)
    labels = np.arange(5, dtype=np.uint8)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(images)))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(labels))
    (tmp_path / "other").write_bytes(idx(labels[::-1].copy()))
    first = tmp_path / "train-images-idx3-ubyte.gz"
    found = read_pictures(first)
    assert found.labels == ["0", "1", "2", "3", "4"]
    assert (found.values[:, 0] == images).all()
    assert read_pictures([first, tmp_path / "other"]).labels == ["4", "3", "2", "1", "0"]
    assert read_pictures(first, labelled=False).labels is None
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(labels[:4].copy()))
    assert "5 pictures and 4 labels" in refusal(first)
    (tmp_path / "cut").write_bytes(idx(images)[:-1])
    assert "says that it holds 5 × 4 × 3 numbers, 60 bytes, but has 59" in refusal(tmp_path / "cut")
    lying = tmp_path / "lying"  # that it holds 8 GiB, which nobody may set aside for it
    lying.write_bytes(bytes([0, 0, 8, 2]) + struct.pack(">II", 2**17, 2**16) + bytes(9))
    tracemalloc.start()
    assert "8,589,934,592 bytes, but has 9" in refusal(lying)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2**24
    (tmp_path / "alone").write_bytes(idx(images))
    assert "alone has no labels beside it" in refusal(tmp_path / "alone")


def test_npz_and_npy(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (5, 4, 6, 3), np.uint8)
    labels = np.array(["a", "b", "a", "b", "c"])
    np.savez_compressed(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images[:2])
    found = read_pictures(tmp_path / "a.npz")
    assert found.labels == labels.tolist()
    assert (found.values == images.transpose(0, 3, 1, 2)).all()
    assert any("not x_test" in str(note) for note in found.notes)
    assert (
        read_pictures(tmp_path / "a.npz", PictureData(picture="x_test"), labelled=False).values.shape[0] == 2
    )
    np.save(tmp_path / "x.npy", images)
    np.save(tmp_path / "y.npy", np.arange(5))
    assert read_pictures([tmp_path / "x.npy", tmp_path / "y.npy"]).labels == ["0", "1", "2", "3", "4"]
    np.save(tmp_path / "bad.npy", np.array([{}], dtype=object), allow_pickle=True)
    assert "Python objects" in refusal(tmp_path / "bad.npy", labelled=False)
    np.savez(tmp_path / "bad.npz", images=np.array([{}], dtype=object))
    assert "Python objects" in refusal(tmp_path / "bad.npz", labelled=False)
    reals = images[..., 0].astype(np.float64) / 255
    np.savez(tmp_path / "reals.npz", images=reals)
    real = read_pictures(tmp_path / "reals.npz", labelled=False)
    assert (real.values.dtype, real.white) == (np.float32, 1.0)
    reals[1, 2, 3] = np.inf
    np.savez(tmp_path / "inf.npz", images=reals)
    assert "holds inf at [1, 0, 2, 3]" in refusal(tmp_path / "inf.npz", labelled=False)
    np.savez(tmp_path / "flat.npz", images=images[..., 0].reshape(5, 24))
    assert "no square" in refusal(tmp_path / "flat.npz", labelled=False)
    assert read_pictures(tmp_path / "flat.npz", PictureData(size="4x6"), labelled=False).size == (4, 6)


def test_numbers_beyond_white_are_not_divided_by_it(tmp_path: Path) -> None:
    """A run of numbers from -3 to 300 reads whole numbers as they are, and refuses decoded pictures."""
    reals = np.linspace(-3, 300, 5 * 24).reshape(5, 4, 6)
    np.save(tmp_path / "reals.npy", reals)
    form = PictureFormat.of(read_pictures(tmp_path / "reals.npy", labelled=False))
    assert (form.white, form.beyond) == (1.0, True)
    assert PictureFormat.from_dict(form.to_dict()) == form
    np.save(tmp_path / "whole.npy", np.arange(5 * 24).reshape(5, 4, 6))
    found = read_pictures(tmp_path / "whole.npy", labelled=False, like=form)
    assert (found.values.dtype, float(found.values.max())) == (np.float32, 119.0)
    (tmp_path / "files").mkdir()
    for name in "ab":
        Image.new("L", (6, 4), 200).save(tmp_path / "files" / f"{name}.png")
    assert "have white 255.0, but those trained on have 1.0" in refusal(
        tmp_path / "files", labelled=False, like=form
    )
    shares = PictureFormat.of(Pictures(np.array([[[[0.0, 1.0]]]], np.float32), white=1.0))
    assert not shares.beyond
    assert PictureFormat.from_dict({k: v for k, v in shares.to_dict().items() if k != "beyond"}) == shares


def test_amat_with_labels_or_without(tmp_path: Path) -> None:
    (tmp_path / "rows.amat").write_text("0 1 1 0\n1 1 0 0\n", encoding="utf-8")
    found = read_pictures(tmp_path / "rows.amat", labelled=False)
    assert (found.size, found.white) == ((2, 2), 1.0)
    np.save(tmp_path / "y.npy", np.array([3, 5]))
    assert read_pictures([tmp_path / "rows.amat", tmp_path / "y.npy"]).labels == ["3", "5"]


def test_videos_and_signals_are_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "v.npz", x=np.zeros((3, 5, 8, 9, 3), np.uint8), y=[0, 1, 0])
    assert read_pictures(tmp_path / "v.npz", axes=3).values.shape == (3, 3, 5, 8, 9)
    np.savez(tmp_path / "s.npz", x=np.random.default_rng(0).normal(size=(4, 20, 2)).astype(np.float32))
    assert read_pictures(tmp_path / "s.npz", axes=1, labelled=False).values.shape == (4, 2, 20)


def test_broken_files_are_left_out_counted_and_named_or_refused(tmp_path: Path) -> None:
    good = written(drawn(1, 40, 40))
    photo = written(drawn(2, 40, 40), "JPEG")
    broken = {
        "cat/empty.png": b"",
        "cat/page.png": b"<html>not found</html>",
        "dog/short.png": good[: len(good) // 2],
        "dog/short.jpg": photo[: len(photo) // 2],
    }
    folder = filed(classes(tmp_path / "photos", 40, height=40, width=40), broken)
    found = read_pictures(folder)
    assert len(found) == 80
    assert len(found.labels or []) == 80
    assert kinds(found)["empty picture"] == kinds(found)["no picture"] == 1
    assert sum(kinds(found).get(kind, 0) for kind in ("cut short picture", "damaged picture")) == 2
    assert any("dog/short.jpg" in str(note) for note in found.notes)
    message = refusal(folder, PictureData(unreadable=0.03))
    assert "4 of 84 pictures cannot be read (5%), more than 3%" in message
    assert "raise unreadable" in message
    only = filed(tmp_path / "none", {"cat/empty.png": b""})
    assert "empty.png: " in (message := refusal(only, PictureData(unreadable=0.99)))
    assert "mend it, or leave it out" in message
    strict = refusal(folder, PictureData(unreadable=0.0))
    assert " of 84 pictures cannot be read (cat/empty.png: " in strict
    assert strict.endswith("mend or remove them")
    assert "holds no picture" in refusal(filed(tmp_path / "texts", {"cat/a.txt": b"text"}))


def test_bombs_and_giants_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filed(classes(tmp_path / "photos", 1), {"cat/big.png": written(Image.new("1", (3000, 2000)))})
    message = refusal(folder, PictureData(most_pixels=10**6))
    assert "cat/big.png: it says it has 3,000 × 2,000 pixels, more than 1,000,000" in message
    assert "raise most_pixels" in message
    with pytest.raises(ValueError, match="most_pixels is 200,000,000, but Pillow opens 178,956,970 at most"):
        PictureData(most_pixels=200_000_000)
    huge = bytearray(written(drawn(0)))
    huge[16:24] = struct.pack(">II", 200_000, 200_000)  # the header lies
    huge[29:33] = struct.pack(">I", zlib.crc32(huge[12:29]))
    with pytest.raises(ValueError, match=r"scale it down or take it out$"):  # no setting opens it
        read_header(bytes(huge), MOST)
    monkeypatch.setattr("qkvae.data.picture_files.MOST_BYTES", 100)
    assert "make it smaller, or take it out" in refusal(folder)


def test_the_rotation_of_exif_is_followed() -> None:
    image = drawn(3, 40, 24)
    exif = Image.Exif()
    exif[0x0112] = 6
    raw = written(image, "PNG", exif=exif)
    header = read_header(raw, MOST)
    assert (header.height, header.width, header.oddities) == (24, 40, ("rotated",))
    assert (decoded(raw) == np.asarray(image.transpose(Image.Transpose.ROTATE_270)).transpose(2, 0, 1)).all()


def test_odd_modes_are_counted_and_come_out_right() -> None:
    image = drawn(4)
    palette = image.convert("P")
    assert read_header(written(palette), MOST).oddities == ("palette",)
    assert (decoded(written(palette)) == np.asarray(palette.convert("RGB")).transpose(2, 0, 1)).all()
    cmyk = written(image.convert("CMYK"), "TIFF")
    assert read_header(cmyk, MOST).oddities == ("CMYK",)
    assert np.abs(decoded(cmyk).astype(int) - np.asarray(image).transpose(2, 0, 1)).max() <= 1
    clear = image.copy()
    clear.putalpha(0)
    assert read_header(written(clear), MOST).oddities == ("transparent",)
    assert (decoded(written(clear)) == 255).all()
    deep = Image.fromarray((np.arange(12 * 16, dtype=np.uint16) * 300).reshape(12, 16))
    assert read_header(written(deep), MOST).oddities == ("16-bit",)
    assert (decoded(written(deep), 1)[0] == np.asarray(deep) >> 8).all()
    reals = Image.fromarray(np.linspace(0, 2, 192, dtype=np.float32).reshape(12, 16))
    assert decoded(written(reals, "TIFF"), 1).max() == 255
    frames = [drawn(n).convert("P") for n in range(3)]
    moving = written(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert "animated" in read_header(moving, MOST).oddities
    assert (decoded(moving) == np.asarray(frames[0].convert("RGB")).transpose(2, 0, 1)).all()


def test_formats_that_are_programs_are_not_opened() -> None:
    with pytest.raises(UnreadableError, match="no picture of a known format"):
        read_header(written(drawn(0), "EPS"), MOST)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP", "PPM", "AVIF"])
@pytest.mark.filterwarnings("ignore")
def test_damage_of_any_kind_has_its_own_error(form: str) -> None:
    """Cut anywhere, with wrong bytes anywhere: a picture comes out, or an error that names what is wrong."""
    rng, whole = np.random.default_rng(0), written(drawn(1, 24, 24), form)
    for _ in range(60):
        raw = bytearray(whole[: rng.integers(1, len(whole) + 1)])
        for _ in range(rng.integers(0, 6)):
            raw[rng.integers(len(raw))] = rng.integers(256)
        with contextlib.suppress(ValueError):
            read_header(bytes(raw), MOST)
            assert decode(bytes(raw), (8, 8), 3, "crop", MOST).shape == (3, 8, 8)


@pytest.mark.parametrize("fit", ["crop", "stretch", "pad"])
def test_one_size_for_all(tmp_path: Path, fit: Any) -> None:
    white = Image.new("RGB", (30, 10), "white")
    folder = filed(tmp_path / "p", {"a/1.png": written(white), "b/2.png": written(drawn(1, 10, 10))})
    found = read_pictures(folder, PictureData(size="8x8", fit=fit))
    assert found.size == (8, 8)
    assert kinds(found)["size"] == 2
    rows_of_white = (found.values[0] == 255).all((0, 2)).sum()
    assert rows_of_white == {"crop": 8, "stretch": 8, "pad": 3}[fit]
    own = read_pictures(folder)
    assert own.size == (64, 64)
    assert kinds(own)["enlarged"] == 2


def test_grey_stays_grey_and_a_run_says_what_it_reads(tmp_path: Path) -> None:
    grey = classes(tmp_path / "grey", 3, mode="L")
    found = read_pictures(grey)
    assert found.channels == 1
    assert read_pictures(grey, PictureData(channels="colour")).channels == 3
    form = PictureFormat.of(read_pictures(classes(tmp_path / "colour", 3), PictureData(size="8")))
    coloured = read_pictures(classes(tmp_path / "coloured", 3), PictureData(channels="grey"))
    assert kinds(coloured)["grey"] == 6
    assert "grey" not in kinds(found)
    like = read_pictures(grey, like=form)
    assert (like.channels, like.size) == (3, (8, 8))
    digits = PictureFormat((8, 8), 1, 16.0, (0.3,), (0.4,))
    assert read_pictures(grey, like=digits).values.max() <= 16
    np.savez(tmp_path / "a.npz", images=np.full((3, 9, 9), 7, np.uint8))
    message = refusal(tmp_path / "a.npz", like=digits, labelled=False)
    assert "have size 9 × 9, but those trained on have 8 × 8" in message


def test_links_out_of_the_folder_are_left_out(tmp_path: Path) -> None:
    folder = classes(tmp_path / "photos", 1)
    outside = filed(tmp_path / "out", {"x.png": written(drawn(7))}) / "x.png"
    os.symlink(outside, folder / "cat" / "link.png")
    found = read_pictures(folder)
    assert len(found) == 2
    assert kinds(found)["links"] == 1


def test_many_pictures_are_kept_in_a_file_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = filed(classes(tmp_path / "photos", 30), {"cat/short.png": written(drawn(99, 40, 40))[:2000]})
    held = read_pictures(folder, PictureData(size="12x16"))
    monkeypatch.setattr("qkvae.data.picture_scan.MOST_HELD", 100)
    monkeypatch.setenv("QKVAE_CACHE", str(tmp_path / "cache"))
    said: list[str] = []
    for _ in range(2):
        mapped = read_pictures(folder, PictureData(size="12x16"), say=said.append)
        assert isinstance(mapped.values, np.memmap)
        assert mapped.fingerprint == held.fingerprint
        assert (mapped.values == held.values).all()
        assert mapped.labels == held.labels
    assert "are kept in" in said[0]
    assert "decoded already" in said[1]
    (values,) = (tmp_path / "cache").rglob("values")
    raw = bytearray(values.read_bytes())
    raw[5] ^= 1
    values.write_bytes(raw)
    again = read_pictures(folder, PictureData(size="12x16"), say=said.append)
    assert "made anew" in said[2]
    assert (again.values == held.values).all()


def test_the_same_picture_never_stands_on_both_sides(tmp_path: Path) -> None:
    folder = classes(tmp_path / "photos", 20)
    copies = {f"cat/copy{n}.png": (folder / "cat" / f"{n:02d}.png").read_bytes() for n in range(10)}
    found = read_pictures(filed(folder, copies))
    assert kinds(found) == {"duplicates": 10}
    train, valid = split_pictures(found, 0.3)
    assert len(train) + len(valid) == 50
    assert not set(train.hashes.tolist()) & set(valid.hashes.tolist())
    assert train.notes == found.notes
    assert split_pictures(found, 0.3)[1].fingerprint == valid.fingerprint
