"""Text to token ids and back: byte-level byte-pair encoding, or whole words with a frequency cut-off.

Both stand on the ``tokenizers`` library: a saved ``tokenizer.json`` is read by whatever reads its format.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple, SupportsIndex

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from qkvae.config.names import nearest
from qkvae.data.bpe_dropout import MergeTable, Words
from qkvae.data.ragged import Ragged
from qkvae.data.word_text import WORD, join_words

Kind = Literal["bpe", "word"]

SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")
"""The special tokens, by id.  Text that happens to spell one of them is encoded as text."""

PAD, BOS, EOS, UNK = range(4)

CHUNK = 8192
"""Texts encoded at a time: bounds the memory that the library's answers take."""

SPACE = "▁"
"""How a space at the start of a token is shown."""


class Piece(NamedTuple):
    """A token with its place in the text: ``text[start:end]``, in characters."""

    id: int
    token: str
    start: int
    end: int


class Tokenizer:
    """Encodes text as token ids; the ids carry no special tokens (batches add them).

    bpe: byte-pair encoding (Sennrich et al. 2016) over the bytes of UTF-8.  All 256 bytes are in the
    alphabet, so nothing is unknown and ``decode(encode(text)) == text`` for every text.  A space is put
    before the text, and taken off again by ``decode``: a word is the same token at the start of a sentence
    and inside it.

    word: words and punctuation marks; a word seen too seldom is UNK, and ``decode`` joins words readably, not
    exactly.

    >>> tokenizer = Tokenizer.train(["the dog and the cat"] * 2, kind="word", exact=False)
    >>> tokenizer.encode("the cat and the hen")
    [4, 6, 5, 4, 3]
    >>> tokenizer.decode([4, 6, 5, 4, 3])
    'the cat and the <unk>'
    """

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        """Wrap a tokenizer of the ``tokenizers`` library that ``train`` made.

        Raises:
            ValueError: its model is neither BPE nor WordLevel, or its first tokens are not ``SPECIALS``.
        """
        known = {"BPE": "bpe", "WordLevel": "word"}
        name = type(backend.model).__name__
        if name not in known:
            raise ValueError(f"the tokenizer's model is {name}, but must be one of {', '.join(known)}")
        found = tuple(backend.id_to_token(index) for index in range(len(SPECIALS)))
        if found != SPECIALS:
            raise ValueError(f"the tokenizer's first tokens are {found}, but must be {SPECIALS}")
        self._backend = backend
        self._backend.encode_special_tokens = True
        self.kind: Kind = "bpe" if name == "BPE" else "word"

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        kind: str = "bpe",
        vocab_size: int = 8000,
        min_frequency: int = 2,
        *,
        exact: bool = True,
    ) -> Tokenizer:
        """Learn a vocabulary from texts, the same one from the same texts.

        Args:
            texts: what to learn from; read once.
            kind: "bpe" or "word".
            vocab_size: tokens, special tokens included.
            min_frequency: a pair (bpe) or a word seen less often gets no token of its own.
            exact: refuse a ``vocab_size`` that these texts cannot fill; otherwise it is an upper limit.

        Raises:
            ValueError: an unknown kind, or a vocabulary too small for the alphabet or (exact) larger than the
                texts allow; the largest possible is named.
        """
        if kind not in ("bpe", "word"):
            raise ValueError(f'kind is "{kind}": {nearest(kind, ("bpe", "word"))}')
        smallest = len(SPECIALS) + (256 if kind == "bpe" else 1)
        if vocab_size < smallest:
            raise ValueError(f"vocab_size is {vocab_size}, but must be at least {smallest} for kind {kind}")
        backend, trainer = _untrained(kind, vocab_size, min_frequency)
        backend.train_from_iterator(texts, trainer)
        size = backend.get_vocab_size()
        if exact and size < vocab_size:
            raise ValueError(
                f"vocab_size is {vocab_size}, but these texts allow at most {size} tokens with min_frequency "
                f"{min_frequency}: use {size} or less, more text, or a lower min_frequency"
            )
        return cls(backend)

    @classmethod
    def from_json(cls, text: str) -> Tokenizer:
        """The tokenizer that ``to_json`` wrote.

        Raises:
            ValueError: the text is no tokenizer of ours.
        """
        try:
            backend = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"not a tokenizer.json: {error}") from None
        return cls(backend)

    def to_json(self) -> str:
        """Everything ``from_json`` needs, in the format of the ``tokenizers`` library."""
        return self._backend.to_str(pretty=True)

    @classmethod
    def load(cls, path: Path | str) -> Tokenizer:
        """Read a ``tokenizer.json``.

        Raises:
            OSError: the file cannot be read.
            ValueError: it holds no tokenizer of ours.
        """
        try:
            return cls.from_json(Path(path).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    def save(self, path: Path | str) -> None:
        """Write a ``tokenizer.json``."""
        Path(path).write_text(self.to_json(), encoding="utf-8", newline="\n")

    def __len__(self) -> int:
        """Size of the vocabulary, special tokens included."""
        return self._backend.get_vocab_size()

    def __getstate__(self) -> str:
        return self.to_json()

    def __setstate__(self, state: str) -> None:
        self.__init__(tokenizers.Tokenizer.from_str(state))

    # Text to ids

    def encode(self, text: str) -> list[int]:
        """The token ids of one text."""
        return self._backend.encode(text, add_special_tokens=False).ids

    def encode_batch(self, texts: Iterable[str]) -> Ragged:
        """The token ids of many texts, a row each; int32, without a Python object per token."""
        parts = [Ragged.from_lists([each.ids for each in some]) for some in self._encodings(texts)]
        return Ragged.concatenate(parts)

    def words(self, texts: Iterable[str]) -> Words:
        """Texts cut into words, ready to be encoded again and again with merges dropped (BPE-dropout).

        Raises:
            ValueError: this is a word tokenizer, which has no merges.
        """
        if self.kind != "bpe":
            raise ValueError("BPE-dropout needs a bpe tokenizer, but this one is of kind word")
        parts: list[Ragged] = []
        for some in self._encodings(texts):
            ids = Ragged.from_lists([each.ids for each in some])
            word_of = Ragged.from_lists([each.word_ids for each in some])
            parts.append(self._table.number(ids, word_of.flat))
        return Words(Ragged.concatenate(parts), self._table)

    def encode_dropout(self, texts: Iterable[str], p: float, seed: int | Sequence[int]) -> Ragged:
        """Token ids with each merge skipped with probability p: a pure function of (texts, p, seed).

        Texts needed more than once are quicker by ``words(texts).sample(p, seed)``.

        Raises:
            ValueError: p is outside [0, 1], or this is a word tokenizer.
        """
        return self.words(texts).sample(p, seed)

    def _encodings(self, texts: Iterable[str]) -> Iterator[list[Any]]:
        """The library's answers, a chunk at a time."""
        texts = iter(texts)
        while chunk := list(itertools.islice(texts, CHUNK)):
            yield self._backend.encode_batch(chunk, add_special_tokens=False)

    # Ids to text

    def decode(self, ids: Iterable[SupportsIndex]) -> str:
        """The text of token ids.  PAD, BOS and EOS are left out; UNK shows as ``<unk>``."""
        kept = [index for index in map(int, ids) if index not in (PAD, BOS, EOS)]
        if self.kind == "word":
            return join_words([self._names[index] for index in kept])
        return self._backend.decode(kept, skip_special_tokens=False)

    def decode_batch(self, rows: Iterable[Iterable[SupportsIndex]]) -> list[str]:
        """The text of every row (a ``Ragged`` or lists)."""
        return [self.decode(row) for row in rows]

    # Looking inside

    def tokens(self, ids: Iterable[SupportsIndex]) -> list[str]:
        """Each token as people read it: ``▁`` is a space, ``<0xC3>`` a byte that is no letter by itself.

        >>> tokenizer = Tokenizer.train(["no, no"] * 2, vocab_size=262)
        >>> tokenizer.tokens(tokenizer.encode("no é"))
        ['▁no', '▁', '<0xC3>', '<0xA9>']
        """
        return [self._shown[index] for index in map(int, ids)]

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Start and end of every token in the text, in characters; together they cover it (bpe).

        A character whose bytes are several tokens is covered by each of them.  The space that bpe puts before
        the text is no part of it: a token that is nothing else covers (0, 0).
        """
        return [(start, end) for _, _, start, end in self.pieces(text)]

    def pieces(self, text: str) -> list[Piece]:
        """The tokens of a text and their places in it.

        >>> tokenizer = Tokenizer.train(["no, no"] * 2, vocab_size=262)
        >>> [tuple(piece) for piece in tokenizer.pieces("no,")]
        [(261, '▁no', 0, 2), (15, ',', 2, 3)]
        """
        encoding = self._backend.encode(text, add_special_tokens=False)
        shown = self.tokens(encoding.ids)
        places = self._byte_places(text, encoding.ids) if self.kind == "bpe" else encoding.offsets
        return [Piece(*each[:2], *each[2]) for each in zip(encoding.ids, shown, places, strict=True)]

    def _byte_places(self, text: str, ids: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Places in characters from the lengths of the tokens in bytes."""
        character = [at for at, letter in enumerate(text) for _ in range(len(letter.encode()))]
        end = -1  # the space before the text
        for index in ids:
            start, end = max(end, 0), end + len(self._spelling[index])
            yield (character[start], character[end - 1] + 1) if end > start else (0, 0)

    def merges(self, text: str) -> list[list[list[str]]]:
        """How byte-pair encoding builds the tokens: for every word its segmentations, from bytes to tokens.

        >>> tokenizer = Tokenizer.train(["no, no"] * 2, vocab_size=262)
        >>> tokenizer.merges("no")
        [[['▁', 'n', 'o'], ['▁', 'no'], ['▁no']]]

        Raises:
            ValueError: this is a word tokenizer, which has no merges.
        """
        words = self.words([text])
        return [
            [self.tokens(ids) for ids in words.table.history(word)] for word in words.numbers.flat.tolist()
        ]

    @cached_property
    def _table(self) -> MergeTable:
        model: dict[str, Any] = json.loads(self._backend.to_str())["model"]
        vocab: dict[str, int] = model["vocab"]
        merges = {
            (vocab[left], vocab[right]): (rank, vocab[left + right])
            for rank, (left, right) in enumerate(model["merges"])
        }
        return MergeTable(merges, self._spelling)

    @cached_property
    def _names(self) -> list[str]:
        """Every token as the file spells it."""
        ids = self._backend.get_vocab()
        return sorted(ids, key=ids.__getitem__)

    @cached_property
    def _spelling(self) -> list[list[int]]:
        """For every token of bpe the ids of its bytes."""
        ids, special = self._backend.get_vocab(), [[index] for index in range(len(SPECIALS))]
        return special + [[ids[byte] for byte in name] for name in self._names[len(SPECIALS) :]]

    @cached_property
    def _shown(self) -> list[str]:
        if self.kind == "word":
            return self._names
        return [*SPECIALS, *map(_readable, self._names[len(SPECIALS) :])]


def _untrained(kind: Kind, vocab_size: int, min_frequency: int) -> tuple[tokenizers.Tokenizer, Any]:
    """An empty tokenizer of the library, and what trains it."""
    shared: dict[str, Any] = {
        "vocab_size": vocab_size,
        "min_frequency": min_frequency,
        "special_tokens": list(SPECIALS),
        "show_progress": False,
    }
    if kind == "word":
        backend = tokenizers.Tokenizer(models.WordLevel(unk_token=SPECIALS[UNK]))
        backend.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True)
        backend.decoder = decoders.WordPiece(prefix="", cleanup=True)
        return backend, trainers.WordLevelTrainer(**shared)
    backend = tokenizers.Tokenizer(models.BPE())
    backend.normalizer = normalizers.Prepend(" ")
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    backend.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return backend, trainers.BpeTrainer(initial_alphabet=alphabet, **shared)


def _byte_values() -> dict[str, int]:
    """The byte that each letter of the byte-level alphabet stands for.

    Bytes that print in Latin-1 stand for themselves; the others are the letters from 256 on (GPT-2).
    """
    own = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in own)
    return {chr(byte): byte for byte in own} | {chr(256 + at): byte for at, byte in enumerate(others)}


_BYTES = _byte_values()


def _readable(token: str) -> str:
    """A byte-level token as people read it."""
    shown = bytes(_BYTES[letter] for letter in token).decode("utf-8", errors="surrogateescape")
    return "".join(_show(letter) for letter in shown)


def _show(letter: str) -> str:
    if letter == " ":
        return SPACE
    if 0xDC80 <= ord(letter) <= 0xDCFF:  # a byte that is no letter by itself
        return f"<0x{ord(letter) - 0xDC00:02X}>"
    return letter if letter.isprintable() else ascii(letter)[1:-1]
