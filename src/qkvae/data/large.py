"""Documents too large for memory: read again, piece by piece, whenever their text is needed."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b, sha256
from operator import itemgetter
from typing import Any

import numpy as np

from qkvae.data.archives import is_packed
from qkvae.data.documents import MANY, Documents, clean, files_below
from qkvae.data.files import COMPRESSIONS, TextFile, decoded_pieces, locate, read_head, refuse_binary
from qkvae.data.pairs import Note, Tally
from qkvae.data.ragged import Ints
from qkvae.data.splits import chosen_by_hash, normalised
from qkvae.data.text_column import TABLES, text_rows
from qkvae.data.token_kinds import last_cut

LARGE = 2**27
"""Bytes of text (128 MiB) from which it is not held in memory: that takes several times as much."""

MOST_LEARNED = 100_000_000
"""Characters that a vocabulary is learned from at most: stretches evenly spread over a longer text."""

_PIECE = 1 << 20  # bytes read at a time
_UNFOLDS = 4  # times its size that a compressed text is taken for


@dataclass(frozen=True, eq=False)
class LargeDocuments:
    """Files whose text is read piece by piece; what is set aside to validate on is left out."""

    paths: tuple[str, ...]
    column: str | None
    """Of tables, as for `documents.read_documents`."""

    kept: Ints = field(repr=False)
    """How many characters of each document are kept, from its beginning on; 0 for one that is set aside."""

    fingerprint: str
    """Changes with any text, their order, and what is set aside."""

    notes: tuple[Note, ...] = ()

    def __len__(self) -> int:
        return int(np.count_nonzero(self.kept))

    @property
    def characters(self) -> int:
        """Characters of all documents together."""
        return int(self.kept.sum())

    @property
    def figures(self) -> dict[str, Any]:
        """What the passport of a run says of these documents."""
        return {"files": list(self.paths), "documents": len(self), "characters": self.characters}

    def stretches(self) -> Iterator[tuple[bool, str]]:
        """All text, cut between words, each part with whether a document begins with it.

        A tokenizer makes of the parts what it makes of the whole.
        """
        for number, pieces in _by_document(self.paths, self.column, Tally()):
            texts = (text for text in _upto(pieces, int(self.kept[number])) if text)
            for place, stretch in enumerate(_between_words(texts)):
                yield not place, stretch

    def sample(self) -> Iterator[str]:
        """What a vocabulary is learned from: one stretch in as many as leave ``MOST_LEARNED`` characters."""
        every = max(1, -(-self.characters // MOST_LEARNED))
        for begins, text in itertools.islice(self.stretches(), 0, None, every):
            yield text if begins else text.removeprefix(" ")  # one is put before every text


def is_large(paths: Sequence[str]) -> bool:
    """Whether the text of these files is too much to be held in memory, as far as their sizes tell.

    Raises:
        FileNotFoundError: a path does not exist; the nearest existing name is suggested.
    """
    files = {file.path for name in paths for file, _ in _files(name)}
    unfolded = (_UNFOLDS if path.suffix.lower() in (*COMPRESSIONS, ".zip") else 1 for path in files)
    return sum(path.stat().st_size * each for path, each in zip(files, unfolded, strict=True)) >= LARGE


def read_large(
    paths: Sequence[str], column: str | None, fraction: Callable[[int], float] | None = None
) -> tuple[LargeDocuments, Documents]:
    """Files to learn from, and the part of them to validate on, chosen as in `documents.split_documents`.

    What is handled is as in `documents.read_documents`, but for two things: equal documents are not counted,
    and a file of a folder that turns out to be no UTF-8 text after its beginning is refused.

    Args:
        paths, column: as there.
        fraction: the part to set aside, given the number of characters; nothing if not given.

    Raises:
        ValueError, FileNotFoundError: as there.
    """
    for path in filter(is_packed, map(locate, paths)):
        raise ValueError(f"too much text to be read from a tar: unpack {path.name} and name the folder")
    tally, digest = Tally(), sha256()
    lengths: list[int] = []
    hashes: list[bytes] = []
    for _, pieces in _by_document(paths, column, tally):
        length, hashed = 0, blake2b(digest_size=8)
        for text in pieces:
            length += len(text)
            digest.update(text.encode())
            # A whole row of a table is one piece; what is longer is told apart by more than case and spaces.
            hashed.update((text if length > len(text) else normalised(text)).encode())
        lengths.append(length)
        hashes.append(hashed.digest())
    if column is not None and not any(file.suffix in TABLES for name in paths for file, _ in _files(name)):
        raise ValueError(f"text {column} has no effect on plain text, which has no columns: leave it out")
    if not lengths:
        raise ValueError(f"{', '.join(map(os.path.basename, paths))} holds no text: every document is empty")
    known = np.array(lengths)
    digest.update(known.tobytes())
    whole = LargeDocuments(tuple(paths), column, known, "", tally.notes())
    kept = known if fraction is None else _kept(whole, hashes, fraction(whole.characters))
    digest.update(kept.tobytes())
    large = replace(whole, kept=kept, fingerprint=digest.hexdigest())
    return large, Documents(list(_set_aside(large)), paths=tuple(paths))


def _kept(whole: LargeDocuments, hashes: list[bytes], fraction: float) -> Ints:
    """How many characters of each document are left to learn from."""
    numbers = np.frombuffer(b"".join(hashes), "<u8").astype(np.uint64)
    if len(np.unique(numbers)) >= MANY:
        return np.where(chosen_by_hash(numbers, fraction), 0, whole.kept)
    return ((1 - fraction) * whole.kept).astype(np.int64)


def _set_aside(large: LargeDocuments) -> Iterator[str]:
    """What is not kept of each document."""
    for number, pieces in _by_document(large.paths, large.column, Tally()):
        at, rest = 0, list[str]()
        for text in pieces:
            rest.append(text[max(0, int(large.kept[number]) - at) :])
            at += len(text)
        if joined := "".join(rest):
            yield joined


def _upto(pieces: Iterable[str], count: int) -> Iterator[str]:
    """The first ``count`` characters."""
    for text in pieces:
        if count <= 0:
            return
        yield text[:count]
        count -= len(text)


def _between_words(pieces: Iterable[str]) -> Iterator[str]:
    """The same text, cut between words.

    >>> list(_between_words(["one tw", "o three", " four"]))
    ['one', ' two', ' three', ' four']
    """
    rest = ""
    for piece in pieces:
        rest += piece
        if cut := last_cut(rest):
            yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest


def _by_document(
    paths: Sequence[str], column: str | None, tally: Tally
) -> Iterator[tuple[int, Iterator[str]]]:
    """The documents by number, each as pieces of text, to be read before the next one is asked for."""
    for number, group in itertools.groupby(_pieces(paths, column, tally), itemgetter(0)):
        yield number, map(itemgetter(1), group)


def _pieces(paths: Sequence[str], column: str | None, tally: Tally) -> Iterator[tuple[int, str]]:
    """All text that is no empty document, piece by piece, with the number of its document."""
    number = 0
    for where, texts in _read(paths, column, tally):
        held, found = "", False
        for text in texts:
            text = held + clean(text, where, tally)
            found = found or not (not text or text.isspace())
            held = "" if found else text
            if found:
                yield number, text
        if found:
            number += 1
        else:
            tally.add("empty", "empty documents were dropped", where)


def _read(paths: Sequence[str], column: str | None, tally: Tally) -> Iterator[tuple[str, Iterable[str]]]:
    """Every document: where it begins, and its text in pieces."""
    for name in paths:
        alone = locate(name).is_file()
        for file, label in _files(name):
            if file.suffix in TABLES:
                for line, text in text_rows(file, column, tally):
                    yield f"{label}:{line}", [text]
            elif alone or _is_text(file):
                yield f"{label}:1", decoded_pieces(file, tally, _PIECE)
            else:
                tally.add("not text", "files of a folder that are no UTF-8 text were left out", label)


def _files(name: str) -> Iterable[tuple[TextFile, str]]:
    """The files that a path stands for, and what they are called."""
    path = locate(name)
    if path.is_dir() or path.suffix.lower() == ".zip":
        return files_below(path)
    return [(TextFile(path), path.name)]


def _is_text(file: TextFile) -> bool:
    """Whether a file begins like text."""
    try:
        refuse_binary(read_head(file), file.name)
    except ValueError:
        return False
    return True
