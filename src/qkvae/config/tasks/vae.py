"""Variational autoencoders: everything that decides a run, and what its runs do."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.latent import VAE
from qkvae.config.latent_uses import (
    Encoding,
    Interpolating,
    Rebuilding,
    Sampling,
    Scoring,
    Traversing,
)
from qkvae.config.pictures import PictureReading
from qkvae.config.text_latent import TextVAE
from qkvae.config.training import Optimizer, Saving, Training

FREE_NATS_OF_TEXTS, SAMPLES_OF_TEXTS = 0.25, 10


@dataclass(frozen=True, kw_only=True)
class LatentData:
    """Where the data are: pictures, rows of numbers and categories, or texts."""

    paths: tuple[str, ...] = ()
    """Pictures (folders, archives, idx, .npz .npy .amat .mat), a table (.csv .tsv .jsonl .parquet) of numbers
    and categories, or text by lines; embedded data if none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off by hash if none."""

    ignore: tuple[str, ...] = ()
    """Columns of a table that are left out, by name or by number from 0."""

    condition: Literal["none", "label"] = "none"
    """What the model is told of a picture: nothing, or its label, of which samples can then be asked for."""

    text: str | None = None
    """Column of the texts in a table whose texts are the data, by name or by number from 0."""

    tokenizer: Literal["bpe", "char", "byte", "word"] = "bpe"
    """What texts are made of: byte-level byte-pair encoding, characters, bytes or words."""

    vocab_size: int | None = None
    """Tokens of texts, special ones too; up to 8000 (bpe), or every character or word, if not given."""

    min_frequency: int | None = None
    """A pair (bpe), a word or a character seen less often than this gets no token of its own; 2, and 1 for
    characters, if not given."""

    valid_fraction: float | None = None
    """Part split off for validation, 10,000 data at most, by hash of each; 0.1 if not given."""

    pictures: PictureReading = field(default_factory=PictureReading)
    """How pictures are read."""

    def __post_init__(self) -> None:
        checks.one_of(self, "condition", "tokenizer")
        checks.at_least(self, 1, "min_frequency")
        checks.at_least(self, 10, "vocab_size")
        for limit in ("vocab_size", "min_frequency"):
            checks.in_effect(self, limit, "tokenizer", "bpe", "char", "word")
        checks.inner_fraction(self, "valid_fraction")
        checks.in_effect(self, "valid_fraction", "valid", ())
        label = self.pictures.label
        if label is not None and self.condition == "none":
            raise ValueError(f"label {label} has no effect with condition none: add condition label")

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return 0.1 if self.valid_fraction is None else self.valid_fraction


@dataclass(frozen=True, kw_only=True)
class Inference:
    """What is learned: which bound of ln p(x), and how it is weighed."""

    bound: Literal["elbo", "iwae"] = "elbo"
    """The evidence lower bound, or the tighter one of several draws weighted by importance (IWAE)."""

    draws: int = 1
    """Draws of the latents for each datum at each step."""

    beta: float = 1.0
    """Weight of the KL term; more than 1 asks for latents that are independent of each other."""

    beta_schedule: Literal["constant", "linear", "cyclical"] = "constant"
    """beta from the start, or climbing from 0 once (linear) or again and again (cyclical)."""

    beta_epochs: float | None = None
    """Epochs in which beta climbs; 10 if not given.  A cycle is twice as long."""

    free_nats: float | None = None
    """KL that each latent may take for nothing (free bits, in nats), on the mean of a batch or of a process's
    share; keeps latents in use; of texts 0.25 if not given."""

    binarize: Literal["dynamic", "none"] = "dynamic"
    """Under a Bernoulli, each number drawn as 0 or 1 anew at every step, or taken as a chance as it is."""

    algorithm: Literal["joint", "em"] = "joint"
    """Encoder and decoder learn together, or in turn (em): E-steps move the one, M-steps the other alone."""

    e_steps: int | None = None
    """With em: E-steps in a row, which bring the encoder up to the decoder; 1 if not given."""

    m_steps: int | None = None
    """With em: M-steps in a row, which move decoder and prior; 1 if not given."""

    def __post_init__(self) -> None:
        checks.one_of(self, "bound", "beta_schedule", "binarize", "algorithm")
        checks.at_least(self, 1, "draws", "e_steps", "m_steps")
        checks.in_effect(self, "e_steps", "algorithm", "em")
        checks.in_effect(self, "m_steps", "algorithm", "em")
        checks.at_least(self, 0, "beta", "free_nats")
        checks.above_zero(self, "beta_epochs")
        checks.in_effect(self, "beta_epochs", "beta_schedule", "linear", "cyclical")
        if not self.beta and (self.free_nats or self.beta_schedule != "constant"):
            idle = "free_nats" if self.free_nats else "beta_schedule"
            raise ValueError(f"{idle} {getattr(self, idle)} has no effect with beta 0: leave it out")
        if self.bound == "iwae":
            changed = [
                name for name in ("beta", "free_nats") if getattr(self, name) != getattr(type(self), name)
            ]
            if self.beta_schedule != "constant":
                changed.append("beta_schedule")
            if changed:
                raise ValueError(
                    f"{changed[0]} {getattr(self, changed[0])} has no effect with bound iwae: leave it out"
                )
            if self.draws == 1:
                raise ValueError(
                    "bound is iwae and draws is 1, which is the ELBO: give more draws, such as 5"
                )

    @property
    def of_texts(self) -> Inference:
        """The same for texts, whose decoder would do without latents: free nats, unless they are given."""
        idle = self.bound == "iwae" or self.free_nats is not None or not self.beta
        return self if idle else replace(self, free_nats=FREE_NATS_OF_TEXTS)

    @property
    def free_nats_or_default(self) -> float:
        """Nats that each latent may take for nothing."""
        return 0.0 if self.free_nats is None else self.free_nats

    @property
    def beta_epochs_or_default(self) -> float:
        """Epochs in which beta climbs."""
        return 10.0 if self.beta_epochs is None else self.beta_epochs

    def moved_at(self, step: int) -> Literal["both", "phi", "theta"]:
        """What a step moves: φ, θ, or both.  Neal and Hinton 1998, "A view of the EM algorithm that justifies
        incremental, sparse, and other variants": each half raises the same bound.

        >>> some = Inference(algorithm="em", e_steps=2)
        >>> [some.moved_at(step) for step in range(4)]
        ['phi', 'phi', 'theta', 'phi']
        """
        if self.algorithm == "joint":
            return "both"
        e_steps, m_steps = self.e_steps or 1, self.m_steps or 1
        return "phi" if step % (e_steps + m_steps) < e_steps else "theta"

    def beta_at(self, epoch: float) -> float:
        """The weight of the KL term after so many epochs.

        Bowman et al. 2016, arXiv:1511.06349, section 3.1, and for cycles Fu et al. 2019, arXiv:1903.10145:
        the first half of a cycle climbs, the second stays.

        >>> some = Inference(beta_schedule="cyclical", beta_epochs=2)
        >>> [some.beta_at(epoch) for epoch in (0, 1, 2, 3.9, 4, 5)]
        [0.0, 0.5, 1.0, 1.0, 0.0, 0.5]
        """
        climb = self.beta_epochs_or_default
        match self.beta_schedule:
            case "constant":
                return self.beta
            case "linear":
                return self.beta * min(1.0, epoch / climb)
            case "cyclical":
                return self.beta * min(1.0, epoch % (2 * climb) / climb)


@dataclass(frozen=True, kw_only=True)
class Telling:
    """How a trained run measures data."""

    samples: int | None = None
    """Draws of the latents by which ln p(x) of each datum is estimated (importance sampling); of texts 10, of
    others 100 if not given."""

    batch: int = 100
    """Data read side by side."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "samples", "batch")

    @property
    def of_texts(self) -> Telling:
        """The same for texts, of which each draw takes long."""
        return self if self.samples is not None else replace(self, samples=SAMPLES_OF_TEXTS)

    @property
    def samples_or_default(self) -> int:
        """Draws of the latents."""
        return 100 if self.samples is None else self.samples


