"""How weights are found: the loop and the optimiser."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qkvae.config import checks

AverageKind = Literal["ema", "checkpoints", "none"]


@dataclass(frozen=True, kw_only=True)
class Optimizer:
    """The optimiser and its schedule."""

    name: Literal["muon", "adamw"] = "muon"
    """Muon for the matrices with AdamW for the rest, or AdamW for all."""

    lr: float = 4e-3
    """Peak learning rate of the matrices (Muon: rescaled to the size of an AdamW update)."""

    lr_rest: float | None = None
    """Peak learning rate of embeddings, biases and norms; lr if not given."""

    weight_decay: float = 0.05
    """Decoupled weight decay of the matrices."""

    beta1: float = 0.9
    """AdamW's decay of the mean of gradients."""

    beta2: float = 0.98
    """AdamW's decay of the mean of squared gradients."""

    momentum: float | None = None
    """Muon's decay of the mean of gradients; 0.95 if not given."""

    schedule: Literal["linear", "cosine", "wsd", "noam", "inverse-sqrt", "constant"] = "linear"
    """The learning rate's course after the warm-up."""

    warmup: float = 0.05
    """Part of the training over which the learning rate climbs from zero."""

    cooldown: float | None = None
    """Part of the training over which the wsd schedule falls to zero; 0.3 if not given."""

    clip: float = 1.0
    """Gradients longer than this (norm over all of them) are shortened to it; 0 leaves them."""

    def __post_init__(self) -> None:
        checks.one_of(self, "name", "schedule")
        checks.above_zero(self, "lr", "lr_rest")
        checks.at_least(self, 0, "weight_decay", "clip")
        checks.fraction(self, "beta1", "beta2", "momentum", "warmup", "cooldown")
        checks.in_effect(self, "momentum", "name", "muon")
        checks.in_effect(self, "cooldown", "schedule", "wsd")

    @property
    def momentum_or_default(self) -> float:
        """Muon's momentum."""
        return 0.95 if self.momentum is None else self.momentum

    @property
    def cooldown_or_default(self) -> float:
        """The part of the training over which wsd falls.

        >>> Optimizer(schedule="wsd").cooldown_or_default
        0.3
        """
        return 0.3 if self.cooldown is None else self.cooldown


@dataclass(frozen=True, kw_only=True)
class Training:
    """How long, on what, and how often to look and to save."""

    minutes: float | None = None
    """Stop after these minutes, preparation and last evaluation included; 10 if steps is not given either."""

    steps: int | None = None
    """Stop after this many optimiser steps instead."""

    batch_tokens: int = 2048
    """Tokens in one optimiser step, padding not counted: of two languages the target's, of pictures, signals
    and clips the patches, of a vae or codes the data."""

    accumulate: int = 1
    """Batches whose gradients are added up, each token weighing the same, before a step."""

    validations: int = 10
    """Times the model is evaluated in the course of the training."""

    patience: int | None = None
    """Stop after this many evaluations without a better one; never if not given."""

    average: AverageKind = "ema"
    """Use a moving average of the weights, the mean of those at the last 5 evaluations, or the last ones."""

    seed: int = 1
    """Seed of everything random: the order of data, the first weights, dropout."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto takes CUDA where there is one, and an Apple GPU (mps) must be asked for."""

    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the products; the weights are kept in fp32 anyway.  auto measures which is quicker."""

    workers: int = 0
    """Processes that prepare batches beside the training."""

    def __post_init__(self) -> None:
        checks.above_zero(self, "minutes")
        checks.at_least(self, 1, "steps", "batch_tokens", "accumulate", "validations", "patience")
        checks.at_least(self, 0, "workers", "seed")
        checks.one_of(self, "average", "device", "precision")
        if self.minutes is not None and self.steps is not None:
            raise ValueError(
                f"minutes is {self.minutes} and steps is {self.steps}: give one of them, the other follows"
            )

    @property
    def time_limit(self) -> float | None:
        """Minutes after which the training ends; None if it ends after ``steps``.

        >>> Training().time_limit, Training(steps=5).time_limit
        (10.0, None)
        """
        return None if self.steps is not None else self.minutes or 10.0


@dataclass(frozen=True, kw_only=True)
class Saving:
    """What is kept, and where it is told."""

    save_every: float = 60.0
    """Seconds between saves of what resuming needs."""

    keep: int = 0
    """Checkpoints kept under checkpoints/, one for each evaluation, the newest ones."""

    sink: Literal["none", "tensorboard", "wandb"] = "none"
    """Tell the curves to TensorBoard or Weights & Biases too (extras of the same names)."""

    def __post_init__(self) -> None:
        checks.above_zero(self, "save_every")
        checks.at_least(self, 0, "keep")
        checks.one_of(self, "sink")
