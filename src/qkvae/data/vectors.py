"""Word vectors made elsewhere: GloVe, word2vec and fastText text files; neighbours and analogies by
cosine."""

from __future__ import annotations

import os
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from qkvae.config.names import nearest
from qkvae.data.byte_letters import SPACE
from qkvae.data.files import Lines, TextFile, locate, read_head
from qkvae.data.pairs import EXAMPLES, Note, Tally
from qkvae.data.ragged import Ints
from qkvae.data.tables import shortened
from qkvae.data.tokenizer import Tokenizer

Floats = NDArray[np.float32]

_FASTTEXT_MODEL = b"\xba\x16\x4f\x2f"


@dataclass(frozen=True, eq=False)
class Vectors:
    """Words and their vectors.

    >>> three = Vectors(["king", "queen", "man"], np.eye(3, 4, dtype=np.float32))
    >>> three["queen"].tolist(), "woman" in three
    ([0.0, 1.0, 0.0, 0.0], False)
    """

    words: list[str]
    """Each once, in the order of the file (often the most frequent first)."""

    matrix: Floats
    """float32[words, dim]"""

    notes: tuple[Note, ...] = ()

    def __post_init__(self) -> None:
        if self.matrix.ndim != 2 or len(self.words) != len(self.matrix):
            raise ValueError(f"{len(self.words)} words, but a matrix of shape {self.matrix.shape}")

    def __len__(self) -> int:
        return len(self.words)

    @property
    def dim(self) -> int:
        """Numbers in a vector."""
        return self.matrix.shape[1]

    def __contains__(self, word: str) -> bool:
        return word in self._row

    def __getitem__(self, word: str) -> Floats:
        """The vector of a word.

        Raises:
            ValueError: there is none; the nearest known word is named.
        """
        if word not in self._row:
            raise ValueError(f'there is no vector of "{word}": {nearest(word, self.words[:1000])}')
        return self.matrix[self._row[word]]

    def neighbours(self, word: str | Floats, count: int = 10) -> list[tuple[str, float]]:
        """The words whose vectors have the greatest cosine with a word's (or with any vector), nearest first.

        cos(u, v) = u·v / (|u| |v|), 0 where a vector is zero.  The word itself is left out.

        Raises:
            ValueError: there is no such word.

        >>> some = Vectors(["up", "high", "down"], np.array([[1, 0], [2, 1], [-1, 0]], np.float32))
        >>> [(word, round(cosine, 3)) for word, cosine in some.neighbours("up", 2)]
        [('high', 0.894), ('down', -1.0)]
        """
        if isinstance(word, str):
            return self._nearest(self[word], {word}, count)
        return self._nearest(word, set(), count)

    def analogy(self, one: str, other: str, third: str, count: int = 1) -> list[tuple[str, float]]:
        """``one`` is to ``other`` as ``third`` is to what?  argmax over w of cos(w, other - one + third),
        all of length 1 (Mikolov et al. 2013); the three themselves are left out.

        Raises:
            ValueError: one of the words is unknown.

        >>> rows = np.array([[1, 0, 1], [1, 0, -1], [0, 1, 1], [0, 1, -1]], np.float32)
        >>> Vectors(["man", "woman", "king", "queen"], rows).analogy("man", "woman", "king")[0][0]
        'queen'
        """
        wanted = _unit(self[other]) - _unit(self[one]) + _unit(self[third])
        return self._nearest(wanted, {one, other, third}, count)

    def _nearest(self, vector: Floats, without: Collection[str], count: int) -> list[tuple[str, float]]:
        cosines = self._units @ _unit(np.asarray(vector, np.float32))
        best: list[int] = np.argsort(-cosines, kind="stable")[: count + len(without)].tolist()
        found = [(self.words[row], float(cosines[row])) for row in best if self.words[row] not in without]
        return found[:count]

    @cached_property
    def _row(self) -> dict[str, int]:
        return {word: row for row, word in enumerate(self.words)}

    @cached_property
    def _units(self) -> Floats:
        return _unit(self.matrix)


