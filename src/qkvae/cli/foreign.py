"""``qkvae import FOLDER`` and ``qkvae export RUN``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from qkvae.cli.terminal import put, say
from qkvae.config.examples import TRIAL
from qkvae.config.names import as_typed


def import_(folder: Path, /, *, out: Path, overwrite: bool = False) -> int:
    """Make a run of a Hugging Face folder: the same weights, and its tokenizer or how it reads pictures.

    Parameters
    ----------
    folder
        The folder, with its config.json, safetensors, and tokenizer or preprocessor_config.json.
    out
        Folder of the run.
    overwrite
        Replace the run that --out holds.
    """
    from qkvae.tasks.foreign import import_folder

    run = import_folder(folder, out, overwrite)
    trial = TRIAL.get(run.task, '"…"')
    say(f"a run of {run.task}; try it: qkvae use {as_typed(out)} {trial}")
    put(str(out))
    return 0


def export(
    run: Path,
    out: Path,
    /,
    *,
    to: Literal["huggingface"] = "huggingface",
    shape: Literal["gpt2", "llama", "bert", "roberta", "marian", "vit", "vit_mae"] | None = None,
) -> int:
    """Write a run as others read it.

    Parameters
    ----------
    run
        Folder of the run.
    out
        Folder to write; new or empty.
    to
        The format: huggingface is what transformers' from_pretrained loads.
    shape
        Which architecture it is written as; that it was read as, or that of its family, if not given.
    """
    from qkvae.tasks.foreign import export as written

    put(str(written(run, out, to, shape)))
    return 0
