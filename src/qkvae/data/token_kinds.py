"""The kinds of tokenizer, each as the ``tokenizers`` library describes it in a ``tokenizer.json``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal, get_args

import tokenizers
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, trainers

from qkvae.data.byte_letters import LETTERS
from qkvae.data.codes import count_characters, most_frequent
from qkvae.data.word_text import WORD

Kind = Literal["bpe", "word", "char", "byte"]

KINDS: tuple[Kind, ...] = get_args(Kind)

SPECIALS = ("<pad>", "<s>", "</s>", "<unk>")
"""The special tokens that every tokenizer has, by id.  Text that happens to spell one is encoded as text."""

PAD, BOS, EOS, UNK = range(4)

DEFAULT_BPE_SIZE = 8000
_UNLIMITED = 2**31 - 1  # tokens of a word vocabulary that nobody limited

STRETCH = 1 << 16
"""Characters; a longer text is encoded in stretches of about so many."""

# A word never holds white space behind a letter, so between the two every tokenizer of ours cuts.
_BETWEEN_WORDS = re.compile(r"(?<=\S)(?=[ \n])")

# No text makes a token of this form: bpe and words cut before and after a letter.
_SPECIAL = re.compile(r"<[^\s<>]*[^\W_][^\s<>]*>|\[[^\s\[\]]*[^\W_][^\s\[\]]*\]")


def stretches(text: str) -> Iterator[str]:
    """A long text in stretches that are encoded one by one as they are together.

    >>> list(stretches("a short text"))
    ['a short text']
    """
    start = 0
    while len(text) - start > STRETCH and (found := _BETWEEN_WORDS.search(text, start + STRETCH)):
        yield text[start : found.start()]
        start = found.start()
    yield text[start:]


def last_cut(text: str) -> int:
    """The last place between two words where a text may be cut so; 0 where there is none.

    >>> last_cut("a short text"), last_cut("text"), last_cut("a\\n\\nb")
    (7, 0, 1)
    """
    place = len(text)
    while (place := max(text.rfind(" ", 0, place), text.rfind("\n", 0, place))) > 0:
        if not text[place - 1].isspace():
            return place
    return 0


def check_specials(specials: Sequence[str]) -> None:
    """Refuse special tokens that a text could spell or that are there twice.

    Raises:
        ValueError: naming the token.
    """
    for place, name in enumerate(specials):
        if not _SPECIAL.fullmatch(name):
            raise ValueError(f'"{name}" cannot be a special token: write it <name> or [NAME], without spaces')
        if name in SPECIALS or name in specials[:place]:
            raise ValueError(f'the special token "{name}" is declared twice')


def kind_of(backend: tokenizers.Tokenizer) -> Kind:
    """Which kind a tokenizer of the library is.

    Raises:
        ValueError: its model is neither BPE nor WordLevel.
    """
    name = type(backend.model).__name__
    if name == "BPE":
        return "bpe" if backend.normalizer is not None else "byte"
    if name == "WordLevel":
        return "char" if isinstance(backend.decoder, decoders.Fuse) else "word"
    raise ValueError(f"the tokenizer's model is {name}, but must be one of BPE, WordLevel")


def learn(
    texts: Iterable[str],
    kind: Kind,
    vocab_size: int | None,
    min_frequency: int | None,
    specials: Sequence[str],
) -> tokenizers.Tokenizer:
    """A tokenizer of the library with the vocabulary of these texts.

    ``vocab_size`` is an upper limit here.

    Raises:
        ValueError: a limit that has no effect on bytes, or no room for the alphabet.
    """
    names = [*SPECIALS, *specials]
    if kind == "byte":
        for setting, value in (("vocab_size", vocab_size), ("min_frequency", min_frequency)):
            if value is not None:
                raise ValueError(f"{setting} {value} has no effect on tokenizer byte: leave it out")
        return _of_bytes(names)
    smallest = len(names) + (256 if kind == "bpe" else 1)
    if vocab_size is not None and vocab_size < smallest:
        raise ValueError(f"vocab_size is {vocab_size}, but must be at least {smallest} for kind {kind}")
    if kind == "char":
        room = None if vocab_size is None else vocab_size - len(names)
        return _of_characters(names, most_frequent(count_characters(texts), room, min_frequency or 1))
    backend, trainer = _untrained(kind, names, vocab_size, 2 if min_frequency is None else min_frequency)
    backend.train_from_iterator(_training_stretches(texts, kind), trainer)
    return backend


def _training_stretches(texts: Iterable[str], kind: Kind) -> Iterator[str]:
    """Stretches of all texts, as the library is given them: it puts a space before each one of bpe."""
    for text in texts:
        for place, stretch in enumerate(stretches(text)):
            yield stretch.removeprefix(" ") if place and kind == "bpe" else stretch


def _untrained(
    kind: Kind, names: list[str], vocab_size: int | None, min_frequency: int
) -> tuple[tokenizers.Tokenizer, Any]:
    """An empty tokenizer of the library, and what trains it."""
    shared: dict[str, Any] = {
        "min_frequency": min_frequency,
        "special_tokens": names,
        "show_progress": False,
    }
    if kind == "word":
        backend = tokenizers.Tokenizer(models.WordLevel(unk_token=SPECIALS[UNK]))
        backend.pre_tokenizer = pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True)
        backend.decoder = decoders.WordPiece(prefix="", cleanup=True)
        return backend, trainers.WordLevelTrainer(vocab_size=vocab_size or _UNLIMITED, **shared)
    backend = tokenizers.Tokenizer(models.BPE())
    backend.normalizer = normalizers.Prepend(" ")
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    backend.decoder = decoders.Sequence([decoders.ByteLevel(), decoders.Strip(" ", 1, 0)])
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    size = vocab_size or DEFAULT_BPE_SIZE + len(names) - len(SPECIALS)
    return backend, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, **shared)


def _of_bytes(names: list[str]) -> tokenizers.Tokenizer:
    """Byte-pair encoding without a merge."""
    vocab = {name: index for index, name in enumerate([*names, *LETTERS])}
    backend = tokenizers.Tokenizer(models.BPE(vocab, []))
    backend.add_special_tokens(names)
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    backend.decoder = decoders.ByteLevel()
    return backend


def _of_characters(names: list[str], characters: list[str]) -> tokenizers.Tokenizer:
    """Words of one character each."""
    vocab = {name: index for index, name in enumerate([*names, *characters])}
    backend = tokenizers.Tokenizer(models.WordLevel(vocab, unk_token=SPECIALS[UNK]))
    backend.add_special_tokens(names)
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
    backend.decoder = decoders.Fuse()
    return backend
