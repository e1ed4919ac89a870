"""Settings that an older qkvae wrote, as they are said now: a run of any released version loads for ever.

Format 1 wrote every setting with its value, those without effect too, which are now refused; for a time a
``bpe_dropout`` that was not asked for was null, and what a vae reads of pictures stood in its ``data``.
Format 2 had no ``conv_size``, format 3 none of models of grids: such a model has no convolution, whatever is
usual now.  For a time, in format 4 too, a stem's step of an odd stride read no more places than its stride.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from torch import Tensor

    from qkvae.config import ModelConfig

# Where a group stands, its setting, and what another setting of the group must be for it to have an effect.
_NEEDS: tuple[tuple[tuple[str, ...], str, str, tuple[object, ...]], ...] = (
    (("data",), "valid_fraction", "valid", ([],)),
    (("model", "block"), "base", "positions", ("sinusoidal", "rotary")),
    (("optimizer",), "momentum", "name", ("muon",)),
    (("optimizer",), "cooldown", "schedule", ("wsd",)),
)

_STEM = re.compile(r"(?:.*\.)?input\.patches\.steps\.(\d+)\.weight")
_OF_PICTURES = ("picture", "label", "folder", "size", "channels", "fit", "unreadable")


def brought_up_to_date(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a task as they are written now; what is no setting is left for the strict reader.

    >>> brought_up_to_date({"optimizer": {"schedule": "linear", "cooldown": 0.3, "lr": 0.1}})
    {'optimizer': {'schedule': 'linear', 'lr': 0.1}}
    >>> brought_up_to_date({"data": {"bpe_dropout": None}})
    {'data': {}}
    >>> brought_up_to_date({"data": {"ignore": [], "size": "28x28"}})
    {'data': {'ignore': [], 'pictures': {'size': '28x28'}}}
    >>> brought_up_to_date({"model": {"depth": 2, "biases": "all"}})
    {'model': {'depth': 2, 'biases': 'all', 'conv_size': 0}}
    """
    settings = copy.deepcopy(dict(settings))
    for path, name, deciding, values in _NEEDS:
        group = _group(settings, path)
        if deciding in group and group[deciding] not in values:
            group.pop(name, None)
    data = _group(settings, ("data",))
    if "ignore" in data and "size" in data:
        data["pictures"] = {name: data.pop(name) for name in _OF_PICTURES if name in data}
    model = _group(settings, ("model",))
    # A decoder or an encoder of tokens; a model that tells something of each grid.
    if "biases" in model or "segments" in model or ("patches" in model and "head" in model):
        model.setdefault("conv_size", 0)
    if "bpe_dropout" in data and data["bpe_dropout"] is None:
        del data["bpe_dropout"]
    return settings


def widened(tensors: Mapping[str, Tensor], model: ModelConfig) -> dict[str, Tensor]:
    """Weights, or what a training remembers of each, with kernels of odd strides s in stems as they are now.

    They had s places and have 2s - 1.  Both windows begin at the same place, so zeros behind give what was
    given before.
    """
    from torch.nn.functional import pad

    from qkvae.nn.patches import stem_steps

    wide, patches = dict(tensors), getattr(model, "patches", None)
    if patches is None or not any(map(_STEM.fullmatch, tensors)):
        return wide
    apart = 3 * (2 if patches.embedding == "deep-stem" else 1)  # from one step that shrinks to the next
    kernels = {apart * number: kernel for number, (_, kernel, _) in enumerate(stem_steps(patches.sides))}
    for name, tensor in tensors.items():
        found = _STEM.fullmatch(name)
        kernel = kernels.get(int(found[1])) if found else None
        if kernel is not None and tensor.ndim == 2 + len(kernel):
            missing = [now - then for now, then in zip(kernel, tensor.shape[2:], strict=True)]
            wide[name] = pad(tensor, [each for more in reversed(missing) for each in (0, more)])
    return wide


def _group(settings: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    """The group of settings at a path; an empty one if there is none."""
    found: Any = settings
    for name in path:
        found = cast("dict[str, Any]", found).get(name) if isinstance(found, dict) else None
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
