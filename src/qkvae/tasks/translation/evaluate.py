"""What a translator is worth on sentence pairs whose translations are known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from qkvae import metrics
from qkvae.config import Generation
from qkvae.data.batches import SentencePairs, collate
from qkvae.data.pairs import Pairs
from qkvae.data.plan import bucketed
from qkvae.data.tokenizer import Tokenizer
from qkvae.losses import projected_cross_entropy
from qkvae.models import Seq2Seq
from qkvae.tasks.translation.translator import Translator

_TOKENS = 8192
"""Tokens of a batch, padding counted: bounds the memory, decides nothing else."""


@dataclass(frozen=True)
class Total:
    """What is summed over target tokens."""

    loss: float
    """Label-smoothed cross-entropy, in nats."""

    nll: float
    """−ln p, in nats."""

    tokens: int
    """Target tokens, EOS counted, padding not."""


def validation_loss(model: Seq2Seq, pairs: SentencePairs, smoothing: float) -> tuple[float, float]:
    """Label-smoothed cross-entropy and −ln p per target token, in nats; each pair once, EOS counted.

    −Σ_v q(v) ln p(v), q = (1 − ε)·[v = target] + ε/V, averaged over the tokens of all targets.

    Raises:
        ValueError: there are no pairs.
    """
    total = summed_loss(model, pairs, smoothing)
    return total.loss / total.tokens, total.nll / total.tokens


def summed_loss(model: Seq2Seq, pairs: SentencePairs, smoothing: float) -> Total:
    """The sums that `validation_loss` divides.

    Raises:
        ValueError: there are no pairs.
    """
    if not len(pairs):
        raise ValueError("there are no sentence pairs to evaluate on: give at least one")
    device, was_training = model.head.weight.device, model.training
    loss = nll = 0.0
    tokens = 0
    model.eval()
    try:
        with torch.no_grad():
            for rows in bucketed(pairs.sources.lengths, pairs.targets.lengths, _TOKENS):
                batch = collate(pairs, rows).to(device)
                features = model.features(batch.source, batch.target_in, batch.source_lengths)
                real, head = batch.real, model.head
                found = projected_cross_entropy(
                    features[real], head.weight, batch.target_out[real], smoothing, head.bias
                )
                loss, nll = loss + found[0].item(), nll + found[1].item()
                tokens += batch.tokens
    finally:
        model.train(was_training)
    return Total(loss, nll, tokens)


def evaluate(
    model: Seq2Seq,
    tokenizer: Tokenizer,
    pairs: Pairs,
    generation: Generation | None = None,
    smoothing: float = 0.1,
) -> dict[str, Any]:
    """Translate all sources, and measure the translations and the probabilities of the known ones.

    - ``bleu``, ``chrf`` (0 to 100), ``signature`` (how BLEU was computed), ``length_ratio`` (words written
      by words of the references): of the translations
    - ``nll`` (−ln p per target token, EOS counted), ``perplexity`` = exp(nll), ``loss`` (the label-smoothed
      cross-entropy, likewise), ``bits_per_byte`` (of the targets' UTF-8; None for a word tokenizer, whose
      unknown words are not spelt): of the known translations
    - ``pairs``, ``tokens`` (target tokens); ``left_out`` (pairs with a side longer than the model takes: no
      part of nll and what follows from it), ``sources_cut`` (translated without their ends), ``answers_cut``
      (translations that reached the maximum length)

    Raises:
        ValueError: there are no pairs, or each is longer than the model takes.
    """
    if not len(pairs):
        raise ValueError("there are no sentence pairs to evaluate on: give at least one")
    answers = Translator(model, tokenizer, generation).translate(pairs.sources)
    texts = [answer.texts[0] for answer in answers]
    bleu = metrics.bleu(texts, pairs.targets)
    encoded = SentencePairs(
        tokenizer.encode_batch(pairs.sources),
        tokenizer.target.encode_batch(pairs.targets),
        tokenizer.marks,
    )
    longest = np.maximum(encoded.sources.lengths, encoded.targets.lengths)
    fitting = np.flatnonzero(longest < model.settings.max_length)
    if not len(fitting):
        raise ValueError(
            f"every pair has a side longer than the {model.settings.max_length} tokens that the model takes "
            f"(the shortest has {int(longest.min())} and an end): give shorter sentences"
        )
    total = summed_loss(model, encoded[fitting], smoothing)
    nll = total.nll / total.tokens
    size = sum(len(pairs.targets[row].encode()) for row in fitting)
    return {
        "bleu": bleu.score,
        "chrf": metrics.chrf(texts, pairs.targets),
        "signature": bleu.signature,
        "length_ratio": bleu.length_ratio,
        "loss": total.loss / total.tokens,
        "nll": nll,
        "perplexity": metrics.perplexity(nll),
        "bits_per_byte": metrics.bits_per_byte(total.nll, size) if tokenizer.kind == "bpe" and size else None,
        "pairs": len(pairs),
        "tokens": total.tokens,
        "left_out": len(pairs) - len(fitting),
        "sources_cut": sum(answer.source_cut for answer in answers),
        "answers_cut": sum(answer.cut and not answer.source_cut for answer in answers),
    }


def compare(first: Translator, second: Translator, pairs: Pairs, samples: int = 1000) -> dict[str, Any]:
    """Which of two translators is better on these pairs, by BLEU under a paired bootstrap.

    The figures of `metrics.compare_bleu`, its verdict among them, which may be "cannot tell"; and both
    chrF.

    Raises:
        ValueError: there are no pairs.
    """
    one, other = ([answer.texts[0] for answer in each.translate(pairs.sources)] for each in (first, second))
    found = metrics.compare_bleu(one, other, pairs.targets, samples=samples)
    chrf_first, chrf_second = metrics.chrf(one, pairs.targets), metrics.chrf(other, pairs.targets)
    return {**found, "chrf_first": chrf_first, "chrf_second": chrf_second}
