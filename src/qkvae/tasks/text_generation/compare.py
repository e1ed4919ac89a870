"""Which of two runs knows a text better."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qkvae import metrics
from qkvae.data.chat import Chats
from qkvae.data.documents import Documents
from qkvae.data.packing import EncodedDocuments
from qkvae.data.ragged import Ints
from qkvae.data.tokenizer import Tokenizer
from qkvae.tasks.text_generation.corpus import Texts, bytes_spelt, encode_texts
from qkvae.tasks.text_generation.evaluate import overlap, token_nll
from qkvae.tasks.text_generation.writer import Writer

_STRETCH = 1000
"""Characters; a document is compared in stretches of about so many, which end where a line does."""

_FEWEST = 10  # stretches from which something can be drawn


class _Measured(NamedTuple):
    """A run's figures of each stretch."""

    nll: NDArray[np.float64]
    tokens: NDArray[np.float64]
    bytes: NDArray[np.float64]
    spelt: bool


def compare(first: Writer, second: Writer, texts: Texts, samples: int = 1000) -> dict[str, Any]:
    """Which of two runs finds these texts more probable, under a paired bootstrap over stretches of them.

    Stretches are conversations, or about 1,000 characters of a document.  The figures are those of
    `metrics.paired_bootstrap`, its verdict among them, which may be "cannot tell".  The measure is bits per
    byte; nll per token where the tokens do not spell the text, which only runs of one tokenizer share.

    Raises:
        ValueError: one run learned from conversations and the other did not; there are fewer than ten
            stretches; or the tokenizers differ, and the tokens of one do not
            spell the text.
    """
    if first.format != second.format:
        raise ValueError(
            f"one run learned from {first.format}, the other from {second.format}: compare two of a kind"
        )
    one, other = (_measured(writer, texts) for writer in (first, second))
    if len(one.nll) < _FEWEST:
        raise ValueError(
            f"{len(one.nll)} conversations or stretches of {_STRETCH:,} characters are too few: "
            f"give {_FEWEST} or more"
        )
    spelt = one.spelt and other.spelt
    if not spelt and first.tokenizer.to_json() != second.tokenizer.to_json():
        raise ValueError(
            "the runs have different tokenizers, and the tokens of one do not spell this text: compare runs "
            "of one tokenizer, or on text whose characters both know"
        )
    sizes = one.bytes * np.log(2) if spelt else one.tokens
    rows = (np.stack([each.nll, sizes], axis=1) for each in (one, other))
    metric = "bits_per_byte" if spelt else "nll"
    return {**metrics.paired_bootstrap_of_losses(metric, *rows, samples=samples)}


def _measured(writer: Writer, texts: Texts) -> _Measured:
    encoded = encode_texts(texts, writer.tokenizer)
    found = token_nll(writer.model, encoded, writer.context, overlap(writer.context))
    nll = np.concatenate(list(found))
    if isinstance(texts, Chats):
        stretch, sizes = _conversations(texts, encoded)
    else:
        stretch, sizes = _stretches(texts, encoded, writer.tokenizer)
    sums, tokens = (
        np.bincount(stretch, each, len(sizes)).astype(np.float64) for each in (nll, np.ones_like(nll))
    )
    spelt = bytes_spelt(texts, encoded, writer.tokenizer) is not None
    return _Measured(sums, tokens, sizes, spelt)


def _conversations(chats: Chats, encoded: EncodedDocuments) -> tuple[Ints, NDArray[np.float64]]:
    """The conversation of each counted prediction, and the bytes that the assistant says in each."""
    assert encoded.counted is not None
    numbers = np.repeat(np.arange(len(chats)), encoded.tokens.lengths)[encoded.counted]
    sizes = [
        sum(len(turn.content.encode()) for turn in conversation if turn.role == "assistant")
        for conversation in chats.conversations
    ]
    return numbers, np.array(sizes, np.float64)


def _stretches(
    texts: Documents, encoded: EncodedDocuments, tokenizer: Tokenizer
) -> tuple[Ints, NDArray[np.float64]]:
    """The stretch of each prediction (a document's end belongs to its last one), and the bytes of each."""
    numbers: list[Ints] = []
    sizes: list[int] = []
    for text in texts.texts:
        begins = _begins(text)
        places = [start for start, _ in tokenizer.offsets(text)] + [len(text)] * encoded.ends
        numbers.append(np.searchsorted(begins, places, side="right") - 1 + len(sizes))
        sizes += [len(text[start:end].encode()) for start, end in pairwise([*begins, len(text)])]
    return np.concatenate(numbers), np.array(sizes, np.float64)


def _begins(text: str) -> list[int]:
    """Where the stretches of a text begin; what is left over at its end joins the last of them.

    >>> _begins("a line\\n" * 300)
    [0, 1001]
    """
    begins = [0]
    while len(text) - begins[-1] >= 2 * _STRETCH:
        line = text.find("\n", begins[-1] + _STRETCH - 1)
        begins.append(min(line + 1 if line >= 0 else len(text), begins[-1] + 2 * _STRETCH))
    return begins if begins[-1] < len(text) else begins[:-1]
