"""What a run is worth on data, and which of two is better."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from qkvae import metrics
from qkvae.config import VAE, TextVAE
from qkvae.tasks.vae.coder import Coder
from qkvae.tasks.vae.corpus import Part_
from qkvae.tasks.vae.forms import TableForm
from qkvae.tasks.vae.measure import bound, shared_information
from qkvae.tasks.vae.text_form import TextForm

_DENSITY = "densities of numbers"


def figures(coder: Coder, part: Part_, samples: int) -> dict[str, Any]:
    """−ln p(x) by importance sampling, both terms of the ELBO, active latents and what they tell; of texts an
    upper bound of the perplexity of a token, which follows from −ln p.

    Numbers under a Bernoulli are drawn as 0 or 1 as in training, once and for all.

    Raises:
        ValueError: the data are not such as the run was trained on.
    """
    x, labels = coder.numbers(part), coder.classes(part)
    nll = -coder.log_p(x, labels, samples)
    measured = bound(coder.model, x, labels)
    found = measured.figures()
    own: dict[str, Any] = {"nll": float(nll.mean())}
    if isinstance(coder.form, TextForm):
        tokens = int((x >= 0).sum())
        own |= {"perplexity": math.exp(float(nll.sum(dtype=torch.float64)) / tokens), "tokens": tokens}
    if len(nll) > 1:  # a single datum does not tell how much data differ
        own["nll_error"] = float(nll.std() / math.sqrt(len(nll)))
    if coder.form.noun == "picture" and _unit(coder) != _DENSITY:
        own["bits_per_dim"] = own["nll"] / math.log(2) / x[0].numel()
    return {
        **own,
        **{name: found[name] for name in ("elbo", "distortion", "kl")},
        "active_units": int(found["active_units"]),
        "latents": coder.model.settings.latent,
        **told_of_latents(coder, x, labels, measured.rates.kl),
        "samples": samples,
        f"{coder.form.noun}s": len(part),
    }


def told_of_latents(coder: Coder, x: Tensor, labels: Tensor | None, kl: Tensor) -> dict[str, Any]:
    """The KL of each latent, where it is known latent by latent, and of one level, which latents no other
    stands above, the mutual information of latents and data."""
    latent, found = coder.model.settings.latent, dict[str, Any]()
    if len(kl) == latent:
        found["kl_per_dimension"] = [round(each, 4) for each in cast("list[float]", kl.tolist())]
    if len(coder.model.posterior.latents) == 1:
        found["mutual_information"] = shared_information(coder.model, x, labels)
    return found


def compare(first: Coder, second: Coder, part: Part_, samples: int = 1000) -> dict[str, Any]:
    """Which of two is better by −ln p of each datum, by a paired bootstrap; "cannot tell" is an answer.

    Raises:
        ValueError: the two measure different things; one of them was not trained on such data.
    """
    unit, other = _unit(first), _unit(second)
    if unit != other:
        raise ValueError(
            f"one run tells {unit}, the other {other}, and their nats are not alike: give two runs that tell "
            "the same"
        )
    if isinstance(first.form, TableForm) and first.form.to_dict() != second.form.to_dict():
        raise ValueError(
            "the two runs read or scale columns differently, and their nats are not alike: train both on the "
            "same data"
        )
    sums: list[Any] = []
    for coder in (first, second):
        nll = coder.nll(part).double().numpy()
        sums.append(np.stack([nll, np.ones_like(nll)], 1))
    ours, others = sums
    return {**metrics.paired_bootstrap_of_losses("nll", ours, others, samples)}


def _unit(coder: Coder) -> str:
    """What a run's nats are of: those of other things cannot be compared."""
    if isinstance(coder.config.model, TextVAE):
        tokenizer = coder.config.data.tokenizer
        return (
            "texts" if tokenizer in ("bpe", "byte") else f"texts of {coder.config.model.vocab} {tokenizer}s"
        )
    settings = cast("VAE", cast("Any", coder.config.model).told)
    match settings.likelihood_or_default:
        case "bernoulli":
            return "0 or 1, drawn" if coder.config.learning.binarize == "dynamic" else "chances"
        case "gaussian":
            return _DENSITY
        case "mixed":
            return "rows"
        case _:
            return f"{settings.levels_or_default} levels"
