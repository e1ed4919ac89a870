"""Image generation, by a Transformer that learned the codes of a VQ-VAE: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.coded import CodePrior
from qkvae.config.latent_uses import CodeSampling, Encoding, Rebuilding
from qkvae.config.pictures import PictureData
from qkvae.config.tasks.vq_vae import CodeLearning, CodeTelling, refuse_workers
from qkvae.config.training import Optimizer, Saving, Training


@dataclass(frozen=True, kw_only=True)
class ConditionedData(PictureData):
    """Where the pictures are, and what the model is told of each."""

    condition: Literal["none", "label"] = "none"
    """What the model is told of a picture: nothing, or its label, of which samples can then be asked for."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.one_of(self, "condition")
        if self.label is not None and self.condition == "none":
            raise ValueError(f"label {self.label} has no effect with condition none: add condition label")


@dataclass(frozen=True, kw_only=True)
class ImageGeneration:
    """Train a decoder-only Transformer on the codes of a vq-vae run (--from), to draw new pictures."""

    USES: ClassVar = (CodeSampling, Rebuilding, Encoding)

    data: ConditionedData = field(default_factory=ConditionedData)
    """The pictures."""

    learning: CodeLearning = field(default_factory=CodeLearning)
    """What is learned of them."""

    model: CodePrior = field(default_factory=CodePrior)
    """The model."""

    optimizer: Optimizer = field(default_factory=lambda: Optimizer(lr=3e-3))
    """The optimiser."""

    training: Training = field(default_factory=lambda: Training(batch_tokens=64))
    """The loop; each picture is a token."""

    saving: Saving = field(default_factory=Saving)
    """What is kept."""

    generation: CodeTelling = field(default_factory=CodeTelling)
    """How the trained run measures pictures."""

    def __post_init__(self) -> None:
        refuse_workers(self.training)
