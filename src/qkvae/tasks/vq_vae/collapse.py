"""What goes wrong while codes are learned, and the one thing to do about it."""

from __future__ import annotations

import math
from collections.abc import Mapping

from qkvae.config import VqVae

_ALIKE = 2.0
"""Perplexity of the codes below which all pictures are as good as one."""

_LEAST_SHARE = 0.25
"""Part of the codes that is used in a run that is well: dead ones restart where pictures are."""


def advised(figures: Mapping[str, float], config: VqVae, places: float = math.inf) -> str | None:
    """One sentence and one action where codes lie idle, of so many places looked at; None where all is well.

    >>> advised({"code_perplexity": 170.0, "codes_used": 250}, VqVae()) is None
    True
    >>> print(advised({"code_perplexity": 11.0, "codes_used": 20}, VqVae()))
    dead codes: 20 of 256 are used, as evenly as 11: give --model.codes 32
    >>> print(advised({"code_perplexity": 1.0, "codes_used": 1}, VqVae()))
    dead codes: 1 of 256 is used, as evenly as 1: give a lower --optimizer.lr than 0.002
    """
    used, codes, perplexity = int(figures["codes_used"]), config.model.codes, figures["code_perplexity"]
    if used >= _LEAST_SHARE * min(codes, places) and perplexity >= _ALIKE:
        return None
    what = f"{used} of {codes} {'is' if used == 1 else 'are'} used, as evenly as {perplexity:.3g}"
    if perplexity < _ALIKE:
        return f"dead codes: {what}: give a lower --optimizer.lr than {config.optimizer.lr:g}"
    return f"dead codes: {what}: give --model.codes {1 << (used - 1).bit_length()}"
