"""Token ids to text as they come, for writing to a terminal while a model generates."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from typing import Protocol, SupportsIndex, runtime_checkable

from qkvae.data.word_text import Joiner


@runtime_checkable
class Decoder(Protocol):
    """Takes token ids and gives text; all the text it gave, and that of ``end``, is ``decode`` of all ids."""

    def add(self, ids: Iterable[SupportsIndex]) -> str:
        """The text that these ids complete; bytes that are no whole character yet are held back."""
        ...

    def end(self) -> str:
        """What was held back: a replacement character for each broken one."""
        ...


class ByteDecoder:
    """Bytes of UTF-8.

    >>> decoder = ByteDecoder([b"h", b"\\xc3", b"\\xa9"], prefix="")
    >>> decoder.add([0, 1]), decoder.add([2]), decoder.end()
    ('h', 'é', '')
    """

    def __init__(self, spellings: Sequence[bytes], prefix: str) -> None:
        """
        Args:
            spellings: the bytes of every token.
            prefix: what encoding puts before a text; it is taken off again.
        """
        self._spellings = spellings
        self._prefix = prefix
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, ids: Iterable[SupportsIndex]) -> str:
        """The text that these ids complete."""
        spellings = self._spellings
        return self._without_prefix(
            self._decoder.decode(b"".join([spellings[index] for index in map(int, ids)]))
        )

    def end(self) -> str:
        """A replacement character if the last one is broken."""
        return self._without_prefix(self._decoder.decode(b"", final=True))

    def _without_prefix(self, text: str) -> str:
        if text and self._prefix:
            text, self._prefix = text.removeprefix(self._prefix), ""
        return text


class NameDecoder:
    """Tokens that are text by themselves: characters, or words that a ``Joiner`` joins.

    >>> decoder = NameDecoder(["", "no", ","], Joiner())
    >>> decoder.add([1, 2]), decoder.add([0, 1])
    ('no,', ' no')
    """

    def __init__(self, names: Sequence[str], joiner: Joiner | None) -> None:
        """
        Args:
            names: the text of every token; those of an empty one are left out.
            joiner: puts spaces between words; None for characters, which follow each other.
        """
        self._names = names
        self._joiner = joiner

    def add(self, ids: Iterable[SupportsIndex]) -> str:
        """The text of these ids."""
        names = self._names
        found = [names[index] for index in map(int, ids)]
        if self._joiner is not None:
            found = [self._joiner.add(name) for name in found if name]
        return "".join(found)

    def end(self) -> str:
        """Nothing is ever held back."""
        return ""
