"""From the user's texts to passages of token ids, and to which of them are hidden."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qkvae.config import Masking, PassageData
from qkvae.data.corruption import Corruption, WordEnds
from qkvae.data.documents import Documents
from qkvae.data.encoded import Sentences
from qkvae.data.passages import cut_passages, running
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.corpus import Corpus, Tell, unsaid

MASK = "[MASK]"
"""What stands for a blank, in a text and in the vocabulary."""


@dataclass(frozen=True)
class Encoded:
    """The corpus as token ids."""

    train: Sentences
    valid: Sentences
    corpus: Corpus[Documents]


def train_tokenizer(train: Documents, data: PassageData, say: Tell = unsaid) -> Tokenizer:
    """A vocabulary of the training part only, with a token for what is hidden.

    Raises:
        ValueError: a vocabulary was asked for that the text cannot fill.
    """
    say("learning a vocabulary from the training text")
    texts = running(train.texts)
    return Tokenizer.train(texts, data.tokenizer, data.vocab_size, data.min_frequency, specials=[MASK])


def encode_corpus(corpus: Corpus[Documents], tokenizer: Tokenizer, length: int) -> Encoded:
    """Both parts as passages.

    Raises:
        ValueError: the tokenizer has no token for what is hidden.
    """
    tokenizer.special(MASK)
    train, valid = (encode_documents(part, tokenizer, length) for part in (corpus.train, corpus.valid))
    return Encoded(train, valid, corpus)


def encode_documents(documents: Documents, tokenizer: Tokenizer, length: int) -> Sentences:
    """Documents as passages ``<s> text </s>`` of at most ``length`` tokens, the form in which every encoder
    reads one text.

    >>> tokenizer = Tokenizer.train(["one two three ."] * 2, "word", exact=False)
    >>> encode_documents(Documents(["one two three. three two one."]), tokenizer, 8).ids.lengths.tolist()
    [6, 6]
    """
    ids = tokenizer.encode_batch(running(documents.texts))
    marks = tokenizer.marks
    return Sentences.framed(cut_passages(ids, tokenizer, length - 2), first=marks.bos, last=marks.eos)


def corruption(tokenizer: Tokenizer, settings: Masking) -> Corruption:
    """How tokens are hidden."""
    return Corruption(
        mask=tokenizer.special(MASK),
        vocab=len(tokenizer),
        specials=tokenizer.special_ids,
        rate=settings.mask_rate,
        masked=settings.masked_rate,
        random=settings.random_rate,
        words=WordEnds.of(tokenizer) if settings.mask == "words" else None,
    )


def unknown(passages: Sentences, tokenizer: Tokenizer) -> int:
    """How many tokens stand for a word that has none of its own."""
    mark = tokenizer.marks.unk
    return 0 if mark is None else int(np.count_nonzero(passages.ids.flat == mark))
