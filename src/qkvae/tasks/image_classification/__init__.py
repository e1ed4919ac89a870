"""Image classification: from labelled pictures to a classifier; signals and clips likewise."""

from qkvae.tasks.image_classification.classifier import GridClassifier as Answerer

__all__ = ["Answerer"]
