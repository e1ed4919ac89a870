"""Masked image modelling: from pictures to a model that tells what is hidden in them."""

from qkvae.tasks.masked_image_modeling.teller import Teller as Answerer

__all__ = ["Answerer"]
