"""Signal classification, verb by verb: those of pictures."""

from __future__ import annotations

from qkvae.config import SignalClassification
from qkvae.tasks.image_classification.task import classification

TASK = classification("signal-classification", SignalClassification().data)
