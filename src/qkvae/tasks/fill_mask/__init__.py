"""Masked words: from plain text to a model that fills blanks, and from which other tasks can begin."""

from qkvae.tasks.fill_mask.filler import Filler as Answerer

__all__ = ["Answerer"]
