"""Video classification, verb by verb: those of pictures."""

from __future__ import annotations

from qkvae.config import VideoClassification
from qkvae.tasks.image_classification.task import classification

TASK = classification("video-classification", VideoClassification().data)