def _unit(vectors: Floats) -> Floats:
    """Vectors of length 1; zero stays zero."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)


def read_vectors(path: str | os.PathLike[str], words: Collection[str] | None = None) -> Vectors:
    """Read a text file of word vectors: one word a line and its numbers, between single spaces.

    GloVe's files begin at once; those of word2vec and fastText with the numbers of words and of
    dimensions.  May be compressed (.gz, .xz).  Only the vectors of ``words`` are held, if given, so the
    memory needed is that of the words asked for; all lines are looked at.

    Counted in ``notes``: words given twice (the first counts), empty words (dropped).

    Raises:
        FileNotFoundError: the path does not exist; the nearest existing name is suggested.
        ValueError: a binary file; a header that says another number of words than there are; a line with
        another
            number of values than the first (or than the header says), or with something that is no finite
            number; not one word asked for.

    >>> import tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "tiny.vec"
    >>> _ = path.write_text("2 3\\nthe 0.1 0.2 0.3\\ncat 1 2 3\\n", encoding="utf-8")
    >>> read_vectors(path)["cat"].tolist(), read_vectors(path, {"the"}).words
    ([1.0, 2.0, 3.0], ['the'])
    """
    file = TextFile(locate(path))
    _refuse_binary(file)
    tally = Tally()
    reader = _Reader(file.name, None if words is None else frozenset(words), tally)
    for number, line in enumerate(Lines(file, tally), 1):
        if line is None:
            raise ValueError(f"{file.name}: line {number} is too long for a word and its vector")
        reader.read(number, line.rstrip(" "))
    return reader.vectors()


class _Reader:
    """Takes a file of vectors line by line."""

    def __init__(self, name: str, wanted: frozenset[str] | None, tally: Tally) -> None:
        self._name, self._wanted, self._tally = name, wanted, tally
        self._header: tuple[int, int] | None = None
        self._dim = 0
        self._count = 0
        self._seen: set[str] = set()
        self._words: list[str] = []
        self._values = array("f")

    def read(self, number: int, line: str) -> None:
        fields = line.split(" ")
        if number == 1 and len(fields) == 2 and all(field.isdecimal() for field in fields):
            self._header = int(fields[0]), int(fields[1])
            self._dim = self._header[1]
            return
        if not line.strip():
            self._tally.add("blank line", "blank lines were dropped", f"{self._name}:{number}")
            return
        self._count += 1
        self._dim = self._dim or len(fields) - 1
        if self._dim < 1 or len(fields) != self._dim + 1:
            fields = self._joined(fields, number)
        word = fields[0]
        if not word:
            self._tally.add("empty word", "vectors of an empty word were dropped", f"{self._name}:{number}")
        elif word in self._seen:
            what = "words were given twice; the first vector counts"
            self._tally.add("word again", what, f"{self._name}:{number}: {shortened(word)}")
        elif self._wanted is None or word in self._wanted:
            self._seen.add(word)
            self._words.append(word)
            self._values.extend(self._numbers(fields, number))

    def _joined(self, fields: list[str], number: int) -> list[str]:
        """A word with spaces in it (GloVe's ``.

        . .``) put together; too few or too many numbers are refused.
        """
        values = len(fields) - 1
        extra = fields[1 : values - self._dim + 1]
        if values < self._dim or self._dim < 1 or all(_is_number(field) for field in extra):
            said = "its header" if self._header else "its first line"
            raise ValueError(
                f"{self._name}: line {number} has {values} values, but {said} has {self._dim}: the file is "
                "damaged or mixes two"
            )
        self._tally.add("word with spaces", "words hold spaces", f"{self._name}:{number}")
        return [" ".join([fields[0], *extra]), *fields[len(extra) + 1 :]]

    def _numbers(self, fields: list[str], number: int) -> array[float]:
        try:
            values = array("f", map(float, fields[1:]))
        except ValueError as error:
            message = f"{self._name}: line {number}: {error}: each line is a word and numbers"
            raise ValueError(message) from None
        if not np.isfinite(np.frombuffer(values, np.float32)).all():
            raise ValueError(f'{self._name}: line {number}: the vector of "{fields[0]}" is not finite')
        return values

    def vectors(self) -> Vectors:
        if self._header is not None and self._header[0] != self._count:
            raise ValueError(
                f"{self._name}: line 1 says {self._header[0]:,} words of {self._header[1]} values, but "
                f"{self._count:,} follow: it was cut short (get it again), or its first line is to be "
                "corrected"
            )
        if not self._words:
            wanted = "" if self._wanted is None else f" of the {len(self._wanted):,} words asked for"
            raise ValueError(f"{self._name} holds no vector{wanted}: is it the right file?")
        matrix = np.frombuffer(self._values, np.float32).reshape(len(self._words), self._dim)
        return Vectors(self._words, matrix, self._tally.notes())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _refuse_binary(file: TextFile) -> None:
    head = read_head(file, 4096)
    first, _, rest = head.partition(b"\n")
    counts = first.split()
    word2vec = len(counts) == 2 and all(each.isdigit() for each in counts) and not _is_text(rest)
    if word2vec or head.startswith(_FASTTEXT_MODEL) or head[:1] == b"\x80":
        kind = "word2vec's binary format" if word2vec else "a saved model"
        raise ValueError(f"{file.name} is {kind}, not text: save it as text (.vec or .txt) where it was made")


def _is_text(sample: bytes) -> bool:
    """Whether bytes are UTF-8 but for a letter cut at the end, and without zero bytes."""
    try:
        return "\x00" not in sample[:-4].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > len(sample) - 8


@dataclass(frozen=True, eq=False)
class Match:
    """Which tokens have a vector: row ``ids[i]`` of the embedding table is to become ``rows[i]``."""

    ids: Ints
    """Token ids, ascending, int64[found]."""

    rows: Floats
    """Their vectors, float32[found, dim]."""

    notes: tuple[Note, ...]
    """How many tokens were found, as they are and in lower case, and how many were not."""


def words_of(tokenizer: Tokenizer) -> dict[str, int]:
    """The whole words among the tokens, with their ids: those that begin with a space (bpe), or all (word).

    >>> tokenizer = Tokenizer.train(["no, no"] * 2, vocab_size=262)
    >>> {word: id for word, id in words_of(tokenizer).items() if len(word) > 1}
    {'no': 261}
    """
    first = len(tokenizer.specials)
    tokens = enumerate(tokenizer.tokens(range(first, len(tokenizer))), first)
    if tokenizer.kind == "word":
        return {token: index for index, token in tokens}
    begun = ((token, index) for index, token in tokens if token.startswith(SPACE) and token != SPACE)
    return {token.removeprefix(SPACE): index for token, index in begun}


def match(vectors: Vectors, words: Tokenizer | dict[str, int] | Sequence[str]) -> Match:
    """The vectors for the tokens of a tokenizer (or for words with their ids, or in the order of their ids).

    A word is looked for as it is, then in lower case.  Pieces of words have no vector of their own.

    Raises:
        ValueError: not one is found.

    >>> some = Vectors(["the", "cat"], np.array([[1, 2], [3, 4]], np.float32))
    >>> found = match(some, ["The", "dog", "cat"])
    >>> found.ids.tolist(), found.rows.tolist()
    ([0, 2], [[1.0, 2.0], [3.0, 4.0]])
    >>> print(*found.notes, sep="; ")
    2 of 3 words have a vector (1 in lower case); 1 words have none (dog)
    """
    if isinstance(words, Tokenizer):
        words = words_of(words)
    elif not isinstance(words, dict):
        words = {word: index for index, word in enumerate(words)}
    exact = {index: word for word, index in words.items() if word in vectors}
    lower = {
        index: word.lower() for word, index in words.items() if index not in exact and word.lower() in vectors
    }
    found = dict(sorted((exact | lower).items()))
    missing = [word for word, index in words.items() if index not in found]
    if not found:
        raise ValueError(
            f"not one of {len(words):,} words ({', '.join(missing[:EXAMPLES])} …) has a vector: is it the "
            "right "
            "file for this language?"
        )
    what = f"of {len(words):,} words have a vector ({len(lower):,} in lower case)"
    notes = [Note("found", len(found), what)]
    if missing:
        notes.append(Note("missing", len(missing), "words have none", tuple(missing[:EXAMPLES])))
    rows = np.stack([vectors[word] for word in found.values()])
    return Match(np.array(list(found), np.int64), rows, tuple(notes))
