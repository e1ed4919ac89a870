"""From a Hugging Face folder to a run, and from a run to a Hugging Face folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from qkvae.config import TASKS, Classes, Encoder, GridFamily, nearest
from qkvae.data.labels import Labels
from qkvae.interop import huggingface
from qkvae.run import CARD, Run
from qkvae.run.place import require_free
from qkvae.tasks import find_answerer
from qkvae.train.base import Base, configured, fitted, is_foreign, read_base

FORMATS = ("huggingface",)
"""What a run can be exported to."""


def import_folder(folder: str | Path, out: str | Path, overwrite: bool = False) -> Run:
    """A Hugging Face folder as a run: the same weights, the same tokenizer, ready to be used.

    Raises:
        ValueError: the folder holds no Hugging Face model, or one that cannot be read; ``out`` holds a run.
        FileNotFoundError: there is no such folder.
    """
    folder, out = Path(folder), Path(out)
    if not is_foreign(folder):
        raise ValueError(f"{folder} holds no Hugging Face model: give a folder with its config.json")
    require_free(out, overwrite)
    base = read_base(folder)
    if base.tokenizer is None:
        raise ValueError(
            f"{folder} is {base.what}, which tells of no data to read: begin a training from it, with --from"
        )
    config, passport = configured(task_of(base), base, {}), dict[str, Any]()
    model = replace(fitted(base, config.model), max_length=base.settings.max_length)
    if isinstance(model, Encoder) and isinstance(model.head, Classes):
        passport["labels"] = Labels(kind="one", names=_labels(folder, model.head.count)).to_dict()
    resolved = {"from": base.record(), "command": f"qkvae import {folder}", "licence": None}
    config = replace(config, model=model)
    run = Run.create(out, task_of(base), config, overwrite, resolved)
    run.save_tokenizer(base.tokenizer)
    run.save_passport({"training": {}, "from": base.record(), **passport})
    run.save_model(base.state)
    run.save_text(CARD, f"# {out.name}\n\nThe weights of {base.what}, {folder.as_posix()}, as they are.\n")
    return run


def task_of(base: Base) -> str:
    """The task whose model has this architecture and ends in this head.

    Raises:
        ValueError: there is none.
    """
    for name, kind in TASKS.items():
        usual: Any = kind().model
        if type(usual) is not type(base.settings):
            continue
        if not isinstance(usual, Encoder) or type(usual.head) is type(getattr(base.settings, "head", None)):
            return name
    raise ValueError(f"{base.path} is {base.what}, for which there is no task")


def _labels(folder: Path, count: int) -> tuple[str, ...]:
    names: dict[str, Any] = huggingface.read_config(folder).get("id2label") or {}
    return tuple(str(names.get(str(number), f"LABEL_{number}")) for number in range(count))


def export(run: str | Path, out: str | Path, to: str = "huggingface", shape: str | None = None) -> Path:
    """Write a run as others read it: ``AutoModel….from_pretrained(out)`` gives the same logits, and
    ``AutoTokenizer.from_pretrained(out)`` the same ids.

    Args:
        to: one of `FORMATS`.
        shape: gpt2, llama, bert, roberta or marian; as the run was read, or by its family, if not given.

    Raises:
        ValueError: the format or the shape is unknown, or lacks a part of the model; it is named.
        FileExistsError: ``out`` holds files already.
    """
    if to not in FORMATS:
        raise ValueError(f'"{to}" is no format: {nearest(to, FORMATS)}')
    opened, out = Run.open(run), Path(out)
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: give another folder")
    model = find_answerer(opened).model
    begun = str(opened.resolved.get("from", {}).get("what", ""))
    known = begun.removeprefix("a Hugging Face folder of ") if begun.startswith("a Hugging") else None
    keep: dict[str, Any] = {}
    if "labels" in opened.passport and (names := Labels.from_dict(opened.passport["labels"]).names):
        keep = huggingface.labelled(names)
    huggingface.write(model, out, shape or known, keep=keep)
    if not isinstance(opened.config.model, GridFamily):
        huggingface.write_tokenizer(opened.tokenizer, out, opened.config.model)
    return out
