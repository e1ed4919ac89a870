"""From a Hugging Face folder to a run, and from a run to a Hugging Face folder."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

from qkvae.config import TASKS, Classes, Encoder, Family, GridFamily, MaskedImage, Vision, nearest
from qkvae.data.labels import Labels
from qkvae.interop import huggingface
from qkvae.run import CARD, Run
from qkvae.run.place import require_free
from qkvae.tasks import find_answerer
from qkvae.tasks.grids import run_format, settled_data
from qkvae.train.base import Base, is_foreign, read_base
from qkvae.train.base_settings import configured, fitted

FORMATS = ("huggingface",)
"""What a run can be exported to."""

_SEVERAL = "multi_label_classification"


def import_folder(folder: str | Path, out: str | Path, overwrite: bool = False) -> Run:
    """A Hugging Face folder as a run: the same weights, the same tokenizer or way to read pictures, ready to
    be used.

    Raises:
        ValueError: the folder holds no Hugging Face model, or one that cannot be read; ``out`` holds a run.
        FileNotFoundError: there is no such folder, or it does not say how pictures are read.
    """
    folder, out = Path(folder), Path(out)
    if not is_foreign(folder):
        raise ValueError(f"{folder} holds no Hugging Face model: give a folder with its config.json")
    require_free(out, overwrite)
    base = read_base(folder)
    known = _of_pictures(folder, base) if isinstance(base.settings, GridFamily) else _of_texts(folder, base)
    config, passport = known
    command = shlex.join(["qkvae", "import", str(folder), "--out", str(out)])
    resolved = {"from": base.record(), "command": command, "licence": None}
    run = Run.create(out, task_of(base), config, overwrite, resolved)
    if base.tokenizer is not None:
        run.save_tokenizer(base.tokenizer)
    run.save_passport({"training": {}, "from": base.record(), **passport})
    run.save_model(base.state)
    run.save_text(CARD, f"# {out.name}\n\nThe weights of {base.what}, {folder.as_posix()}, as they are.\n")
    return run


def _of_texts(folder: Path, base: Base) -> tuple[Any, dict[str, Any]]:
    """The config of a run that reads texts, and what it knows of its data."""
    config, passport = configured(task_of(base), base, {}), dict[str, Any]()
    model = replace(fitted(base, config.model), max_length=base.settings.max_length)
    if isinstance(model, Encoder) and isinstance(model.head, Classes):
        passport["labels"] = _labels(folder, model.head.count).to_dict()
    return replace(config, model=model), passport


def _of_pictures(folder: Path, base: Base) -> tuple[Any, dict[str, Any]]:
    """Likewise of a run that reads pictures."""
    settings, task = base.settings, task_of(base)
    patches = settings.patches
    form, fit = huggingface.read_processor(folder, patches.size, patches.channels)
    config = configured(task, base, {})
    config = replace(config, data=replace(settled_data(config.data, form), fit=fit), model=settings)
    passport = {"format": form.to_dict()}
    if isinstance(settings, MaskedImage):
        seen = 1 - float(huggingface.read_config(folder).get("mask_ratio", 0.75))
        return replace(config, learning=replace(config.learning, seen=seen)), passport
    return config, {**passport, "labels": _labels(folder, settings.head.count).to_dict()}


def task_of(base: Base) -> str:
    """The task whose model has this architecture and ends in this head.

    Raises:
        ValueError: there is none.
    """
    for name, kind in TASKS.items():
        usual: Any = kind().model
        if type(usual) is not type(base.settings):
            continue
        headed = isinstance(usual, Encoder | Vision)
        if not headed or type(usual.head) is type(getattr(base.settings, "head", None)):
            return name
    raise ValueError(f"{base.path} is {base.what}, for which there is no task")


def _labels(folder: Path, count: int) -> Labels:
    told = huggingface.read_config(folder)
    names: dict[str, Any] = told.get("id2label") or {}
    return Labels(
        kind="several" if told.get("problem_type") == _SEVERAL else "one",
        names=tuple(str(names.get(str(number), f"LABEL_{number}")) for number in range(count)),
    )


def export(run: str | Path, out: str | Path, to: str = "huggingface", shape: str | None = None) -> Path:
    """Write a run as others read it: ``AutoModel….from_pretrained(out)`` gives the same logits, and
    ``AutoTokenizer.from_pretrained(out)`` the same ids, or ``AutoImageProcessor`` the same pictures.

    Args:
        to: one of `FORMATS`.
        shape: gpt2, llama, bert, roberta, marian, vit or vit_mae; as the run was read, or by its family, if
            not given.

    Raises:
        ValueError: the format or the shape is unknown, or lacks a part of the model; it is named.
        FileExistsError: ``out`` holds files already.
    """
    if to not in FORMATS:
        raise ValueError(f'"{to}" is no format: {nearest(to, FORMATS)}')
    opened, out = Run.open(run), Path(out)
    if out.exists() and any(out.iterdir()):
        raise FileExistsError(f"{out} is not empty: give another folder")
    config = opened.config
    if not isinstance(config.model, Family | GridFamily):
        raise ValueError(f"a run of {opened.task} cannot be exported: {to} knows no such models")
    model = find_answerer(opened).model
    keep: dict[str, Any] = {}
    if "labels" in opened.passport and (labels := Labels.from_dict(opened.passport["labels"])).names:
        keep = huggingface.labelled(labels.names)
        keep |= {"problem_type": _SEVERAL} if labels.kind == "several" else {}
    if isinstance(config.model, GridFamily):
        if isinstance(config.model, MaskedImage):
            keep["mask_ratio"] = 1 - config.learning.seen
        huggingface.write(model, out, shape, keep=keep)
        huggingface.write_processor(out, run_format(opened), config.data.fit)
        return out
    begun = str(opened.resolved.get("from", {}).get("what", ""))
    known = begun.removeprefix("a Hugging Face folder of ") if begun.startswith("a Hugging") else None
    huggingface.write(model, out, shape or known, keep=keep)
    huggingface.write_tokenizer(opened.tokenizer, out, config.model)
    return out
