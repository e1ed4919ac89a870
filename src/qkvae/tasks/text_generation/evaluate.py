"""What a language model is worth on text it has not seen."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from qkvae import metrics
from qkvae.config.generation import Precision
from qkvae.data.packing import EncodedDocuments, PackedBatch, sliding
from qkvae.data.whole import in_turn
from qkvae.models import Decoder
from qkvae.tasks.text_generation.corpus import Texts, bytes_spelt, encode_texts, unknown
from qkvae.tasks.text_generation.writer import Writer

_TOKENS = 4096
"""Places of a batch: bounds the memory, decides nothing else."""

_ROWS = 512  # logits held at a time
_COUNTED = 5_000_000  # tokens whose frequencies are counted, at most


class Total(NamedTuple):
    """What is summed over predictions."""

    nll: float
    """−ln p, in nats."""

    tokens: int
    """Predictions that count, the end of each document among them."""


def overlap(length: int) -> int:
    """How far the window moves where figures are reported: a quarter of it is new, three quarters are seen.

    >>> overlap(256)
    64
    """
    return max(1, length // 4)


def by_frequency(train: EncodedDocuments, valid: EncodedDocuments, vocab: int) -> float:
    """−ln p per validation token of one who knows only how often each token is met in training.

    p(token) = (n + 1) / (N + vocab), n its count among N tokens, of which a long text gives an even part.  A
    model that is no better has learned nothing of order.

    >>> from qkvae.data.ragged import Ragged
    >>> one = EncodedDocuments(Ragged.from_lists([[0, 1, 0, 1]]))
    >>> round(by_frequency(one, one, 2), 4)  # ln 2
    0.6931
    """
    counts = _counts(train, vocab).astype(np.float64) + 1
    seen = _counts(valid, vocab)
    return float(-(seen @ np.log(counts / counts.sum())) / seen.sum())


def _counts(documents: EncodedDocuments, vocab: int) -> NDArray[np.int64]:
    """How often each token is to be predicted."""
    flat = documents.tokens.flat
    every = -(-len(flat) // _COUNTED)
    counts = np.bincount(
        flat[::every] if documents.counted is None else flat[documents.counted], minlength=vocab
    )
    if documents.ends:
        counts[documents.marks.eos] += len(documents) // every
    return counts


def watched(model: Decoder, documents: EncodedDocuments, length: int, stride: int, most: int) -> Total:
    """−ln p of about ``most`` tokens, in batches of windows (see `measure`) evenly spread over the text.

    Raises:
        ValueError: no prediction counts.
    """
    every = max(1, documents.predictions // most)
    each = [found for found in token_nll(model, documents, length, stride, every) if len(found)]
    if not each:
        raise ValueError("nothing in these texts is predicted: give at least one token")
    return Total(sum(float(found.sum()) for found in each), sum(map(len, each)))


def measure(
    model: Decoder, documents: EncodedDocuments, length: int, stride: int, seconds: float | None = None
) -> Total | None:
    """−ln p of every token, each once, seen through a window that slides over the documents.

    See `data.packing.sliding`, and of conversations `data.whole.in_turn`; None as soon as it is clear that
    more than ``seconds`` will be needed.

    Raises:
        ValueError: no prediction counts.
    """
    total, tokens = 0.0, 0
    begun = time.monotonic()
    count = int(documents.predictions if documents.counted is None else documents.counted.sum())
    for each in token_nll(model, documents, length, stride):
        total += float(each.sum())
        tokens += len(each)
        used = time.monotonic() - begun
        if seconds is not None and tokens and used / tokens * count > seconds:
            return None
    if not tokens:
        raise ValueError("nothing in these texts is predicted: give at least one token")
    return Total(total, tokens)


def token_nll(
    model: Decoder, documents: EncodedDocuments, length: int, stride: int, every: int = 1
) -> Iterator[NDArray[np.float64]]:
    """−ln p in nats of every prediction that counts, in the order of the texts, some at a time.

    With ``every`` above 1 only one batch of windows in so many is read.
    """
    was_training = model.training
    model.eval()
    try:
        windows = sliding if documents.counted is None else in_turn
        batches = windows(documents, length, stride, max(1, _TOKENS // length))
        for batch in itertools.islice(batches, 0, None, every):
            yield _batch_nll(model, batch.to(next(model.parameters()).device)).cpu().double().numpy()
    finally:
        model.train(was_training)


@torch.no_grad()
def _batch_nll(model: Decoder, batch: PackedBatch) -> Tensor:
    features = model.features(batch.inputs, batch.documents)[batch.counted]
    targets = batch.targets[batch.counted]
    parts = [
        F.cross_entropy(
            model.head(features[at : at + _ROWS]).float(), targets[at : at + _ROWS], reduction="none"
        )
        for at in range(0, len(targets), _ROWS)
    ]
    return torch.cat(parts) if parts else features.new_zeros(0)


def figures(total: Total, text_bytes: int | None) -> dict[str, Any]:
    """The standard figures.

    - ``nll`` (−ln p per token, ends of documents counted) and ``perplexity`` = exp(nll): comparable between
      runs of one tokenizer;
    - ``bits_per_byte`` of the text's UTF-8: comparable between all; None where tokens do not spell the text;
    - ``tokens``.

    >>> figures(Total(nll=20.0, tokens=10), None)["nll"]
    2.0
    """
    nll = total.nll / total.tokens
    return {
        "nll": nll,
        "perplexity": metrics.perplexity(nll),
        "bits_per_byte": metrics.bits_per_byte(total.nll, text_bytes) if text_bytes else None,
        "tokens": total.tokens,
    }


def evaluate(writer: Writer, texts: Texts, precision: Precision = "auto") -> dict[str, Any]:
    """The `figures` of texts, or of the assistant's turns in conversations; and how they were read.

    Args:
        writer: the model and its tokenizer.
        texts: what it is measured on.
        precision: of the products; with auto fp32, so that figures do not depend on the processor.

    Raises:
        ValueError: there is nothing to measure.
    """
    encoded = encode_texts(texts, writer.tokenizer)
    length = writer.context
    if precision == "auto":
        precision = "fp32"
    total = measure(writer.ready(precision), encoded, length, overlap(length))
    assert total is not None
    found = figures(total, bytes_spelt(texts, encoded, writer.tokenizer))
    return {
        **found,
        "texts": len(texts),
        "unknown": unknown(encoded, writer.tokenizer),
        "length": length,
        "stride": overlap(length),
        "precision": precision,
    }
