"""What a run with latent variables does instead of telling scores, each asked for by a flag of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from qkvae.config import checks
from qkvae.config.generation import Filtering


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Data of one label."""

    like: str | None = None
    """The label that data are of, or with --sample are to be of, where a run was told labels."""


@dataclass(frozen=True, kw_only=True)
class Shown(Labelled):
    """Data that are shown."""

    png: str | None = None
    """With --sample, --reconstruct, --interpolate or --traverse: the file of the picture; stdout if none."""


@dataclass(frozen=True, kw_only=True)
class Stepwise(Shown):
    """A way through the latents, step by step."""

    count: int | None = None
    """With --neighbours: how many lines; with --interpolate or --traverse: how many steps; 10 if none."""

    def __post_init__(self) -> None:
        checks.at_least(self, 2, "count")

    @property
    def count_or_default(self) -> int:
        """How many steps."""
        return 10 if self.count is None else self.count


@dataclass(frozen=True, kw_only=True)
class Sampling(Shown):
    """New data."""

    sample: bool = False
    """Draw words instead of searching for the best answer; of a VAE, as many new data as INPUT says."""

    drawn: Literal["mean", "data"] | None = None
    """With --sample: what is expected of the latents (mean), or data drawn from that; mean of pictures and
    data of rows if not given."""

    seed: int | None = None
    """Seed of everything random; that of the run if not given."""


@dataclass(frozen=True, kw_only=True)
class CodeSampling(Filtering, Sampling):
    """New data of codes that are drawn one after another."""

    sample: bool = False
    """Draw words instead of searching for the best answer; of a VAE, as many new data as INPUT says."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.above_zero(self, "temperature")


@dataclass(frozen=True, kw_only=True)
class Rebuilding(Shown):
    """What is left of data that go through the latents."""

    reconstruct: bool = False
    """Instead of scores, each datum of the inputs, and below it what the latents keep of it."""


@dataclass(frozen=True, kw_only=True)
class Interpolating(Stepwise):
    """The way from one datum to another."""

    interpolate: bool = False
    """Instead of scores, the way through the latents from one datum to the next, in --count steps."""


@dataclass(frozen=True, kw_only=True)
class Traversing(Stepwise):
    """What single latents mean."""

    traverse: bool = False
    """Instead of scores, what each of the most telling latents changes in a datum, from -3 to 3."""


@dataclass(frozen=True, kw_only=True)
class Encoding(Labelled):
    """The latents of data."""

    encode: bool = False
    """Instead of scores the latents of each datum (their means), as a NumPy array to a pipe or to --out."""

    out: str | None = None
    """With --embed or --encode: a file .npy, .npz or .parquet instead of stdout."""


@dataclass(frozen=True, kw_only=True)
class Scoring(Labelled):
    """How strange data are."""

    score: bool = False
    """Lines of row and score, -ln p in nats: the higher, the stranger."""

    ignore: tuple[str, ...] = ()
    """With --score: columns of a table that are left out, by name or by number from 0."""

    samples: int | None = None
    """Draws of the latents by which ln p(x) of each datum is estimated; as the run has it if not given."""

    def __post_init__(self) -> None:
        checks.at_least(self, 1, "samples")
