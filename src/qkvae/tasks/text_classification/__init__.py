"""Text classification: from labelled texts to a classifier."""

from qkvae.tasks.text_classification.classifier import Classifier as Answerer

__all__ = ["Answerer"]
