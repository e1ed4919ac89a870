"""The tokens by their ids: what they are called, what text they stand for, and the file that keeps them."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Self, SupportsIndex, cast

import tokenizers

from qkvae.config import Marks
from qkvae.config.names import nearest
from qkvae.data.byte_letters import readable, shown, spelled_bytes
from qkvae.data.token_kinds import SPECIALS, UNK, Kind, check_specials, kind_of

_FOREIGN = re.compile(r'\{"format": "huggingface"')


class Vocabulary:
    """The tokens of a tokenizer of the ``tokenizers`` library, special ones first."""

    marks = Marks()
    """The ids of the special tokens that every model needs."""

    def __init__(self, backend: tokenizers.Tokenizer) -> None:
        """Wrap a tokenizer of the ``tokenizers`` library that ``train`` made.

        Raises:
            ValueError: its model is neither BPE nor WordLevel, or its first tokens are not ``SPECIALS``.
        """
        self.kind: Kind = kind_of(backend)
        found = tuple(backend.id_to_token(index) for index in range(len(SPECIALS)))
        if found != SPECIALS:
            raise ValueError(f"the tokenizer's first tokens are {found}, but must be {SPECIALS}")
        self._backend = backend
        self._backend.encode_special_tokens = True

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The tokenizer that ``to_json`` wrote; one of a Hugging Face folder is a `foreign.ForeignTokenizer`.

        Raises:
            ValueError: the text is no tokenizer of ours.
        """
        if _FOREIGN.match(text):
            from qkvae.data.foreign import from_bundle

            return cast("Self", from_bundle(json.loads(text)))
        try:
            backend = tokenizers.Tokenizer.from_str(text)
        except Exception as error:  # the library raises nothing narrower
            raise ValueError(f"not a tokenizer.json: {error}") from None
        return cls(backend)

    def to_json(self) -> str:
        """Everything ``from_json`` needs, in the format of the ``tokenizers`` library."""
        return self._backend.to_str(pretty=True)

    @classmethod
    def load(cls, path: Path | str) -> Self:
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

    @cached_property
    def specials(self) -> tuple[str, ...]:
        """The special tokens, by id: ``SPECIALS`` and those declared at training."""
        found = self._backend.get_added_tokens_decoder()
        ids = itertools.takewhile(found.__contains__, itertools.count())
        return tuple(found[index].content for index in ids)

    @cached_property
    def special_ids(self) -> tuple[int, ...]:
        """The ids of all special tokens."""
        return tuple(range(len(self.specials)))

    def special(self, name: str) -> int:
        """The id of a special token.

        Raises:
            ValueError: the tokenizer was trained without it.
        """
        if name not in self.specials:
            raise ValueError(f'the tokenizer has no special token "{name}": {nearest(name, self.specials)}')
        return self.specials.index(name)

    def with_specials(self, names: Sequence[str]) -> Self:
        """The same with more special tokens behind those it has; the ids of all others move up by as many.

        Raises:
            ValueError: a token cannot be a special one, or the tokenizer is somebody else's.

        >>> from qkvae.data.tokenizer import Tokenizer
        >>> tokenizer = Tokenizer.train(["abba"], "char").with_specials(["<user>"])
        >>> tokenizer.special("<user>"), tokenizer.encode("abba")
        (4, [5, 6, 6, 5])
        """
        text = self.to_json()
        if _FOREIGN.match(text):
            raise ValueError(
                f"somebody else's tokenizer gets no more special tokens ({', '.join(names)}): begin from a "
                "run whose tokenizer was learned here"
            )
        known = len(self.specials)
        check_specials([*self.specials[len(SPECIALS) :], *names])
        saved = json.loads(text)
        made = {name: known + place for place, name in enumerate(names)}
        vocab = saved["model"]["vocab"]
        later = {name: index + len(made) if index >= known else index for name, index in vocab.items()}
        saved["model"]["vocab"] = dict(sorted((later | made).items(), key=lambda item: item[1]))
        form = saved["added_tokens"][0]
        saved["added_tokens"] += [{**form, "id": index, "content": name} for name, index in made.items()]
        return type(self).from_json(json.dumps(saved))

    def tokens(self, ids: Iterable[SupportsIndex]) -> list[str]:
        """Each token as people read it: ``▁`` is a space, ``<0xC3>`` a byte that is no letter by itself.

        >>> from qkvae.data.tokenizer import Tokenizer
        >>> tokenizer = Tokenizer.train(["no, no"] * 2, vocab_size=262)
        >>> tokenizer.tokens(tokenizer.encode("no é"))
        ['▁no', '▁', '<0xC3>', '<0xA9>']
        """
        return [self._shown[index] for index in map(int, ids)]

    def beginning_with(self, text: str) -> list[int]:
        """The ids of all tokens of bpe or byte whose text begins with this one.

        >>> from qkvae.data.tokenizer import Tokenizer
        >>> tokenizer = Tokenizer.train(["no, no"] * 2, vocab_size=262)
        >>> tokenizer.tokens(tokenizer.beginning_with(" "))
        ['▁', '▁no']
        """
        first = len(self.specials)
        wanted = text.encode()
        return [first + place for place, each in enumerate(self._spelled[first:]) if each.startswith(wanted)]

    @cached_property
    def _names(self) -> list[str]:
        """Every token as the file spells it."""
        ids = self._backend.get_vocab()
        return sorted(ids, key=ids.__getitem__)

    @cached_property
    def _texts(self) -> list[str]:
        """Every token as it stands in a text; PAD, BOS and EOS do not."""
        return ["", "", "", *self._names[UNK:]]

    @cached_property
    def _spelled(self) -> list[bytes]:
        """The bytes of every token of bpe or byte; PAD, BOS and EOS have none."""
        first = len(self.specials)
        specials = (name.encode() for name in self._texts[:first])
        return [*specials, *map(spelled_bytes, self._names[first:])]

    @cached_property
    def _shown(self) -> list[str]:
        if self.kind == "word":
            return self._names
        first = len(self.specials)
        if self.kind == "char":
            return [*self.specials, *map(shown, self._names[first:])]
        return [*self.specials, *map(readable, self._spelled[first:])]
