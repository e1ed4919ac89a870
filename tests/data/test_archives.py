"""Files out of folders and archives: bounded, in order, and never from outside."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from qkvae.data.archives import member_names, members, members_called
from qkvae.data.files import Lines, inside_archive
from qkvae.data.pairs import Tally

FILES = {"b/2.txt": b"two", "a/1.txt": b"one", "README.md": b"about", "a/.hidden": b"no"}
KINDS = [".zip", ".tar", ".tar.gz", ".tar.xz"]


def packed(path: Path, kind: str, files: dict[str, bytes] | None = None) -> Path:
    path = path / f"set{kind}"
    contents = FILES if files is None else files
    if kind == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, raw in contents.items():
                archive.writestr(name, raw)
    elif kind:
        with tarfile.open(path, {".tar.xz": "w:xz", ".tar.gz": "w:gz"}.get(kind, "w")) as archive:
            for name, raw in contents.items():
                member = tarfile.TarInfo(name)
                member.size = len(raw)
                archive.addfile(member, io.BytesIO(raw))
    else:
        for name, raw in contents.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(raw)
    return path


@pytest.mark.parametrize("kind", ["", *KINDS])
def test_what_is_inside(tmp_path: Path, kind: str) -> None:
    tally = Tally()
    found = {name: (size, read()) for name, size, read in members(packed(tmp_path, kind), tally)}
    assert found == {"a/1.txt": (3, b"one"), "b/2.txt": (3, b"two")}
    assert tally.count("no example") == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_path_may_lead_into_an_archive(tmp_path: Path, kind: str) -> None:
    raw = b"one\ntwo\n"
    path = packed(tmp_path, kind, {"x/a.txt": raw, "x/b.txt.gz": gzip.compress(raw), "y/a.txt": b"else\n"})
    (file,) = inside_archive(str(path / "x" / "a.txt"))
    assert file.name == f"set{kind}/x/a.txt"
    assert list(Lines(file, Tally())) == ["one", "two"]
    (file,) = inside_archive(str(path / "b.txt.gz"))
    assert file.suffix == ".txt"
    assert list(Lines(file, Tally())) == ["one", "two"]
    assert [each.member for each in inside_archive(str(path / "*.txt"))] == ["x/a.txt", "y/a.txt"]
    with pytest.raises(ValueError, match=r'holds 2 files "a\.txt": name one of x/a\.txt, y/a\.txt'):
        inside_archive(str(path / "a.txt"))
    with pytest.raises(ValueError, match=r'no file "y/b\.txt": did you mean'):
        inside_archive(str(path / "y" / "b.txt"))
    assert inside_archive(str(tmp_path / "plain" / "a.txt")) == []


@pytest.mark.parametrize("kind", [".zip", ".tar"])
@pytest.mark.parametrize("name", ["../out.bin", "/etc/out.bin"])
def test_a_name_that_leaves_the_folder_is_refused(tmp_path: Path, kind: str, name: str) -> None:
    path = packed(tmp_path, kind, {name: b"x"})
    with pytest.raises(ValueError, match="a name that leaves its folder"):
        list(members(path, Tally()))
    with pytest.raises(ValueError, match="a name that leaves its folder"):
        members_called(path, "out.bin")


def test_links_are_left_out_and_counted(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    folder = packed(tmp_path, "")
    os.symlink(tmp_path / "secret", folder / "a" / "3.txt")
    os.symlink(folder / "b" / "2.txt", folder / "a" / "4.txt")
    tally = Tally()
    assert [name for name, _, _ in members(folder, tally)] == ["a/1.txt", "a/4.txt", "b/2.txt"]
    assert tally.count("links") == 1
    os.symlink(folder / "b", folder / "c")
    os.symlink(folder / "b" / "gone", folder / "d.txt")
    tally = Tally()
    assert [name for name, _, _ in members(folder, tally)] == ["a/1.txt", "a/4.txt", "b/2.txt"]
    assert tally.count("linked folders") == 2
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        link = tarfile.TarInfo("a/1.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    tally = Tally()
    assert not list(members(tmp_path / "set.tar", tally))
    assert tally.count("links") == 1


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_files_of_one_name_in_a_zip_are_refused(tmp_path: Path) -> None:
    path = packed(tmp_path, ".zip")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("a/1.txt", b"another")
    with pytest.raises(ValueError, match=r'holds two files "a/1\.txt": rename one'):
        list(members(path, Tally()))


@pytest.mark.parametrize("kind", [".zip", ".tar.xz"])
def test_what_unfolds_to_too_much_is_refused(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qkvae.data.archives.FREE_EXPANSION", 1000)
    monkeypatch.setattr("qkvae.data.archives.LARGEST_EXPANSION", 2)
    path = packed(tmp_path, kind, {"a/1.txt": bytes(100_000)})
    with pytest.raises(ValueError, match="as a decompression bomb does: unpack it yourself"):
        list(members(path, Tally()))


@pytest.mark.parametrize("kind", KINDS)
def test_a_damaged_archive_is_refused(tmp_path: Path, kind: str) -> None:
    path = packed(tmp_path, kind, {f"a/{n}.txt": os.urandom(4000) for n in range(9)})
    path.write_bytes(path.read_bytes()[:9000])
    with pytest.raises(ValueError, match=r"damaged|no zip file"):
        [read() for _, _, read in members(path, Tally())]
    with pytest.raises(ValueError, match=r"damaged|no zip file"):
        member_names(path)


def test_a_sparse_file_in_a_tar_is_refused(tmp_path: Path) -> None:
    """600 bytes that say they are a terabyte."""
    member = tarfile.TarInfo("a/1.txt")
    told = {"major": "1", "minor": "0", "name": "a/1.txt", "realsize": str(2**40)}
    member.pax_headers = {f"GNU.sparse.{name}": value for name, value in told.items()}
    content = b"1\n0\n3\n".ljust(512, b"\0") + b"abc"
    member.size = len(content)
    with tarfile.open(tmp_path / "set.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(member, io.BytesIO(content))
    with pytest.raises(ValueError, match="mostly holes, as in a decompression bomb"):
        list(members(tmp_path / "set.tar", Tally()))
