"""VQ-VAEs: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.coded import VQ
from qkvae.config.latent_uses import Encoding, Rebuilding
from qkvae.config.pictures import PictureData
from qkvae.config.training import Optimizer, Saving, Training


@dataclass(frozen=True, kw_only=True)
class CodeLearning:
    """What pictures are to a model of codes."""

    binarize: Literal["dynamic", "none"] = "dynamic"
    """Under a Bernoulli, each number drawn as 0 or 1 anew at every step, or taken as a chance as it is."""

    def __post_init__(self) -> None:
        checks.one_of(self, "binarize")


@dataclass(frozen=True, kw_only=True)
class CodeTelling:
    """How a trained run measures pictures."""

    batch: int = 250
    """Pictures read side by side."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "batch")


def refuse_workers(training: Training) -> None:
    """Refuse workers where batches are not made in files.

    Raises:
        ValueError: some are asked for.
    """
    if training.workers:
        raise ValueError(
            f"workers is {training.workers}, but the data are in memory and need none: leave it out"
        )


@dataclass(frozen=True, kw_only=True)
class VqVae:
    """Train a VQ-VAE: a picture is told by a few codes out of a book that is learned."""

    USES: ClassVar = (Rebuilding, Encoding)

    data: PictureData = field(default_factory=PictureData)
    """The pictures; their labels, if there are any, are not looked at."""

    learning: CodeLearning = field(default_factory=CodeLearning)
    """What is learned of them."""

    model: VQ = field(default_factory=VQ)
    """The model."""

    optimizer: Optimizer = field(
        default_factory=lambda: Optimizer(name="adamw", lr=2e-3, beta2=0.99, weight_decay=0.0)
    )
    """The optimiser."""

    training: Training = field(
        default_factory=lambda: Training(batch_tokens=128, validations=20, average="none")
    )
    """The loop."""

    saving: Saving = field(default_factory=Saving)
    """What is kept."""

    generation: CodeTelling = field(default_factory=CodeTelling)
    """How the trained run measures pictures."""

    def __post_init__(self) -> None:
        refuse_workers(self.training)
        if self.training.average != "none":
            raise ValueError(
                f"average is {self.training.average}, but the codes follow the encoder as it is: leave it out"
            )
