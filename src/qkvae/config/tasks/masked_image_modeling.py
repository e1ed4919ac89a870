"""Masked image modelling: everything that decides a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from qkvae.config import checks
from qkvae.config.block import Block
from qkvae.config.grids import MaskedImage, Patches
from qkvae.config.pictures import Augmentation, PictureData
from qkvae.config.training import Optimizer, Saving, Training


@dataclass(frozen=True, kw_only=True)
class PatchMasking:
    """Which patches are hidden."""

    seen: float = 0.25
    """Part of the patches that is seen, others anew at every step; the rest is to be told."""

    def __post_init__(self) -> None:
        checks.inner_fraction(self, "seen")


@dataclass(frozen=True, kw_only=True)
class Reconstructing:
    """How hidden patches of a picture are told."""

    seen: float | None = None
    """Part of the patches that is seen; as the run was trained if not given."""

    folder: str = "."
    """Folder for the drawings: what was seen, what was told, and the picture, as NAME.told.png; made if it
    is not there."""

    def __post_init__(self) -> None:
        checks.inner_fraction(self, "seen")


def _block(dim: int, positions: str) -> Block:
    return Block(
        dim=dim,
        heads=dim // 32,
        hidden=3 * dim,
        activation="gelu",
        positions="learned" if positions == "learned" else "sinusoidal",
        dropout=0.0,
    )


@dataclass(frozen=True, kw_only=True)
class MaskedImageModeling:
    """Train a masked autoencoder (MAE): a quarter of every picture is seen, the rest told; without labels."""

    USES: ClassVar[tuple[type, ...]] = ()

    data: PictureData = field(default_factory=PictureData)
    """The pictures; their labels, if there are any, are not looked at."""

    augmentation: Augmentation = field(default_factory=lambda: Augmentation(crop=1))
    """How pictures are varied while training."""

    learning: PatchMasking = field(default_factory=PatchMasking)
    """Which patches are hidden."""

    model: MaskedImage = field(
        default_factory=lambda: MaskedImage(
            block=_block(128, "learned"),
            depth=6,
            patches=Patches(patch=()),
            decoder_block=_block(64, "sinusoidal"),
        )
    )
    """The model."""

    optimizer: Optimizer = field(default_factory=lambda: Optimizer(lr=2e-3))
    """The optimiser."""

    training: Training = field(default_factory=lambda: Training(batch_tokens=4096))
    """The loop; each patch of a picture is a token, seen or not."""

    saving: Saving = field(default_factory=Saving)
    """What is kept."""

    generation: Reconstructing = field(default_factory=Reconstructing)
    """How the trained run tells hidden patches."""

    def __post_init__(self) -> None:
        if self.augmentation.mixup or self.augmentation.cutmix:
            raise ValueError("mixup and cutmix blend labels, which this task has none of: leave them out")
