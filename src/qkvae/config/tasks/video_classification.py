"""Video classification: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from qkvae.config.grids import Vision
from qkvae.config.pictures import Augmentation, ClipData
from qkvae.config.tasks.image_classification import ImageClassification, small_vision


@dataclass(frozen=True, kw_only=True)
class VideoClassification(ImageClassification):
    """Train a Transformer over patches of short clips, frames and all, to tell their classes."""

    data: ClipData = field(default_factory=ClipData)  # pyright: ignore[reportIncompatibleVariableOverride]
    """The labelled clips."""

    augmentation: Augmentation = field(default_factory=Augmentation)
    """How clips are varied while training."""

    model: Vision = field(default_factory=lambda: small_vision(64, 4))
    """The model."""
