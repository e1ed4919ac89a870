"""Tokens to text as they are written, up to a stop string."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from qkvae.data.decoding import Decoder
from qkvae.data.tokenizer import EOS, Kind

Ended = Literal["limit", "end", "stop"]
"""Why a text ended: it has as many tokens as were asked for, the model ended it, or a stop string came."""


class Unfolding:
    """The text of tokens that come one by one.

    What may be the beginning of a stop string is held back until it is none.

    >>> from qkvae.data.tokenizer import Tokenizer
    >>> tokenizer = Tokenizer.train(["abc."], "char")
    >>> text = Unfolding(tokenizer.decoder(), [], stops=["bc"])
    >>> [text.add(token) for token in tokenizer.encode("ab.abc")], text.ended, text.text
    (['a', '', 'b.', 'a', '', ''], 'stop', 'ab.a')
    """

    def __init__(
        self, decoder: Decoder, before: Sequence[int], stops: Sequence[str], owed: str = "", end: int = EOS
    ) -> None:
        """
        Args:
            decoder: a new one of the tokenizer.
            before: tokens that were there before; their text is not given again.
            stops: strings at which the text ends; they are no part of it.
            owed: what the first token begins with and was there before, too.
            end: the token that ends the text.
        """
        self._decoder, self._stops, self._owed, self._end = decoder, stops, owed, end
        decoder.add(before)
        self._held = ""
        self.text = ""
        """All that was given so far."""
        self.ended: Ended = "limit"

    def add(self, token: int) -> str:
        """The text that is sure now."""
        if token == self._end:
            self.ended = "end"
            return self._given(self._held + self._decoder.end())
        self._held += self._decoder.add([token]).removeprefix(self._owed)
        self._owed = ""
        found = [place for place in (self._held.find(stop) for stop in self._stops) if place >= 0]
        if found:
            self.ended = "stop"
            return self._given(self._held[: min(found)])
        kept = max((_begun(self._held, stop) for stop in self._stops), default=0)
        sure = len(self._held) - kept
        return self._given(self._held[:sure], held=self._held[sure:])

    def rest(self) -> str:
        """What was held back of a text that came to its limit; bytes of half a character are dropped."""
        return self._given(self._held) if self.ended == "limit" else ""

    def _given(self, piece: str, held: str = "") -> str:
        self._held = held
        self.text += piece
        return piece


def left_to_next(text: str, kind: Kind) -> str:
    """White space at the end of a text that bpe has as the beginning of what comes next; often none.

    bpe cuts before the space in front of a word, and before the last of several characters of white space.
    So a text that ends there was never learned as it would be encoded: the model reads it without this
    character, and the first token that it writes begins with it (token healing).

    >>> left_to_next("Once upon ", "bpe"), left_to_next("Once upon", "bpe"), left_to_next("Once\\n", "bpe")
    (' ', '', '')
    """
    blank = len(text) - len(text.rstrip())
    joined = text[-1:] in ((" ",) if blank == 1 else (" ", "\t", "\n"))
    return text[-1] if kind == "bpe" and joined and blank < len(text) else ""


def _begun(text: str, stop: str) -> int:
    """How many characters at the end of the text may begin the stop string.

    >>> _begun("he said: EN", "END")
    2
    """
    most = min(len(text), len(stop) - 1)
    return next((size for size in range(most, 0, -1) if stop.startswith(text[-size:])), 0)
