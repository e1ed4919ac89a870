"""One picture: from the bytes of a file to numbers of a given size; whatever is odd about it gets a name."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from qkvae.config.pictures import MOST_PIXELS

_SUFFIXES = ".png .jpg .jpeg .jpe .jfif .gif .bmp .webp .tif .tiff .ppm .pgm .pbm .pnm .avif"
SUFFIXES = frozenset(_SUFFIXES.split())
"""What a file of a picture may be called."""

# EPS is no picture but a program, and is never run; what is rare is not worth its risks.
_FORMATS = ("PNG", "JPEG", "MPO", "GIF", "BMP", "DIB", "WEBP", "TIFF", "PPM", "AVIF")

_FAULTS = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, AttributeError),
    *(OverflowError, RuntimeError, struct.error, zlib.error),
)
"""What Pillow's decoders raise, between them, on damaged files."""

_GREY = frozenset(("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"))
_DEEP = frozenset(("I", "F", "I;16", "I;16B", "I;16L", "I;16N"))
_ORIENTATION = 0x0112  # of EXIF

Pixels = UInt8[np.ndarray, "channels height width"]
Fit = Literal["crop", "stretch", "pad"]


class UnreadableError(ValueError):
    """A file that should be a picture and is not, or only in part; ``kind`` is what a note counts it by."""

    def __init__(self, kind: str, why: str) -> None:
        super().__init__(why)
        self.kind = kind


@dataclass(frozen=True)
class Header:
    """What a picture says of itself before it is decoded."""

    height: int
    """As it is to be looked at: after the rotation that EXIF asks for."""

    width: int
    grey: bool
    oddities: tuple[str, ...]
    """Keys of `ODDITIES`."""


ODDITIES = {
    "rotated": "pictures were turned as EXIF asks",
    "animated": "animated pictures were read by the first frame",
    "palette": "pictures with a palette were turned into plain colours",
    "transparent": "pictures with transparency were laid on white",
    "CMYK": "pictures in CMYK, YCbCr, LAB or HSV were turned into RGB",
    "16-bit": "pictures of more than 8 bits a channel were scaled to 8",
}
"""What is handled, and what is done about it."""


def read_header(raw: bytes, most_pixels: int) -> Header:
    """Look at a picture without decoding it.

    Raises:
        UnreadableError: it is empty or no picture.
        ValueError: it says that it holds more than ``most_pixels``.
    """
    with _opened(raw, most_pixels) as image:
        width, height = image.size
        # a PNG would be decoded whole in search of EXIF data that stand behind the picture
        searched = image.format != "PNG" or "exif" in image.info
        turned = image.getexif().get(_ORIENTATION, 1) if searched else 1
        if turned in (5, 6, 7, 8):
            width, height = height, width
        odd: list[str] = []
        if turned in range(2, 9):
            odd.append("rotated")
        if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":  # phones add previews to photos
            odd.append("animated")
        if image.mode in ("P", "PA"):
            odd.append("palette")
        if image.has_transparency_data:
            odd.append("transparent")
        if image.mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            odd.append("CMYK")
        if image.mode in _DEEP:
            odd.append("16-bit")
        grey = image.mode in _GREY or (image.mode in ("P", "PA") and _grey_palette(image))
        return Header(height, width, grey, tuple(odd))


def decode(raw: bytes, size: tuple[int, int], channels: int, fit: Fit, most_pixels: int) -> Pixels:
    """A picture as numbers, scaled (Lanczos; enlarged: bicubic) to ``size`` after EXIF's rotation.

    Transparent parts lie on white.  ``crop`` scales until both sides are covered and cuts the middle out;
    ``stretch`` distorts; ``pad`` scales until both sides fit and adds black bars.  Of 16 bits the upper 8
    are taken; of whole or real numbers without a stated range, 0 (or a minimum below it) to the picture's
    maximum becomes 0 to 255.

    Raises:
        UnreadableError: it is empty, no picture, or cut short.
        ValueError: it says that it holds more than ``most_pixels``.
    """
    with _opened(raw, most_pixels) as image:
        kind = image.format  # which a turned copy no longer tells
        plain = _plain(ImageOps.exif_transpose(image), "L" if channels == 1 else "RGB", kind)
        fitted = _fitted(plain, (size[1], size[0]), fit)
    pixels = np.asarray(fitted, dtype=np.uint8)
    return pixels[None] if channels == 1 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


