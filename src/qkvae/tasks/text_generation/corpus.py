"""From the user's texts or conversations to token ids."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qkvae.config import TextData
from qkvae.data.chat import ROLE_TOKENS, Chats, ChatTemplate, read_chats, split_chats
from qkvae.data.documents import Documents, read_documents
from qkvae.data.large import MOST_LEARNED, LargeDocuments, is_large, read_large
from qkvae.data.packing import EncodedDocuments
from qkvae.data.token_cache import Progress, cached_tokens
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import FEWEST, Corpus, Tell, parts, share, unsaid
from qkvae.tasks.texts import MOST_VALID, read_split

Texts = Documents | Chats
"""What a language model is measured on; it learns from `LargeDocuments`, too."""

_FEW = 256
"""So many different characters are an alphabet, with capitals, digits and marks."""

_BLOCK = 1 << 22  # tokens looked through at a time

_SHORT = 3_000_000
"""Characters; a text that is shorter teaches more about its characters than about a vocabulary of words."""


def read_texts(
    data: TextData, paths: Sequence[str], like: TextData | None = None, minimum: int = FEWEST
) -> Texts:
    """The texts of these paths, or the conversations if ``like`` learned from some; however few there are.

    Raises:
        ValueError, FileNotFoundError: what `data.documents.read_documents` or `data.chat.read_chats` raises.
    """
    return read_chats(paths) if (like or data).format == "chat" else read_documents(paths, data.text)


def read_corpus(data: TextData) -> Corpus[Any]:
    """The texts that the settings name, or the embedded default; split if no ``valid`` is named.

    Raises:
        ValueError: chats without DATA, and what `read_texts` and the splits raise.
    """
    if data.format == "chat":
        return Corpus(
            *parts(
                data,
                lambda paths, minimum: read_chats(paths),
                _no_chats,
                split_chats,
                MOST_VALID,
                size=lambda chats: chats.characters,
            )
        )
    if not is_large(data.paths):
        return read_split(data)
    if data.valid:
        return Corpus(read_large(data.paths, data.text)[0], read_documents(data.valid, data.text))
    return Corpus(*read_large(data.paths, data.text, lambda count: share(data, count, MOST_VALID)))


def _no_chats() -> Chats:
    raise ValueError(
        'format chat needs DATA: .jsonl, a line each of {"messages": [{"role": …, "content": …}]}'
    )


def said(texts: Texts | LargeDocuments) -> Iterable[str]:
    """All that a tokenizer learns from."""
    if isinstance(texts, LargeDocuments):
        return texts.sample()
    return texts.texts if isinstance(texts, Documents) else texts.texts()


def train_tokenizer(train: Texts | LargeDocuments, data: TextData, say: Tell = unsaid) -> Tokenizer:
    """A vocabulary of the training part only; that of a chat has a token for each role.

    Raises:
        ValueError: a vocabulary was asked for that the texts cannot fill.
    """
    large = isinstance(train, LargeDocuments) and train.characters > MOST_LEARNED
    part = f"{MOST_LEARNED:,} characters, evenly spread, of " if large else ""
    say(f"learning a vocabulary from {part}the training text")
    kind = chosen_kind(train) if data.tokenizer == "auto" else data.tokenizer
    return Tokenizer.train(said(train), kind, data.vocab_size, data.min_frequency, specials=specials(data))


def specials(data: TextData) -> tuple[str, ...]:
    """What opens the turns of a conversation, where there are conversations."""
    return ROLE_TOKENS if data.format == "chat" else ()


def chosen_kind(texts: Texts | LargeDocuments) -> str:
    """What ``auto`` means for these texts: char for a short text of few different characters, or bpe.

    >>> chosen_kind(Documents(["a short text"])), chosen_kind(Documents(["a longer text, " * 400_000]))
    ('char', 'bpe')
    """
    if texts.characters > _SHORT:
        return "bpe"
    different = set[str]().union(*said(texts))
    return "char" if len(different) <= _FEW else "bpe"


@dataclass(frozen=True)
class Encoded:
    """The corpus as token ids."""

    train: EncodedDocuments
    valid: EncodedDocuments
    valid_texts: Texts
    valid_bytes: int | None
    """See `bytes_spelt`."""


def encode_texts(texts: Texts, tokenizer: Tokenizer) -> EncodedDocuments:
    """Texts as token ids; of conversations, only the assistant's turns count."""
    if isinstance(texts, Chats):
        return ChatTemplate.of(tokenizer).encode(texts.conversations, tokenizer)
    return EncodedDocuments(tokenizer.encode_batch(texts.texts), marks=tokenizer.marks)


def encode_corpus(
    corpus: Corpus[Any],
    tokenizer: Tokenizer,
    say: Tell = unsaid,
    progress: Progress = lambda done: None,
) -> Encoded:
    """Both parts as token ids; those of a large text are mapped from files, which ``say`` tells of."""
    valid, train = encode_texts(corpus.valid, tokenizer), corpus.train
    return Encoded(
        EncodedDocuments(cached_tokens(train, tokenizer, say, progress), marks=tokenizer.marks)
        if isinstance(train, LargeDocuments)
        else encode_texts(train, tokenizer),
        valid,
        corpus.valid,
        bytes_spelt(corpus.valid, valid, tokenizer),
    )


def unknown(encoded: EncodedDocuments, tokenizer: Tokenizer) -> int:
    """How many tokens stand for something that has none of its own."""
    mark = tokenizer.marks.unk
    if mark is None or tokenizer.kind in ("bpe", "byte"):  # nothing is: large files need not be read
        return 0
    flat = encoded.tokens.flat
    return sum(int(np.count_nonzero(flat[at : at + _BLOCK] == mark)) for at in range(0, len(flat), _BLOCK))


def bytes_spelt(texts: Texts, encoded: EncodedDocuments, tokenizer: Tokenizer) -> int | None:
    """UTF-8 bytes of what is predicted: of all texts, or of what the assistant says.

    None where the tokens do not spell the text: words leave white space out, and an unknown character or
    word is not told.
    """
    if tokenizer.kind == "word" or unknown(encoded, tokenizer):
        return None
    if isinstance(texts, Documents):
        return texts.bytes
    turns = (turn for conversation in texts.conversations for turn in conversation)
    return sum(len(turn.content.encode()) for turn in turns if turn.role == "assistant")
