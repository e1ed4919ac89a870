"""A training that begins with a model of codes: the same again, or a prior of the codes of a VQ-VAE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from qkvae.config import VQ, CodePrior

Coded = VQ | CodePrior
"""The settings of a model of codes."""

PRIOR = "prior."
"""The weights that begin anew where the base has no prior."""


def adds_a_prior(there: object, here: object) -> bool:
    """Whether a base is a VQ-VAE, whose codes the training is to learn."""
    return isinstance(there, VQ) and isinstance(here, CodePrior)


def with_codes(there: Any, usual: Any) -> Any:
    """A base's settings; of a VQ-VAE whose codes are to be learned, within those of the model that does.

    >>> with_codes(VQ(codes=64), CodePrior()).vq.codes
    64
    """
    return replace(usual, vq=there) if adds_a_prior(there, usual) else there


def named_within(state: Mapping[str, Tensor], there: object, here: object) -> Mapping[str, Tensor]:
    """The base's weights by their names in the model that begins with them."""
    return {f"vq.{name}": x for name, x in state.items()} if adds_a_prior(there, here) else state
