"""One bad or odd picture each, at the command line: it is read as a person sees it, or named in one line."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_grids import TINY, pictures, tiny, write_folder

from qkvae import api
from qkvae.cli import main
from qkvae.config import ImageClassification, PictureData
from qkvae.data.pictures import Pictures, split_pictures


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run that tells pictures bright above from those bright below; not to be changed."""
    folder = tmp_path_factory.mktemp("bad")
    data = PictureData(paths=(str(write_folder(folder / "train", 120)),), valid_fraction=0.2)
    config = ImageClassification(data=data, **tiny(40))  # type: ignore[arg-type]
    api.train("image-classification", config, out=folder / "run", quiet=True)
    return folder


def grey(light: int = 200, dark: int = 40) -> Image.Image:
    """Bright above."""
    values = np.full((8, 8), dark, np.uint8)
    values[:4] = light
    return Image.fromarray(values)


def written(image: Image.Image, form: str, **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def turned() -> bytes:
    """Bright on the right as it is stored; its EXIF data ask for a quarter turn, after which it is above."""
    exif = Image.Exif()
    exif[0x0112] = 8  # what is to the right belongs above
    return written(grey().transpose(Image.Transpose.ROTATE_270), "PNG", exif=exif)


def half_seen() -> bytes:
    """Grey with alpha: transparent below, where it is laid on white."""
    image = grey(40, 200).convert("LA")
    image.putalpha(Image.fromarray(np.repeat(np.uint8([255, 0]), 32).reshape(8, 8)))
    return written(image, "PNG")


ODD: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "animated": (
        "a.gif",
        lambda: written(grey(), "GIF", save_all=True, append_images=[grey(40, 200)] * 2),
        "above",
    ),
    "CMYK": ("a.jpg", lambda: written(grey().convert("CMYK"), "JPEG"), "above"),
    "16 bits": (
        "a.png",
        lambda: written(Image.fromarray(np.asarray(grey(), np.uint16) * 257), "PNG"),
        "above",
    ),
    "grey and alpha": ("a.png", half_seen, "below"),
    "turned by EXIF": ("a.png", turned, "above"),
    "a palette": ("a.png", lambda: written(grey().convert("P"), "PNG"), "above"),
    "one bit": ("a.png", lambda: written(grey().point(lambda x: 255 * (x > 99), "1"), "PNG"), "above"),
    "larger": ("a.jpg", lambda: written(grey().resize((90, 70), 0), "JPEG"), "above"),
    "the wrong suffix": ("a.jpg", lambda: written(grey(), "BMP"), "above"),
}


@pytest.mark.parametrize("case", ODD)
def test_an_odd_picture_is_read_as_a_person_sees_it(
    case: str, once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, made, label = ODD[case]
    (tmp_path / name).write_bytes(made())
    assert main(["use", str(once / "run"), str(tmp_path / name)]) == 0
    assert capsys.readouterr().out.split("\t")[1] == label


def bomb() -> bytes:
    """A small file that says it holds 40,000 × 40,000 pixels."""
    raw = bytearray(written(grey(), "BMP"))
    raw[18:26] = struct.pack("<ii", 40_000, 40_000)
    return bytes(raw)


BAD: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "no picture": ("page.jpg", lambda: b"<html>not found</html>", "no picture of a known format"),
    "cut short": ("cut.png", lambda: written(grey().resize((99, 99)), "PNG")[:120], "cut short"),
    "no bytes": ("none.png", lambda: b"", "an empty file"),
    "a text": ("text.png", "bright above, dark below".encode, "no picture of a known format"),
    "a bomb": ("bomb.bmp", bomb, "scale it down or take it out"),
    "large": ("large.png", lambda: written(Image.new("1", (9_000, 9_000)), "PNG"), "9,000 × 9,000 pixels"),
    "a program": ("page.eps", lambda: written(grey(), "EPS"), "page.eps"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_picture_is_named_in_one_line(
    case: str, once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, made, why = BAD[case]
    (tmp_path / name).write_bytes(made())
    for verb in (["use"], ["look"]):
        assert main([*verb, str(once / "run"), str(tmp_path / name)]) == 2
        said = capsys.readouterr()
        assert name in said.err
        assert why in said.err
        assert (said.err.count("\n"), said.out) == (1, "")


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line with which a training is refused, before a run is written."""
    assert main(["train", "image-classification", *words, *TINY, "--steps", "1"]) == 2
    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("qkvae: ")]
    assert len(said) == 1
    return said[0]


def test_a_folder_with_one_class(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(tmp_path / "all", 20)
    (tmp_path / "all" / "above").rename(tmp_path / "above")
    said = refused([str(tmp_path / "all"), "--out", str(tmp_path / "run")], capsys)
    assert "the only label of all 8 training examples is" in said  # two of ten are held out
    assert '"below": give examples of two classes or more' in said


def test_a_class_that_only_the_test_part_shows(
    once: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    test = write_folder(tmp_path / "test", 10)
    (test / "above").rename(test / "beside")
    assert main(["eval", str(once / "run"), str(test)]) == 2
    assert '"beside" is not among the 2 classes of the training part: known: above, below' in (
        capsys.readouterr().err
    )
    words = [str(once / "train"), "--valid", str(test), "--out", str(tmp_path / "run")]
    fraction = TINY.index("--valid-fraction")
    kept = [*TINY[:fraction], *TINY[fraction + 2 :]]
    assert main(["train", "image-classification", *words, *kept, "--steps", "1"]) == 2
    assert '"beside" is not among' in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_class_that_the_split_took_whole_is_learned_from(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 256, (200, 1, 4, 4), np.uint8)
    plain = Pictures(values, ["usual"] * 200)
    chosen = np.flatnonzero(np.isin(plain.hashes, split_pictures(plain, 0.1)[1].hashes)).tolist()
    labels = ["usual"] * 200
    labels[chosen[0]] = "rare"
    train, valid = split_pictures(Pictures(values, labels), 0.1)
    assert "rare" in (train.labels or [])
    assert len(valid) == len(chosen) - 1
    assert [str(note) for note in train.notes] == [
        f"1 picture was kept for training, which would not know their class (picture {chosen[0] + 1})"
    ]


def test_a_file_that_a_table_names_and_that_is_not_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_folder(tmp_path / "held", 12)
    names = [f"{file.relative_to(tmp_path)},{file.parent.name}" for file in sorted(folder.rglob("*.png"))]
    names.insert(5, "held/above/gone.png,above")
    (tmp_path / "some.csv").write_text("\n".join(["path,label", *names]), encoding="utf-8")
    said = refused([str(tmp_path / "some.csv"), "--out", str(tmp_path / "run")], capsys)
    assert "some.csv: row 7 names held/above/gone.png, which is not in" in said


def test_pictures_and_labels_of_unequal_number(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values, labels = pictures(60)
    numbers = np.array([label == "below" for label in labels], np.uint8)[:59]
    paths = [tmp_path / f"train-{name}-ubyte" for name in ("images-idx3", "labels-idx1")]
    for path, array in zip(paths, (values, numbers), strict=True):
        head = struct.pack(f">{1 + array.ndim}I", 0x800 + array.ndim, *array.shape)
        path.write_bytes(head + array.tobytes())
    said = refused([*map(str, paths), "--out", str(tmp_path / "run")], capsys)
    assert "60 pictures and 59 labels, but each picture needs one" in said
