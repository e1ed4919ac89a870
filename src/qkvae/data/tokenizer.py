"""Text to token ids and back: byte-level byte-pair encoding, whole words, characters or bytes.

All are saved as a ``tokenizer.json`` of the ``tokenizers`` library (see ``vocabulary``), which whatever reads
its format reads; how each kind is described there is in ``token_kinds``.
"""

from __future__ import annotations

import itertools
import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import tokenizers

from qkvae.config.names import nearest
from qkvae.data.bpe_dropout import MergeTable, Words
from qkvae.data.codes import BLOCK, Codes
from qkvae.data.decoding import ByteDecoder, Decoder, NameDecoder
from qkvae.data.ragged import Ragged
from qkvae.data.token_kinds import (
    BOS,
    EOS,
    KINDS,
    PAD,
    SPECIALS,
    UNK,
    Kind,
    check_specials,
    learn,
    stretches,
)
from qkvae.data.vocabulary import Vocabulary
from qkvae.data.word_text import Joiner

__all__ = ["BOS", "EOS", "PAD", "SPECIALS", "UNK", "Kind", "Piece", "Tokenizer"]

CHUNK = 1024
"""Texts encoded at a time: bounds the memory that the library's answers take."""


class Piece(NamedTuple):
    """A token with its place in the text: ``text[start:end]``, in characters."""

    id: int
    token: str
    start: int
    end: int


