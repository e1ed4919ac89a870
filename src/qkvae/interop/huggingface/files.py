"""Folders of Hugging Face models: a config in JSON and weights in safetensors, nothing that could run."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file  # pyright: ignore[reportUnknownVariableType]
from torch import Tensor

State = dict[str, Tensor]
"""Weights by name."""


def read_config(folder: Path) -> dict[str, Any]:
    """The content of ``config.json``.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is no JSON object.
    """
    path = folder / "config.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist: {folder} is no folder of a Hugging Face model")
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is no JSON ({error}): copy the folder anew") from None
    if not isinstance(settings, dict):
        raise ValueError(f"{path} holds no settings: copy the folder anew")
    return settings  # pyright: ignore[reportUnknownVariableType]


def read_weights(folder: Path) -> State:
    """All tensors of a folder, in one file or several, in fp32.

    Raises:
        FileNotFoundError: there is no safetensors file.
        ValueError: one is damaged.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise FileNotFoundError(
            f"{folder} holds no .safetensors file: a .bin file may run a program when it is loaded, so save "
            "the model anew with transformers' save_pretrained"
        )
    try:
        return {name: tensor.float() for path in files for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise ValueError(f"{folder}: its .safetensors are damaged ({error}): copy the folder anew") from None


def write_files(folder: Path, settings: Mapping[str, Any], state: State) -> None:
    """``config.json`` and ``model.safetensors``; a tensor of several names is written under each."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    own = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in state.items()}
    weights = folder / "model.safetensors"
    save_file(own, weights, {"format": "pt"})
    shutil.copymode(folder / "config.json", weights)  # which safetensors writes for its owner alone
