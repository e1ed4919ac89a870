"""``preprocessor_config.json`` of a Hugging Face folder: how a picture becomes what the model reads.

Theirs is x = (v · factor − mean) / std of the numbers v from 0 to 255, ours x = (v / 255 − mean) / std.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from qkvae.config.names import many
from qkvae.data.picture_decoding import Fit
from qkvae.data.picture_format import PictureFormat

PROCESSOR = "preprocessor_config.json"

_LANCZOS = 1  # Pillow's number of it
_WHITE = 255.0


def read_processor(folder: Path | str, size: tuple[int, ...], channels: int) -> tuple[PictureFormat, Fit]:
    """What pictures are brought to before the model of a folder reads them, and how.

    Args:
        size: height and width that the model reads.
        channels: those it reads.

    Raises:
        FileNotFoundError: the folder does not say.
        ValueError: what it says is damaged, or is not for a model of this size or these channels.
    """
    path = Path(folder) / PROCESSOR
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} does not exist, which says how pictures are brought to the model: copy it too"
        )
    try:
        told = cast("dict[str, Any]", json.loads(path.read_text(encoding="utf-8")))
        unit = _WHITE * (told.get("rescale_factor", 1 / _WHITE) if told.get("do_rescale", True) else 1.0)
        normalised: bool = told.get("do_normalize", True)
        mean = told["image_mean"] if normalised else [0.0] * channels
        std = told["image_std"] if normalised else [1.0] * channels
        form = PictureFormat(
            size, channels, _WHITE, tuple(each / unit for each in mean), tuple(each / unit for each in std)
        )
        cuts: bool = told.get("do_center_crop", False)
        resized: bool = cuts or told.get("do_resize", True)
        brought = _size(told["crop_size" if cuts else "size"]) if resized else size
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path} is damaged ({type(error).__name__} {error}): copy it anew") from None
    if brought != size:
        by = (" × ".join(map(str, each)) for each in (brought, size))
        raise ValueError("{}: pictures become {}, but the model reads {}: copy both anew".format(path, *by))
    if {len(form.mean), len(form.std)} != {channels}:
        raise ValueError(
            f"{path}: image_mean has {many(len(mean), 'channel')}, but the model reads {channels}"
        )
    return form, "crop" if cuts else "stretch"


def write_processor(folder: Path | str, form: PictureFormat, fit: Fit) -> None:
    """Write it, so that ``AutoImageProcessor.from_pretrained(folder)`` makes what the model reads.

    Pictures of another shape are cut or stretched as the run does.  Where theirs can do neither (a rectangle
    that is cut, bars that are added), they are not resized, and pictures must have the run's size.
    """
    height, width = form.size
    told: dict[str, Any] = {
        "image_processor_type": "ViTImageProcessor",
        "do_convert_rgb": form.channels == 3,
        "do_resize": False,
        "do_rescale": not form.beyond,
        "rescale_factor": 1 / _WHITE,
        "do_normalize": True,
        "image_mean": list(form.mean),
        "image_std": list(form.std),
        "resample": _LANCZOS,
        "size": {"height": height, "width": width},
    }
    if fit == "stretch":
        told |= {"do_resize": True}
    elif fit == "crop" and height == width:
        told |= {
            "image_processor_type": "CLIPImageProcessor",
            "do_resize": True,
            "size": {"shortest_edge": height},
            "do_center_crop": True,
            "crop_size": {"height": height, "width": width},
        }
    (Path(folder) / PROCESSOR).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _size(told: Any) -> tuple[int, ...]:
    """One number or two, however they are written.

    >>> _size(8), _size({"height": 8, "width": 6}), _size({"shortest_edge": 8})
    ((8, 8), (8, 6), (8, 8))
    """
    if isinstance(told, int):
        return told, told
    return (told["shortest_edge"],) * 2 if "shortest_edge" in told else (told["height"], told["width"])
