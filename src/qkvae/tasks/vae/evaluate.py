"""What a run is worth on data, and which of two is better."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np

from qkvae import metrics
from qkvae.tasks.vae.coder import Coder
from qkvae.tasks.vae.corpus import Part_
from qkvae.tasks.vae.measure import bound_figures, kl_per_dimension


def figures(coder: Coder, part: Part_, samples: int) -> dict[str, Any]:
    """−ln p(x) by importance sampling, both terms of the ELBO, active latents and the KL of each.

    Numbers under a Bernoulli are drawn as 0 or 1 as in training, once and for all.

    Raises:
        ValueError: the data are not such as the run was trained on.
    """
    x, labels = coder.numbers(part), coder.classes(part)
    nll = -coder.log_p(x, labels, samples)
    found = bound_figures(coder.model, x, labels, 1)
    kl = cast("list[float]", kl_per_dimension(coder.model, x, labels).tolist())
    own: dict[str, Any] = {"nll": float(nll.mean()), "nll_error": float(nll.std() / math.sqrt(len(nll)))}
    if coder.form.noun == "picture":
        own["bits_per_dim"] = own["nll"] / math.log(2) / coder.model.settings.numbers
    return {
        **own,
        **{name: found[name] for name in ("elbo", "distortion", "kl")},
        "active_units": int(found["active_units"]),
        "latents": coder.model.settings.latent,
        "kl_per_dimension": [round(each, 4) for each in kl],
        "samples": samples,
        f"{coder.form.noun}s": len(part),
    }


def compare(first: Coder, second: Coder, part: Part_, samples: int = 1000) -> dict[str, Any]:
    """Which of two is better by −ln p of each datum, by a paired bootstrap; "cannot tell" is an answer.

    Raises:
        ValueError: one of them was not trained on such data.
    """
    sums: list[Any] = []
    for coder in (first, second):
        x, labels = coder.numbers(part), coder.classes(part)
        nll = -coder.log_p(x, labels, coder.generation.samples).double().numpy()
        sums.append(np.stack([nll, np.ones_like(nll)], 1))
    ours, others = sums
    return {**metrics.paired_bootstrap_of_losses("nll", ours, others, samples)}
