"""``qkvae look`` and ``qkvae info``: see what is in a run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from qkvae.cli.terminal import put, put_document, say_working


def look(
    run: Path,
    input: str,
    /,
    *,
    out: Path = Path("look.html"),
    class_name: Annotated[str | None, Parameter(name="--class")] = None,
    block: int | None = None,
) -> int:
    """Write one self-contained page with what goes on inside for one input.

    Parameters
    ----------
    run
        Folder of the run.
    input
        What is answered: text, or the path of a picture, as the run reads.
    out
        The page to write; look.html if not given.
    class_name
        Class that the maps are for, of a classifier of pictures, signals or clips; what it tells if not
        given.
    block
        Block that Grad-CAM is taken from there, counted from 1; the last if not given.
    """
    from qkvae import api

    say_working("answering and drawing what goes on inside")
    put(str(api.load(run).look(input, out, class_name, block)))
    return 0


def info(run: Path, /, *, json: bool = False) -> int:
    """Say what a run is: task, settings, data, scores.

    Parameters
    ----------
    run
        Folder of the run.
    json
        One JSON document instead of a table.
    """
    from qkvae import api

    put_document(api.load(run).info(), json)
    return 0
