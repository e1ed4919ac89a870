"""Image classification: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.grids import LinearClasses, Patches, Vision
from qkvae.config.pictures import Augmentation, PictureData
from qkvae.config.tasks.text_classification import Choosing
from qkvae.config.training import Optimizer, Saving, Training


@dataclass(frozen=True, kw_only=True)
class GridLearning:
    """How labels of pictures, signals or clips are learned."""

    class_weights: Literal["none", "balanced"] = "none"
    """Every example counts the same, or every class does, however rare it is."""

    label_smoothing: float | None = None
    """Part of the target probability spread evenly over the classes; 0.1 where each example has one, if not
    given."""

    def __post_init__(self) -> None:
        checks.one_of(self, "class_weights")
        checks.fraction(self, "label_smoothing")

    @property
    def label_smoothing_or_default(self) -> float:
        """Part of the target probability spread evenly over the classes, where each example has one."""
        return 0.1 if self.label_smoothing is None else self.label_smoothing


def small_vision(
    dim: int,
    depth: int,
    stochastic_depth: float = 0.1,
    embedding: Literal["stem", "deep-stem"] = "stem",
    conv_size: int = 0,
) -> Vision:
    """A model for a laptop: a convolutional stem, the mean of the patches, a patch chosen by the size."""
    block = Block(
        dim=dim, heads=dim // 32, hidden=3 * dim, activation="gelu", positions="learned", dropout=0.0
    )
    return Vision(
        block=block,
        depth=depth,
        patches=Patches(patch=(), embedding=embedding),
        head=LinearClasses(pooling="mean"),
        leading=0,
        stochastic_depth=stochastic_depth,
        conv_size=conv_size,
    )


@dataclass(frozen=True, kw_only=True)
class ImageClassification:
    """Train a Vision Transformer (ViT) to tell the classes of pictures."""

    USES: ClassVar[tuple[type, ...]] = ()

    data: PictureData = field(default_factory=PictureData)
    """The labelled pictures."""

    augmentation: Augmentation = field(default_factory=lambda: Augmentation(crop=1, zoom=0.2, operations=1))
    """How pictures are varied while training."""

    learning: GridLearning = field(default_factory=GridLearning)
    """How labels are learned."""

    model: Vision = field(default_factory=lambda: small_vision(64, 4, embedding="deep-stem", conv_size=3))
    """The model."""

    optimizer: Optimizer = field(default_factory=lambda: Optimizer(lr=8e-3))
    """The optimiser."""

    training: Training = field(default_factory=Training)
    """The loop; each patch of a picture is a token."""

    saving: Saving = field(default_factory=Saving)
    """What is kept."""

    generation: Choosing = field(default_factory=Choosing)
    """How the trained run tells labels."""

    def __post_init__(self) -> None:
        if not isinstance(self.model.head, LinearClasses):
            raise ValueError(
                f"model.head is {type(self.model.head).__name__}, but this task ends in LinearClasses: leave "
                "it out"
            )
