"""Feature extraction: from pairs of texts to vectors that are alike where the texts are."""

from qkvae.tasks.feature_extraction.similarity import Similarity as Answerer

__all__ = ["Answerer"]
