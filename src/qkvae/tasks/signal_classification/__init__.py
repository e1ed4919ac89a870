"""Signal classification: what classifies pictures, along other axes."""

from qkvae.tasks.image_classification import Answerer

__all__ = ["Answerer"]
