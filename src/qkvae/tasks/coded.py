"""Both halves together: the codes of a VQ-VAE as texts that a decoder-only Transformer learns.

A picture is a document of as many tokens as it has places, in the order in which it is read; a code's token
is its number behind the special tokens.  The Transformer is trained on them as on any text, and is then the
prior of the codes: −ln p(x) ≤ −ln p(x | codes) − ln p(codes); new pictures are told of codes that it writes.
van den Oord et al. 2017, arXiv:1711.00937, section 3.2.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from qkvae import config
from qkvae.data.packing import EncodedDocuments
from qkvae.data.ragged import Ragged
from qkvae.data.tokenizer import SPECIALS
from qkvae.generate.sampling import inverse_cdf
from qkvae.losses.codes import coded_terms
from qkvae.models import VQ, Decoder

FIRST = len(SPECIALS)
"""The token of code 0."""

_TOGETHER = 256  # pictures told at a time


def prior_settings(prior: config.Decoder, codes: config.VQ) -> config.Decoder:
    """The settings of a Transformer with the tokens that these codes ask for.

    >>> from qkvae.config import VQ
    >>> prior_settings(config.Decoder(), VQ(codes=64)).vocab
    68
    """
    return replace(prior, vocab=FIRST + codes.codes)


@torch.no_grad()
def code_documents(model: VQ, data: Iterable[Tensor]) -> EncodedDocuments:
    """The codes of batches of data as documents of token ids, one a picture.

    Raises:
        ValueError: there is no picture.
    """
    rows = [model.ids(x).cpu().numpy().astype(np.int32) + FIRST for x in data]
    ids = np.concatenate(rows) if rows else np.empty((0, 1), np.int32)
    return EncodedDocuments(Ragged.from_lists(ids.tolist()))


def log_prior(prior: Decoder, ids: Int[Tensor, "b n"]) -> Float[Tensor, " b"]:
    """ln p(codes) = Σ ln p(code | those before it), in nats; among codes only, so that p sums to 1."""
    begin = ids.new_full((len(ids), 1), prior.settings.marks.bos)
    tokens = torch.cat([begin, ids[:, :-1] + FIRST], 1)
    log_p = prior(tokens).float()[..., FIRST:].log_softmax(-1)
    return log_p.gather(-1, ids[..., None])[..., 0].sum(-1)


@torch.no_grad()
def coded_bound(model: VQ, prior: Decoder, x: Float[Tensor, "b *shape"]) -> Float[Tensor, " b"]:
    """A lower bound of ln p(x) of each datum, in nats: ln p(x | codes) + ln p(codes)."""
    found = coded_terms(model, x)
    return found.log_likelihood + log_prior(prior, found.ids)


@torch.no_grad()
def write_codes(prior: Decoder, places: int, count: int, seed: int) -> Int[Tensor, "count n"]:
    """Rows of codes drawn from the very law that `log_prior` tells; row k is a function of (seed, k)."""
    device = next(prior.parameters()).device
    drawn = np.stack([np.random.default_rng([seed, number]).random(places) for number in range(count)])
    chosen = torch.full((count,), prior.settings.marks.bos, device=device)
    cache, found = prior.start(chosen.new_empty(count, 0), capacity=places), list[Tensor]()
    for uniform in torch.from_numpy(drawn).to(device).T:
        logits = prior.predict(prior.read(chosen, cache)).float()
        found.append(inverse_cdf(logits[:, FIRST:], uniform))
        chosen = found[-1] + FIRST
    return torch.stack(found, 1)


@torch.no_grad()
def draw_pictures(model: VQ, prior: Decoder, count: int, seed: int = 0) -> Float[Tensor, "count *shape"]:
    """New data: codes that the prior writes, and the mean of what they tell.

    Raises:
        ValueError: the prior was made for another number of codes.
    """
    known = prior.settings.vocab - FIRST
    if known != model.settings.codes:
        raise ValueError(
            f"the prior tells {known} codes, but the model has {model.settings.codes}: train it on this "
            "model's codes"
        )
    device = next(model.parameters()).device
    ids = write_codes(prior, math.prod(model.grid), count, seed).to(device)
    return torch.cat([model.likelihood.mean(model.decode_ids(part)) for part in torch.split(ids, _TOGETHER)])
