"""Variational autoencoders: everything that decides a run, and what its runs do."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import ClassVar, Literal

from qkvae.config import checks
from qkvae.config.latent import VAE
from qkvae.config.pictures import PictureData
from qkvae.config.training import Optimizer, Saving, Training


@dataclass(frozen=True, kw_only=True)
class LatentData:
    """Where the data are: pictures, or rows of numbers and categories."""

    paths: tuple[str, ...] = ()
    """Folders or archives of pictures, idx, .npz, .npy or .amat, or a table (.csv .tsv .jsonl .parquet) of
    numbers and categories; embedded data if none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off by hash if none."""

    ignore: tuple[str, ...] = ()
    """Columns of a table that are left out, by name or by number from 0."""

    condition: Literal["none", "label"] = "none"
    """What the model is told of a picture: nothing, or its label, of which samples can then be asked for."""

    picture: str | None = None
    """Column of the pictures in a table, by name or by number from 0, or name of their array in an .npz."""

    label: str | None = None
    """Column of the labels, by name or by number from 0, or name of their array in an .npz."""

    folder: str | None = None
    """Folder that the paths in a table start from; the table's own if not given."""

    size: str | None = None
    """Height and width, as 64 or 48x64; the pictures' own if it is one of at most 256, else 64."""

    channels: Literal["auto", "grey", "colour"] = "auto"
    """Grey or colour; auto is grey where every picture is."""

    fit: Literal["crop", "stretch", "pad"] = "crop"
    """How a picture of another shape gets the size: its edges are cut, it is distorted, or it gets bars."""

    unreadable: float = 0.05
    """Part of the files that may be broken and are left out; more of them are refused."""

    valid_fraction: float | None = None
    """Part split off for validation, 10,000 data at most, by hash of each; 0.1 if not given."""

    def __post_init__(self) -> None:
        checks.one_of(self, "condition")
        assert self.pictures
        if self.label is not None and self.condition == "none":
            raise ValueError(f"label {self.label} has no effect with condition none: add condition label")

    @property
    def pictures(self) -> PictureData:
        """The same, as pictures are read.

        Raises:
            ValueError: a setting that is wrong.
        """
        return PictureData(
            **{
                each.name: getattr(self, each.name)
                for each in fields(PictureData)
                if hasattr(self, each.name)
            }
        )

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return self.pictures.valid_fraction_or_default


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

    free_nats: float = 0.0
    """KL that each latent may take for nothing (free bits, in nats), on the mean of the batch, or of each
    process's share of it; keeps latents in use."""

    binarize: Literal["dynamic", "none"] = "dynamic"
    """Under a Bernoulli, each number drawn as 0 or 1 anew at every step, or taken as a chance as it is."""

    def __post_init__(self) -> None:
        checks.one_of(self, "bound", "beta_schedule", "binarize")
        checks.at_least(self, 1, "draws")
        checks.at_least(self, 0, "beta", "free_nats")
        checks.above_zero(self, "beta_epochs")
        checks.in_effect(self, "beta_epochs", "beta_schedule", "linear", "cyclical")
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
    def beta_epochs_or_default(self) -> float:
        """Epochs in which beta climbs."""
        return 10.0 if self.beta_epochs is None else self.beta_epochs

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

    samples: int = 100
    """Draws of the latents by which ln p(x) of each datum is estimated (importance sampling)."""

    batch: int = 100
    """Data read side by side."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "samples", "batch")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """New data."""

    sample: bool = False
    """Draw words instead of searching for the best answer; of a VAE, as many new data as INPUT says."""

    png: str | None = None
    """With --sample, --reconstruct, --interpolate or --traverse: the file of the picture; stdout if none."""

    like: str | None = None
    """With --sample or --traverse: the label that the data are to be of, where a run was told labels."""

    drawn: Literal["mean", "data"] | None = None
    """With --sample: what is expected of each latent (mean, which is the default), or data drawn from it."""

    seed: int | None = None
    """Seed of everything random; that of the run if not given."""


@dataclass(frozen=True, kw_only=True)
class Rebuilding:
    """What is left of data that go through the latents."""

    reconstruct: bool = False
    """Instead of scores, each datum of the inputs, and below it what the latents keep of it."""

    png: str | None = None
    """With --sample, --reconstruct, --interpolate or --traverse: the file of the picture; stdout if none."""


@dataclass(frozen=True, kw_only=True)
class Interpolating:
    """The way from one datum to another."""

    interpolate: bool = False
    """Instead of scores, the way through the latents from one datum to the next, in --count steps."""

    png: str | None = None
    """With --sample, --reconstruct, --interpolate or --traverse: the file of the picture; stdout if none."""

    count: int | None = None
    """With --neighbours: how many lines; with --interpolate or --traverse: how many steps; 10 if none."""

    def __post_init__(self) -> None:
        checks.at_least(self, 2, "count")

    @property
    def count_or_default(self) -> int:
        """How many steps."""
        return 10 if self.count is None else self.count


@dataclass(frozen=True, kw_only=True)
class Traversing:
    """What single latents mean."""

    traverse: bool = False
    """Instead of scores, what each of the most telling latents changes in a datum, from -3 to 3."""

    png: str | None = None
    """With --sample, --reconstruct, --interpolate or --traverse: the file of the picture; stdout if none."""

    count: int | None = None
    """With --neighbours: how many lines; with --interpolate or --traverse: how many steps; 10 if none."""

    def __post_init__(self) -> None:
        checks.at_least(self, 2, "count")

    @property
    def count_or_default(self) -> int:
        """How many steps."""
        return 10 if self.count is None else self.count


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """The latents of data."""

    encode: bool = False
    """Instead of scores the latents of each datum (their means), as a NumPy array to a pipe or to --out."""

    out: str | None = None
    """With --embed or --encode: a file .npy, .npz or .parquet instead of stdout."""


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How strange data are."""

    score: bool = False
    """Lines of row and score, -ln p in nats: the higher, the stranger."""

    ignore: tuple[str, ...] = ()
    """With --score: columns of a table that are left out, by name or by number from 0."""

    samples: int | None = None
    """Draws of the latents by which ln p(x) of each datum is estimated; as the run has it if not given."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "samples")


@dataclass(frozen=True, kw_only=True)
class Vae:
    """Train a variational autoencoder of pictures or of rows of numbers and categories."""

    USES: ClassVar = (Sampling, Rebuilding, Interpolating, Traversing, Encoding, Scoring)

    data: LatentData = field(default_factory=LatentData)
    """The data."""

    learning: Inference = field(default_factory=Inference)
    """What is learned of them."""

    model: VAE = field(default_factory=lambda: VAE(latents=(32,), widths=(400,)))
    """The model."""

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
        if self.learning.free_nats and self.training.accumulate > 1:
            raise ValueError(
                f"free_nats is {self.learning.free_nats} and accumulate is {self.training.accumulate}, but "
                "what is free is a mean over a whole batch: leave accumulate out"
            )
        if self.training.workers:
            raise ValueError(
                f"workers is {self.training.workers}, but the data are in memory and need none: leave it out"
            )
