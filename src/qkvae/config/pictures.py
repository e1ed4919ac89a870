"""Where pictures, videos and signals are, how they become arrays of one size, and how they are varied."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from qkvae.config import checks
from qkvae.config.names import many

MOST_PIXELS = 178_956_970
"""What Pillow opens at most: twice its `Image.MAX_IMAGE_PIXELS`."""


@dataclass(frozen=True, kw_only=True)
class PictureReading:
    """Where in a table or an array pictures are, and what they become."""

    picture: str | None = None
    """Column of the pictures in a table, by name or by number from 0, or name of their array (.npz, .mat)."""

    label: str | None = None
    """Column of the labels, by name or by number from 0, or name of their array in an .npz."""

    folder: str | None = None
    """Folder that the paths in a table start from; the table's own if not given."""

    size: str | None = None
    """Height and width, as 64 or 48x64; if not given that of --from, or the pictures' own if it is one of at
    most 256, else 64."""

    channels: Literal["auto", "grey", "colour"] = "auto"
    """Grey or colour; auto is grey where every picture is."""

    fit: Literal["crop", "stretch", "pad"] = "crop"
    """How a picture of another shape gets the size: its edges are cut, it is distorted, or it gets bars."""

    most_pixels: int = 50_000_000
    """A file that says it holds more pixels than this is refused as a decompression bomb."""

    unreadable: float = 0.05
    """Part of the files that may be broken and are left out; more of them are refused."""

    def __post_init__(self) -> None:
        checks.one_of(self, "channels", "fit")
        checks.at_least(self, 1, "most_pixels")
        if self.most_pixels > MOST_PIXELS:
            raise ValueError(
                f"most_pixels is {self.most_pixels:,}, but Pillow opens {MOST_PIXELS:,} at most: scale "
                "larger pictures down"
            )
        checks.fraction(self, "unreadable")
        assert self.height_and_width is None or len(self.height_and_width) == 2

    @property
    def height_and_width(self) -> tuple[int, int] | None:
        """The size asked for.

        >>> PictureReading(size="48x64").height_and_width, PictureReading(size="28").height_and_width
        ((48, 64), (28, 28))

        Raises:
            ValueError: it is not one number or two.
        """
        if self.size is None:
            return None
        numbers = re.fullmatch(r"(\d+)(?:\s*[x×]\s*(\d+))?", self.size.strip())
        height, width = (int(each or numbers[1]) for each in numbers.groups()) if numbers else (0, 0)
        if not (1 <= height <= 4096 and 1 <= width <= 4096):
            raise ValueError(
                f'size is "{self.size}": give height and width between 1 and 4096, as 64 or 48x64'
            )
        return height, width


@dataclass(frozen=True, kw_only=True)
class PictureData(PictureReading):
    """Where the pictures are and what they become."""

    paths: tuple[str, ...] = ()
    """Folders or archives with a folder of pictures per class, tables of paths, idx, .npz, .npy, .parquet;
    embedded data if none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off by hash if none."""

    valid_fraction: float | None = None
    """Part split off for validation, 10,000 pictures at most, by hash of the picture; 0.1 if not given."""

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.inner_fraction(self, "valid_fraction")
        checks.in_effect(self, "valid_fraction", "valid", ())

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return 0.1 if self.valid_fraction is None else self.valid_fraction


@dataclass(frozen=True, kw_only=True)
class SignalData:
    """Where the signals are."""

    paths: tuple[str, ...] = ()
    """Tables (.csv .tsv .jsonl .parquet) with a signal in every row, .npz, .npy or idx; embedded data if
    none."""

    valid: tuple[str, ...] = ()
    """Likewise, to validate on; a part split off by hash if none."""

    picture: str | None = None
    """Name of the array that holds the data, in an .npz."""

    label: str | None = None
    """Column of the labels, by name or by number from 0, or name of their array in an .npz."""

    valid_fraction: float | None = None
    """Part split off for validation, 10,000 examples at most, by hash of the example; 0.1 if not given."""

    def __post_init__(self) -> None:
        checks.inner_fraction(self, "valid_fraction")
        checks.in_effect(self, "valid_fraction", "valid", ())

    @property
    def valid_fraction_or_default(self) -> float:
        """The part that is split off for validation if ``valid`` is not given."""
        return 0.1 if self.valid_fraction is None else self.valid_fraction


@dataclass(frozen=True, kw_only=True)
class ClipData(SignalData):
    """Where the clips are."""

    paths: tuple[str, ...] = ()
    """Arrays [count, frames, height, width] or with channels: .npz, .npy or idx; embedded data if none."""


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How pictures are varied while training, anew at every step; 0 leaves a thing as it is."""

    crop: int = 0
    """Pixels by which a picture is moved at most, up, down, left and right; what is left empty is black, in
    signals the mean."""

    zoom: float = 0.0
    """A random part of the picture is enlarged to its whole size: at least 1 - zoom of its area."""

    flip: float = 0.0
    """Probability that left and right are exchanged; not for digits or letters."""

    colour: float = 0.0
    """Brightness, contrast and saturation are multiplied by factors in [1 - colour, 1 + colour]."""

    operations: int = 0
    """Random distortions that every picture undergoes one after the other (RandAugment's N)."""

    magnitude: float | None = None
    """How strong they are, from 0 to 1 (RandAugment's M / 30); 0.3 if not given."""

    erase: float = 0.0
    """Probability that a random rectangle, about 2 to 33 % of the picture, is filled with noise."""

    mixup: float = 0.0
    """Two pictures are blended by a share drawn from Beta(mixup, mixup), and so are their labels."""

    cutmix: float = 0.0
    """A rectangle is taken from another picture, its part drawn from Beta(cutmix, cutmix), and so are labels;
    with mixup, each batch has one of both."""

    def __post_init__(self) -> None:
        checks.at_least(self, 0, "crop", "operations", "mixup", "cutmix")
        checks.fraction(self, "zoom", "colour")
        for field in ("flip", "erase", "magnitude"):
            value = getattr(self, field)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{field} is {value}, but must be between 0 and 1")
        if self.magnitude is not None and not self.operations:
            raise ValueError(f"magnitude {self.magnitude} has no effect with operations 0: leave it out")

    @property
    def magnitude_or_default(self) -> float:
        """The strength of the distortions."""
        return 0.3 if self.magnitude is None else self.magnitude

    def fits(self, size: tuple[int, ...], channels: int) -> None:
        """Refuse what cannot be done to grids of this size and these channels.

        Raises:
            ValueError: colours of what has no colours, distortions of a signal or a video, or a crop as wide
                as the picture.
        """
        plain = len(size) == 2
        axes = many(len(size), "axis")
        if self.colour and not (plain and channels in (1, 3)):
            raise ValueError(
                f"colour is {self.colour}, but the data have {many(channels, 'channel')} and {axes}: leave "
                "it out"
            )
        if self.operations and not plain:
            raise ValueError(
                f"operations is {self.operations}, which are for pictures, but the data have {axes}: leave "
                "it out"
            )
        smallest = min((side for side in size[-2:] if side > 1), default=1)  # along a side of 1 nothing moves
        if self.crop and self.crop >= smallest:
            raise ValueError(f"crop is {self.crop}, but the smallest side is {smallest}: choose less")
