"""What a model of codes is worth on pictures."""

from __future__ import annotations

import math
from typing import Any

from qkvae.tasks.vae.corpus import Part_
from qkvae.tasks.vq_vae.coder import CodeCoder


def figures(coder: CodeCoder, part: Part_) -> dict[str, Any]:
    """An upper bound of −ln p(x), both its terms, and how the codes are used.

    Without a prior all codes are as probable, ln p(codes) = −places · ln codes.  Numbers under a Bernoulli
    are drawn as 0 or 1 as in training, once and for all.

    Raises:
        ValueError: the pictures are not such as the run was trained on.
    """
    x, vq = coder.numbers(part), coder.vq
    told = coder.told(x, coder.classes(part))
    nll = told.nll
    own: dict[str, Any] = {"nll": float(nll.mean())}
    if len(nll) > 1:  # a single picture does not tell how much pictures differ
        own["nll_error"] = float(nll.std() / math.sqrt(len(nll)))
    if vq.settings.likelihood != "gaussian":  # whose density is of no number of bits
        own["bits_per_dim"] = own["nll"] / math.log(2) / x[0].numel()
    return {
        **own,
        **told.figures,
        "codes": vq.settings.codes,
        "places": math.prod(vq.grid),
        "pictures": len(part),
    }
