"""``qkvae train TASK`` and ``qkvae resume``."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from qkvae.cli.flags import Settings, assign, flags_of, group, overlay, paths_help, with_flags
from qkvae.cli.recipe import Recipe, read_recipe
from qkvae.cli.terminal import as_epilogue, put, say
from qkvae.config import TASKS, from_dict
from qkvae.config.examples import TRAINING, TRIAL
from qkvae.config.names import as_typed

STOPPED = 130


def _train(
    task: str,
    /,
    *data: str,
    config: Path | None = None,
    out: Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
    base: Annotated[Path | None, Parameter(name="--from")] = None,
    replay: Path | None = None,
    licence: str | None = None,
    settings: Settings,
) -> int:
    """Train.

    Parameters
    ----------
    data
        {paths}
    config
        A recipe (TOML); what is typed here wins over it.
    out
        Folder of the run; runs/TASK-DATE if not given.
    overwrite
        Replace the run that --out holds.
    quiet
        Say nothing but errors.
    base
        A run, or a Hugging Face folder (GPT-2, Llama, BERT, RoBERTa, Marian, ViT, ViTMAE), to begin from: its
        weights, tokenizer and architecture are taken.
    replay
        Take every change of plan from the log of this run, so that it is repeated bit for bit.
    licence
        Licence of the data, for the model card.
    """
    recipe = read_recipe(config, task) if config else Recipe(settings={})
    asked: Any = combine(data, settings, recipe.settings)
    if base is None:  # what is wrong is said at once, and with --from when it is known what it may be
        asked = from_dict(TASKS[task], asked)
    from qkvae import api

    train = partial(api.train, task, asked, overwrite=overwrite, quiet=quiet, replay=replay)
    folder = out or _free_folder(task)
    return _finish(folder, quiet, lambda: train(out=folder, base=base, licence=licence or recipe.licence))


def _command(task: str) -> Callable[..., int]:
    """The function behind ``qkvae train TASK``."""
    command = with_flags(partial(_train, task), flags_of(TASKS[task]))
    command.__doc__ = (_train.__doc__ or "").replace("{paths}", paths_help(task))
    return command


def combine(data: tuple[str, ...], typed: Settings, recipe: Settings) -> Settings:
    """What was typed over what the recipe says.

    A typed length (--minutes, --steps) replaces the recipe's whichever it is, and typed DATA replaces the
    recipe's validation data too, which belong to its own.
    """
    typed_data, recipe_data = group(typed, "data"), dict(group(recipe, "data"))
    recipe_training = dict(group(recipe, "training"))
    if {"minutes", "steps"} & group(typed, "training").keys():
        recipe_training = {k: v for k, v in recipe_training.items() if k not in ("minutes", "steps")}
    valid, paths = tuple(typed_data.get("valid", ())), data or tuple(recipe_data.get("paths", ()))
    if valid and not paths and len(valid) % 2 == 0:
        half = len(valid) // 2  # --valid a b c d: as many for it as are left for DATA
        valid, data = valid[:half], valid[half:]
        paths = data
    if data and recipe_data.pop("valid", None) and not valid:
        say("the recipe's validation data are left out, because DATA replaces the data they belong to")
    under = {**recipe, "data": recipe_data, "training": recipe_training}
    merged = overlay(under, typed)
    if data:
        assign(merged, ("data", "paths"), data)
    if valid:
        assign(merged, ("data", "valid"), valid)
    return merged


def resume(run: Path, /, *, quiet: bool = False) -> int:
    """Go on with a run that was interrupted.

    Parameters
    ----------
    run
        Folder of the run.
    quiet
        Say nothing but errors.
    """
    from qkvae import api

    return _finish(run, quiet, lambda: api.resume(run, quiet=quiet))


def _finish(folder: Path, quiet: bool, work: Callable[[], Any]) -> int:
    """Do the work; after it, or after Ctrl-C, say what to do next."""
    try:
        run = work().run
    except KeyboardInterrupt:
        if (folder / "config.json").exists():
            say(f"\nstopped; go on with: qkvae resume {as_typed(folder)}")
        else:
            say("\nstopped before the run began; nothing was written")
        return STOPPED
    if not quiet:
        trial = TRIAL.get(run.task, '"…"')
        say(f"try it: qkvae use {as_typed(folder)} {trial}   see it: {folder / 'report.html'}")
    put(str(folder))
    return 0


def _free_folder(task: str) -> Path:
    """``runs/TASK-DATE``, with a number when there is one already."""
    name = f"{task}-{datetime.date.today().isoformat()}"
    folder, number = Path("runs") / name, 1
    while folder.exists():
        number += 1
        folder = Path("runs") / f"{name}-{number}"
    return folder


def _app() -> App:
    tasks = App(name="train", help_epilogue="Every task has its own help: qkvae train translation --help")
    for task, kind in TASKS.items():
        sentence = (kind.__doc__ or "").strip().split("\n")[0]
        tasks.command(
            _command(task), name=task, help=sentence, help_epilogue=as_epilogue(TRAINING.get(task, ""))
        )
    return tasks


app = _app()
