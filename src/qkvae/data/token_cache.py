"""Token ids of a large text on the disk: made once, and read where they lie, without being loaded.

An entry is a folder named by a hash of the text and the tokenizer:

``ids``         every token of every document, int32, little-endian
``starts``      where each document starts among them, and where the last one ends, int64, little-endian
``entry.json``  what both are of, how many they are, and their checksum
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import zlib
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from qkvae.data.large import LargeDocuments
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import Tokenizer

FORMAT = 1
"""Raised when entries of the format before could be misread; those are then made anew."""

_BLOCK = 1 << 22  # bytes read at a time

Tell = Callable[[str], None]
"""Tells a person something, in a sentence."""

Progress = Callable[[float], None]
"""Is told what part of the work is done."""


@dataclass(frozen=True)
class Entry:
    """What ``entry.json`` holds."""

    format: int
    text: str
    """The text's fingerprint."""

    tokenizer: str
    """The tokenizer's."""

    tokens: int
    documents: int
    checksum: int
    """CRC-32 of ids and starts."""


def cache_folder() -> Path:
    """Where token ids are kept: the folder that ``QKVAE_CACHE`` names, or the system's own for caches.

    What is in it can be made again, and may be removed at any time when nobody is training.
    """
    if named := os.environ.get("QKVAE_CACHE"):
        return Path(named)
    home = Path.home()
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "qkvae"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home)) / "qkvae" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "qkvae"


def cached_tokens(
    documents: LargeDocuments, tokenizer: Tokenizer, say: Tell, progress: Progress = lambda done: None
) -> Ragged:
    """The token ids of documents, in files mapped into memory; encoded first, unless they are there already.

    A damaged entry is noticed, said and made anew.

    Raises:
        OSError: the folder may not be written, or the disk is full.
    """
    spelling = sha256(tokenizer.to_json().encode()).hexdigest()
    key = sha256(f"{FORMAT} {documents.fingerprint} {spelling}".encode()).hexdigest()[:32]
    folder = cache_folder() / "tokens" / key
    wanted = Entry(FORMAT, documents.fingerprint, spelling, 0, len(documents), 0)
    if folder.exists():
        try:
            found = _opened(folder, wanted)
            say(f"the text is encoded already: {folder}")
            return found
        except ValueError as error:
            say(f"note: {error}: it is made anew")
            shutil.rmtree(folder)
    say(f"the token ids are kept in {folder} (QKVAE_CACHE chooses another place)")
    _make(folder, wanted, documents, tokenizer, progress)
    return _opened(folder, wanted)


def _make(
    folder: Path, wanted: Entry, documents: LargeDocuments, tokenizer: Tokenizer, progress: Progress
) -> None:
    """Encode the documents; the entry appears under its name when it is whole."""
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        tokens, starts = 0, list[int]()
        with (unfinished / "ids").open("wb") as file:
            for begins, rows in tokenizer.encode_stretches(_told(documents, progress)):
                starts += [tokens + int(at) for at, first in zip(rows.starts, begins, strict=False) if first]
                file.write(rows.flat.astype("<i4", copy=False).tobytes())
                tokens += len(rows.flat)
            forced(file.fileno(), file.flush)
        with (unfinished / "starts").open("wb") as file:
            file.write(np.array([*starts, tokens], "<i8").tobytes())
            forced(file.fileno(), file.flush)
        entry = replace(wanted, tokens=tokens, checksum=checksum(unfinished, "ids", "starts"))
        with (unfinished / "entry.json").open("w", encoding="utf-8") as file:
            json.dump(asdict(entry), file, indent=2)
            forced(file.fileno(), file.flush)
        if not folder.exists():  # which another process may have made meanwhile
            os.replace(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def _told(documents: LargeDocuments, progress: Progress) -> Iterable[tuple[bool, str]]:
    """The stretches, with the progress through them."""
    done, characters = 0, max(1, documents.characters)
    for begins, text in documents.stretches():
        yield begins, text
        done += len(text)
        progress(done / characters)


def _opened(folder: Path, wanted: Entry) -> Ragged:
    """The ids of an entry, mapped.

    Raises:
        ValueError: it is damaged, or not of this text and tokenizer.
    """
    try:
        entry = Entry(**json.loads((folder / "entry.json").read_text(encoding="utf-8")))
        sizes = [(folder / name).stat().st_size for name in ("ids", "starts")]
        alike = replace(entry, tokens=0, checksum=0) == wanted
        whole = sizes == [4 * entry.tokens, 8 * (entry.documents + 1)]
        if not (alike and whole and entry.checksum == checksum(folder, "ids", "starts")):
            raise ValueError("its content is not what it says")
    except (OSError, ValueError, TypeError) as error:
        raise ValueError(f"the token ids in {folder} are damaged ({error})") from error
    flat = np.memmap(folder / "ids", np.dtype("<i4"), "r")
    return Ragged(flat, np.fromfile(folder / "starts", "<i8"))


def checksum(folder: Path, *names: str) -> int:
    """CRC-32 over files of a folder, read in blocks."""
    found = 0
    for name in names:
        with (folder / name).open("rb") as file:
            while block := file.read(_BLOCK):
                found = zlib.crc32(block, found)
    return found


def forced(descriptor: int, flush: Callable[[], None]) -> None:
    """Write to the disk itself."""
    flush()
    os.fsync(descriptor)