@dataclass(frozen=True, kw_only=True)
class Vae:
    """Train a variational autoencoder of pictures, of rows of numbers and categories, or of texts."""

    USES: ClassVar = (Sampling, Rebuilding, Interpolating, Traversing, Encoding, Scoring)

    data: LatentData = field(default_factory=LatentData)
    """The data."""

    learning: Inference = field(default_factory=Inference)
    """What is learned of them."""

    model: VAE | TextVAE = field(default_factory=lambda: VAE(latents=(32,), widths=(400,)))
    """The model; of texts it becomes a text VAE."""

    optimizer: Optimizer = field(default_factory=lambda: Optimizer(name="adamw", lr=2e-3, beta2=0.999))
    """The optimiser."""

    training: Training = field(
        default_factory=lambda: Training(batch_tokens=128, validations=20, precision="fp32")
    )
    """The loop."""

    saving: Saving = field(default_factory=Saving)
    """What is kept."""

    generation: Telling = field(default_factory=Telling)
    """How the trained run measures data."""

    def __post_init__(self) -> None:
        if self.learning.free_nats and isinstance(self.model, VAE) and self.model.prior == "vamp":
            raise ValueError(
                f"free_nats is {self.learning.free_nats} and prior is vamp, whose KL is one number for all "
                "latents and not one for each: leave free_nats out"
            )
        if self.learning.free_nats_or_default and self.training.accumulate > 1:
            raise ValueError(
                f"free_nats is {self.learning.free_nats} and accumulate is {self.training.accumulate}, but "
                "what is free is a mean over a whole batch: leave accumulate out"
            )
        if self.training.workers:
            raise ValueError(
                f"workers is {self.training.workers}, but the data are in memory and need none: leave it out"
            )
