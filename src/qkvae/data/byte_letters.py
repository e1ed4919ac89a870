"""Bytes as letters: how byte-level tokens are spelled in a file, and how people read them."""

from __future__ import annotations

SPACE = "▁"
"""How a space in a token is shown."""


def _values() -> dict[str, int]:
    """The byte that each letter of the byte-level alphabet stands for.

    Bytes that print in Latin-1 stand for themselves; the others are the letters from 256 on (GPT-2).
    """
    own = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = (byte for byte in range(256) if byte not in own)
    return {chr(byte): byte for byte in own} | {chr(256 + at): byte for at, byte in enumerate(others)}


_VALUES = _values()

LETTERS = sorted(_VALUES, key=_VALUES.__getitem__)
"""The letter of every byte, by its value."""


def spelled_bytes(token: str) -> bytes:
    """The bytes of a token that is spelled in letters.

    >>> spelled_bytes("Ġno")
    b' no'
    """
    return bytes(_VALUES[letter] for letter in token)


def readable(token: bytes) -> str:
    """Bytes as people read them: ``▁`` is a space, ``<0xC3>`` a byte that is no letter by itself.

    >>> readable(b" no\\xc3")
    '▁no<0xC3>'
    """
    return "".join(map(shown, token.decode("utf-8", errors="surrogateescape")))


def shown(letter: str) -> str:
    """One letter so that it can be seen.

    >>> shown(" "), shown("a")
    ('▁', 'a')
    """
    if letter == " ":
        return SPACE
    if 0xDC80 <= ord(letter) <= 0xDCFF:  # a byte that is no letter by itself
        return f"<0x{ord(letter) - 0xDC00:02X}>"
    return letter if letter.isprintable() else ascii(letter)[1:-1]
