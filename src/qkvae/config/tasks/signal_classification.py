"""Signal classification: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from qkvae.config.grids import Vision
from qkvae.config.pictures import Augmentation, SignalData
from qkvae.config.tasks.image_classification import ImageClassification, small_vision


@dataclass(frozen=True, kw_only=True)
class SignalClassification(ImageClassification):
    """Train a Transformer over patches of signals (series of numbers) to tell their classes."""

    data: SignalData = field(default_factory=SignalData)  # pyright: ignore[reportIncompatibleVariableOverride]
    """The labelled signals."""

    augmentation: Augmentation = field(default_factory=lambda: Augmentation(crop=4))
    """How signals are varied while training."""

    model: Vision = field(default_factory=lambda: small_vision(64, 4))
    """The model."""