class Tokenizer(Vocabulary):
    """Encodes text as token ids; the ids carry no special tokens (batches add them).

    bpe: byte-pair encoding (Sennrich et al. 2016) over the bytes of UTF-8.  All 256 bytes are in the
    alphabet, so nothing is unknown and ``decode(encode(text)) == text`` for every text.  A space is put
    before the text, and taken off again by ``decode``: a word is the same token at the start of a sentence
    and inside it.

    word: words and punctuation marks; a word seen too seldom is UNK, and ``decode`` joins words readably, not
    exactly.

    char: every character that was seen; any other is UNK.  byte: the 256 bytes, so nothing is unknown.

    >>> tokenizer = Tokenizer.train(["the dog and the cat"] * 2, kind="word")
    >>> tokenizer.encode("the cat and the hen")
    [4, 6, 5, 4, 3]
    >>> tokenizer.decode([4, 6, 5, 4, 3])
    'the cat and the <unk>'
    >>> tokenizer.unknown(["the cat and the hen"])
    Counter({'hen': 1})
    """

    @classmethod
    def train(
        cls,
        texts: Iterable[str],
        kind: str = "bpe",
        vocab_size: int | None = None,
        min_frequency: int | None = None,
        *,
        exact: bool = True,
        specials: Sequence[str] = (),
    ) -> Tokenizer:
        """Learn a vocabulary from texts, the same one from the same texts.

        Args:
            texts: what to learn from; read once.
            kind: "bpe", "word", "char" or "byte".
            vocab_size: tokens, special tokens included; not given, as many as there are, and for bpe 8000 at
                most.
            min_frequency: a pair (bpe), a word or a character seen less often gets no token of its own; not
                given, 2 and for characters 1.
            exact: refuse a ``vocab_size`` that these texts cannot fill; otherwise it is an upper limit.
            specials: special tokens beside the usual four, such as ``[MASK]``; their ids are 4, 5, …

        Raises:
            ValueError: an unknown kind; a vocabulary too small for the alphabet or (exact) larger than the
                texts allow, the largest possible is named; a limit given for bytes; a special token that is
                not of the form ``<name>`` or ``[NAME]``.

        >>> tokenizer = Tokenizer.train(["abba"], "char", specials=["[MASK]"])
        >>> tokenizer.special("[MASK]"), tokenizer.encode("abba")
        (4, [5, 6, 6, 5])
        """
        if kind not in KINDS:
            raise ValueError(f'kind is "{kind}": {nearest(kind, KINDS)}')
        check_specials(specials)
        backend = learn(texts, kind, vocab_size, min_frequency, specials)
        size = backend.get_vocab_size()
        if exact and vocab_size is not None and size < vocab_size:
            least = min_frequency or (1 if kind == "char" else 2)
            raise ValueError(
                f"vocab_size is {vocab_size}, but these texts allow at most {size} tokens with min_frequency "
                f"{least}: use {size} or less, more text, or a lower min_frequency"
            )
        return cls(backend)

    @property
    def target(self) -> Tokenizer:
        """What encodes the other side of a pair: the same, but for tokenizers that tell languages apart."""
        return self

    # Text to ids

    def encode(self, text: str) -> list[int]:
        """The token ids of one text."""
        return self.encode_batch([text]).flat.tolist()

    def encode_marked(self, text: str, name: str) -> list[int]:
        """The token ids of a text in which ``name`` stands for that special token.

        In bpe, where a word's token begins with the space before it, this space goes with the special token.

        Raises:
            ValueError: the tokenizer was trained without this special token.

        >>> tokenizer = Tokenizer.train(["The cat sat."] * 9, specials=["[MASK]"])
        >>> tokenizer.tokens(tokenizer.encode_marked("The [MASK] sat.", "[MASK]"))
        ['▁The', '[MASK]', '▁sat', '.']
        """
        mark, bpe = self.special(name), self.kind == "bpe"
        before, *parts = text.split(name)
        ids = self.encode(before.removesuffix(" ") if bpe and parts else before)
        for place, part in enumerate(parts, 1):
            part = part.removesuffix(" ") if bpe and place < len(parts) else part
            rest = self._bare.encode(part, add_special_tokens=False).ids if bpe else self.encode(part)
            ids += [mark, *rest]
        return ids

    def encode_batch(self, texts: Iterable[str]) -> Ragged:
        """The token ids of many texts, a row each; int32, without a Python object per token."""
        if self._codes is not None:
            return self._codes.encode(texts)
        flat = bytearray()  # grows in place, so that the ids are never there twice
        starts, size = array("q"), 0
        for firsts, part in self.encode_stretches((True, text) for text in texts):
            starts.extend(size + int(at) for at, first in zip(part.starts, firsts, strict=False) if first)
            flat += part.flat.tobytes()
            size += len(part.flat)
        starts.append(size)
        return Ragged(np.frombuffer(flat, np.int32), np.frombuffer(starts, np.int64))

    def encode_stretches(self, parts: Iterable[tuple[bool, str]]) -> Iterator[tuple[list[bool], Ragged]]:
        """The token ids of texts that come in parts, some stretches at a time, a row each.

        Args:
            parts: text, cut between words (see ``token_kinds.last_cut``), each with whether a text begins
                with it.

        Yields:
            Whether a text begins with each row, and the rows: all together, what ``encode_batch`` gives.
        """
        for chunk in self._chunks(parts):
            texts = [text for _, text in chunk]
            if self._codes is not None:
                rows = self._codes.encode(texts)
            else:
                found = self._bare.encode_batch_fast(texts, add_special_tokens=False)
                rows = Ragged.from_lists([each.ids for each in found])
            yield [first for first, _ in chunk], rows

    def _chunks(self, parts: Iterable[tuple[bool, str]]) -> Iterator[list[tuple[bool, str]]]:
        """Stretches as the library is given them, each with whether a text begins with it."""
        prefix = " " if self.kind == "bpe" else ""
        chunk: list[tuple[bool, str]] = []
        size = 0
        for begins, text in parts:
            for place, stretch in enumerate(stretches(text)):
                first = begins and not place
                chunk.append((first, prefix + stretch if stretch and first else stretch))
                size += len(stretch)
                if len(chunk) >= CHUNK or size >= BLOCK:
                    yield chunk
                    chunk, size = [], 0
        if chunk:
            yield chunk

    def unknown(self, texts: Iterable[str]) -> Counter[str]:
        """The words or characters of these texts that become UNK, and how often."""
        found: Counter[str] = Counter()
        if self.kind in ("bpe", "byte"):
            return found
        for text in texts:
            if self.kind == "char":
                codes = self.encode_batch([text]).flat
                found.update(text[place] for place in np.flatnonzero(codes == UNK).tolist())
                continue
            for _, stretch in itertools.chain.from_iterable(self._chunks([(True, text)])):
                found.update(stretch[at.start : at.end] for at in self.pieces(stretch) if at.id == UNK)
        return found

    def words(self, texts: Iterable[str]) -> Words:
        """Texts cut into words, ready to be encoded again and again with merges dropped (BPE-dropout).

        Raises:
            ValueError: this is no bpe tokenizer: it has no merges.
        """
        if self.kind != "bpe":
            raise ValueError(f"BPE-dropout needs a bpe tokenizer, but this one is of kind {self.kind}")
        parts: list[Ragged] = []
        texts = iter(texts)
        while chunk := list(itertools.islice(texts, CHUNK)):
            found: list[Any] = self._backend.encode_batch(chunk, add_special_tokens=False)
            ids = Ragged.from_lists([each.ids for each in found])
            word_of = Ragged.from_lists([each.word_ids for each in found])
            parts.append(self._table.number(ids, word_of.flat))
        return Words(Ragged.concatenate(parts), self._table)

    # Ids to text

    def decode(self, ids: Iterable[SupportsIndex]) -> str:
        """The text of token ids.  PAD, BOS and EOS are left out; other special tokens show as ``<unk>``."""
        decoder = self.decoder()
        return decoder.add(ids) + decoder.end()

    def decode_batch(self, rows: Iterable[Iterable[SupportsIndex]]) -> list[str]:
        """The text of every row (a ``Ragged`` or lists)."""
        return [self.decode(row) for row in rows]

    def decoder(self) -> Decoder:
        """Decodes ids as they come.  To continue a text, first ``add`` its ids and drop what that gives.

        >>> tokenizer = Tokenizer.train([], "byte")
        >>> decoder = tokenizer.decoder()
        >>> [decoder.add([index]) for index in tokenizer.encode("né")]
        ['n', '', 'é']
        """
        if self.kind in ("bpe", "byte"):
            return ByteDecoder(self._spelled, prefix=" " if self.kind == "bpe" else "")
        return NameDecoder(self._texts, Joiner() if self.kind == "word" else None)

    # Looking inside

    def offsets(self, text: str) -> list[tuple[int, int]]:
        """Start and end of every token in the text, in characters; together they cover it (but for words).

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
        ids = self.encode(text)
        if self.kind == "word":
            places: Iterable[tuple[int, int]] = self._backend.encode(text, add_special_tokens=False).offsets
        elif self.kind == "char":
            places = ((at, at + 1) for at in range(len(text)))
        else:
            places = self._byte_places(text, ids)
        rows = zip(ids, self.tokens(ids), places, strict=True)
        return [Piece(index, token, *place) for index, token, place in rows]

    def _byte_places(self, text: str, ids: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Places in characters from the lengths of the tokens in bytes."""
        character = [at for at, letter in enumerate(text) for _ in range(len(letter.encode()))]
        end = -1 if self.kind == "bpe" else 0  # bpe: the space before the text
        for index in ids:
            start, end = max(end, 0), end + len(self._spelled[index])
            yield (character[start], character[end - 1] + 1) if end > start else (0, 0)

    def merges(self, text: str) -> list[list[list[str]]]:
        """How byte-pair encoding builds the tokens: for every word its segmentations, from bytes to tokens.

        >>> tokenizer = Tokenizer.train(["no, no"] * 2, vocab_size=262)
        >>> tokenizer.merges("no")
        [[['▁', 'n', 'o'], ['▁', 'no'], ['▁no']]]

        Raises:
            ValueError: this is no bpe tokenizer: it has no merges.
        """
        words = self.words([text])
        return [
            [self.tokens(ids) for ids in words.table.history(word)] for word in words.numbers.flat.tolist()
        ]

    @cached_property
    def _codes(self) -> Codes | None:
        """The table of characters or bytes, for the kinds that need no search."""
        first = len(self.specials)
        if self.kind == "char":
            return Codes.of_characters(self._names[first:], first, UNK)
        return Codes.of_bytes(first) if self.kind == "byte" else None

    @cached_property
    def _bare(self) -> tokenizers.Tokenizer:
        """The backend without the normalizer that puts a space before every text."""
        if self.kind != "bpe":
            return self._backend
        bare = tokenizers.Tokenizer.from_str(self._backend.to_str())
        bare.normalizer = None  # pyright: ignore[reportAttributeAccessIssue]
        bare.encode_special_tokens = True
        return bare

    @cached_property
    def _table(self) -> MergeTable:
        model: dict[str, Any] = json.loads(self._backend.to_str())["model"]
        vocab: dict[str, int] = model["vocab"]
        merges = {
            (vocab[left], vocab[right]): (rank, vocab[left + right])
            for rank, (left, right) in enumerate(model["merges"])
        }
        first = len(self.specials)
        letters = [[vocab[letter] for letter in name] for name in self._names[first:]]
        return MergeTable(merges, [*([index] for index in range(first)), *letters])