@contextmanager
def quiet() -> Generator[None]:
    """No warnings of Pillow's: what they tell of is counted.  Filters belong to all threads, so this stands
    around the threads that decode and not in them."""
    Image.init()  # which is not to be done by several threads at once
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _opened(raw: bytes, most_pixels: int) -> Generator[Image.Image]:
    if not raw:
        raise UnreadableError("empty picture", "an empty file")
    try:
        image = Image.open(io.BytesIO(raw), formats=[name for name in _FORMATS if name in Image.OPEN])
    except Image.DecompressionBombError as error:
        raise ValueError(
            f"it says it has more pixels than Pillow opens, {MOST_PIXELS:,}, as a decompression bomb does: "
            "scale it down or take it out"
        ) from error
    except UnidentifiedImageError as error:
        raise UnreadableError("no picture", "no picture of a known format") from error
    except _FAULTS as error:
        raise UnreadableError("damaged picture", f"damaged ({_line(error)})") from error
    with image:
        width, height = image.size
        if width * height > most_pixels:
            raise ValueError(
                f"it says it has {width:,} × {height:,} pixels, more than {most_pixels:,}, as a "
                "decompression bomb does: scale it down or take it out, or raise most_pixels (to "
                f"{MOST_PIXELS:,} at most) if you trust it"
            )
        if not width * height:
            raise UnreadableError("empty picture", "a picture without pixels")
        try:
            yield image
        except _FAULTS as error:
            what = "cut short" if "truncated" in str(error).lower() else "damaged"
            raise UnreadableError(f"{what} picture", f"{what} ({_line(error)})") from error


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _grey_palette(image: Image.Image) -> bool:
    colours = image.getpalette("RGB") or []
    return colours[0::3] == colours[1::3] == colours[2::3]


def _plain(image: Image.Image, mode: Literal["L", "RGB"], kind: str | None) -> Image.Image:
    """8 bits a channel, nothing transparent."""
    if image.mode in _DEEP:
        image = _shallow(image, kind)
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        image = Image.new("RGBA", layers.size, "white")
        image.alpha_composite(layers)
    if image.mode == "LAB":  # which Pillow turns into RGB through a colour profile only
        image = image.getchannel(0)
    return image.convert("RGB").convert(mode) if image.mode in ("P", "PA") else image.convert(mode)


def _shallow(image: Image.Image, kind: str | None) -> Image.Image:
    """Grey of more than 8 bits as 8: by the format's range where it has one, else from 0, or the least number
    below it, to the picture's largest."""
    numbers = np.asarray(image)
    if image.mode.startswith("I;16") or kind == "PPM":
        return Image.fromarray((numbers.astype(np.uint32) >> 8).astype(np.uint8))
    reals = np.nan_to_num(numbers.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    black = min(float(reals.min()), 0.0)
    white = max(float(reals.max()), black + 1e-12)
    return Image.fromarray(((reals - black) / (white - black) * 255).round().astype(np.uint8))


def _fitted(image: Image.Image, size: tuple[int, int], fit: Fit) -> Image.Image:
    if image.size == size:
        return image
    shrunk = image.width > size[0] or image.height > size[1]
    method = Image.Resampling.LANCZOS if shrunk else Image.Resampling.BICUBIC
    match fit:
        case "crop":
            return ImageOps.fit(image, size, method)
        case "stretch":
            return image.resize(size, method)
        case "pad":
            return ImageOps.pad(image, size, method)
