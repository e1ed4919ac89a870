"""A model's weights in a file that remembers which model they are of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from qkvae.config import ModelConfig, differences, from_dict, to_dict
from qkvae.run.errors import DamagedPart, Mismatch
from qkvae.run.older import brought_up_to_date, widened
from qkvae.run.tensors import read_tensors, write_tensors

if TYPE_CHECKING:
    from torch import Tensor, nn


def write_weights(path: Path, state: Mapping[str, Tensor], config: ModelConfig) -> None:
    """Write weights atomically, with the settings of their model.

    Raises:
        StorageError: the disk refused; the old file stays.
    """
    write_tensors(path, state, {"model": json.dumps(to_dict(config), sort_keys=True)})


def read_weights(path: Path, config: ModelConfig) -> dict[str, Tensor]:
    """The weights that were written for a model of these settings.

    Raises:
        MissingPart: there is no such file.
        DamagedPart: its content is not what was written.
        Mismatch: they are of a model with other settings.
    """
    state, metadata = read_tensors(path)
    if "model" not in metadata:
        raise DamagedPart(f"{path} holds no model's weights: copy the run's own file back")
    settings = brought_up_to_date({"model": json.loads(metadata["model"])})["model"]
    written = from_dict(type(config), settings)
    if written != config:
        name, there, here = next(differences(to_dict(written), to_dict(config)))
        raise Mismatch(
            f"{path} holds a model with {name} {there}, but the run's config.json says {here}: "
            "put both files back as they were"
        )
    return widened(state, config)


def load_weights(model: nn.Module, state: Mapping[str, Tensor], path: Path) -> None:
    """Give a model its weights, every one of them; ``path`` is where they came from, for the message.

    Raises:
        Mismatch: a weight is missing, is not one of the model's, or has another shape.
    """
    own = model.state_dict()
    for name in sorted(state.keys() | own.keys()):
        found, wanted = _shape(state.get(name)), _shape(own.get(name))
        if found != wanted:
            raise Mismatch(
                f"{path}: {name} is {found} there and {wanted} in the model: "
                "load it with the qkvae that wrote it, or put the run's own file back"
            )
    model.load_state_dict(state)


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
