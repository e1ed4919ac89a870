"""How well hidden words are told, always of the same tokens of a text."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from qkvae import metrics
from qkvae.config import Masking
from qkvae.data.documents import Documents
from qkvae.data.encoded import Sentences
from qkvae.data.packed import MaskedBatch, MaskedSentences, PackedSentences
from qkvae.data.ragged import Ints
from qkvae.data.tokenizer import Tokenizer
from qkvae.models import Encoder
from qkvae.tasks.fill_mask.corpus import corruption, encode_documents
from qkvae.tasks.fill_mask.filler import Filler
from qkvae.tasks.reading import evenly, packed_features

_TOKENS = 8192  # of a batch; which tokens are hidden depends on it, so it stays as it is
_ROWS = 512  # logits held at a time
_ENOUGH = 65_536  # tokens; fewer are read several times, each time with others of them hidden
_MOST_TIMES = 6


class Told(NamedTuple):
    """What is known of every hidden token."""

    nll: NDArray[np.float64]
    """−ln p of the token that stood there, in nats."""

    right: NDArray[np.bool_]
    """Whether it is the most probable one."""

    passage: Ints
    """The passage in which it stands."""


def watched(passages: Sentences, most: int = _ENOUGH) -> Sentences:
    """Of long text passages of about so many tokens, evenly spread over it."""
    return passages[evenly(len(passages), max(1, round(most / float(passages.ids.lengths.mean()))))]


def tell(model: Encoder, tokenizer: Tokenizer, passages: Sentences) -> Told:
    """Hide 15 % of the tokens, 80 % of these as [MASK], 10 % at random and 10 % not at all, and tell them.

    Which, depends on the passages alone: every run with the same tokenizer is asked the same, however it was
    trained itself.  A short text is asked about several times, so that chance decides less.

    Raises:
        ValueError: no token of the passages can be hidden.
    """
    longest, tokens = int(passages.ids.lengths.max(initial=1)), len(passages.ids.flat)
    packed, hide = PackedSentences(passages, longest, _TOKENS, seed=0), corruption(tokenizer, Masking())
    times = range(min(_MOST_TIMES, max(1, _ENOUGH // tokens)))
    device, was_training = next(model.parameters()).device, model.training
    model.eval()
    try:
        batches = (batch for seed in times for batch in MaskedSentences(packed, hide, seed).once())
        found = [_told(model, batch.to(device)) for batch in batches]
    finally:
        model.train(was_training)
    told = Told(*(np.concatenate(column) for column in zip(*found, strict=True)))
    if not len(told.nll):
        raise ValueError("nothing in this text can be hidden: the vocabulary has none of its words")
    return told


@torch.no_grad()
def _told(model: Encoder, batch: MaskedBatch) -> Told:
    hidden = packed_features(model, batch.packed).flatten(0, 1)[batch.places]
    nll: list[Tensor] = []
    right: list[Tensor] = []
    for start in range(0, max(1, len(hidden)), _ROWS):
        targets = batch.targets[start : start + _ROWS]
        logits = model.head(hidden[None, start : start + _ROWS])[0].float()
        nll.append(F.cross_entropy(logits, targets, reduction="none"))
        right.append(logits.argmax(1) == targets)
    order = torch.searchsorted(batch.packed.places, batch.places, right=True) - 1
    return Told(
        torch.cat(nll).cpu().double().numpy(),
        torch.cat(right).cpu().numpy(),
        batch.packed.sentences[order].cpu().numpy(),
    )


def figures(told: Told) -> dict[str, float]:
    """``nll`` of a hidden token in nats, ``perplexity`` = exp(nll), and ``accuracy``: the part told right.

    Those of runs with different tokenizers cannot be compared.
    """
    nll = float(told.nll.mean())
    return {"nll": nll, "perplexity": metrics.perplexity(nll), "accuracy": float(told.right.mean())}


def evaluate(filler: Filler, documents: Documents) -> dict[str, Any]:
    """The `figures`; how many tokens were hidden, and in how many passages of how many texts."""
    passages = encode_documents(documents, filler.tokenizer, filler.length)
    told = tell(filler.model, filler.tokenizer, passages)
    counts = {"hidden": len(told.nll), "passages": len(passages), "texts": len(documents)}
    return {**figures(told), **counts}


def compare(first: Filler, second: Filler, documents: Documents, samples: int = 1000) -> dict[str, Any]:
    """Which of two runs tells hidden words better, by −ln p under a paired bootstrap over passages.

    Raises:
        ValueError: the runs have different tokenizers: they would be asked for different words.
    """
    if first.tokenizer.to_json() != second.tokenizer.to_json():
        raise ValueError(
            "the runs have different tokenizers, so that other tokens would be hidden from each: compare "
            "runs of one tokenizer (begin one from the other with --from)"
        )
    length = min(first.length, second.length)
    passages = encode_documents(documents, first.tokenizer, length)
    sums = [_sums(tell(each.model, each.tokenizer, passages), len(passages)) for each in (first, second)]
    return {**metrics.paired_bootstrap_of_losses("nll", *sums, samples=samples)}


def _sums(told: Told, passages: int) -> NDArray[np.float64]:
    """Of each passage −ln p summed, and how many tokens were hidden."""
    columns = (np.bincount(told.passage, each, passages) for each in (told.nll, np.ones_like(told.nll)))
    return np.stack(list(columns), axis=1).astype(np.float64)
