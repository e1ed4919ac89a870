"""The families of models, and the table of them."""

from __future__ import annotations

from qkvae import config
from qkvae.models.seq2seq import Seq2Seq

FAMILIES: dict[type, type[Seq2Seq]] = {config.Seq2Seq: Seq2Seq}
"""Which model a family's config builds."""


def build(settings: config.Seq2Seq) -> Seq2Seq:
    """The model that a family's config describes, with fresh weights.

    >>> build(config.Seq2Seq(block=config.Block(dim=8, heads=2, hidden=16), vocab=10)).head
    Linear(in_features=8, out_features=10, bias=False)
    """
    return FAMILIES[type(settings)](settings)


__all__ = ["FAMILIES", "Seq2Seq", "build"]
