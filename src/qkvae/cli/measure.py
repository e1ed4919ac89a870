"""``qkvae eval``, ``qkvae compare`` and ``qkvae prove``: what a run is worth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qkvae.cli.flags import Settings, flags_of, with_flags
from qkvae.cli.terminal import put, put_document, require_data, say_working
from qkvae.config.generation import Precision


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where in a table the examples are."""

    source: str | None = None
    """Column of the sentences to translate, by name or by number from 0."""

    target: str | None = None
    """Column of their translations."""

    text: str | None = None
    """Column of the text."""

    pair: str | None = None
    """Column of a second text that goes with it."""

    label: str | None = None
    """Column of its label, or name of the labels' array in an .npz."""

    picture: str | None = None
    """Column of the pictures, or name of their array in an .npz."""

    folder: str | None = None
    """Folder that the paths in a table start from."""


@dataclass(frozen=True, kw_only=True)
class Measuring(Columns):
    """How examples are measured, beside where they are."""

    precision: Precision | None = None
    """Products by which is measured: fp32, bf16, int8 or int4, as for `use` (translation, text-generation);
    those of the run if not given, of a language model fp32."""

    samples: int | None = None
    """Draws of the latents by which ln p(x) is estimated (vae); those of the run if not given."""


def _evaluate(
    run: Path, /, *data: str, json: bool = False, report: Path | None = None, settings: Settings
) -> int:
    """Measure a run on data with known answers.

    Parameters
    ----------
    run
        Folder of the run.
    data
        As for training on the run's task: files, tables, folders, or the name of a data set.
    json
        One JSON document instead of a table.
    report
        A page to write as well, of labelled pictures, signals and clips: confusions, the most confident
        mistakes, calibration.
    """
    from qkvae import api

    require_data(data)
    say_working(f"measuring {run} on {' and '.join(data)}")
    put_document(api.load(run).evaluate(data, report, **settings), json)
    return 0


def _compare(run: Path, other: Path, /, *data: str, json: bool = False, settings: Settings) -> int:
    """Say whether one of two runs is better, by a paired bootstrap over the same data.

    Parameters
    ----------
    run
        Folder of one run.
    other
        Folder of the other.
    data
        As for training on the run's task: files, tables, folders, or the name of a data set.
    json
        One JSON document instead of a table.
    """
    from qkvae import api

    require_data(data)
    say_working(f"measuring {run} and {other} on {' and '.join(data)}")
    put_document(api.compare(run, other, data, **settings), json)
    return 0


evaluate = with_flags(_evaluate, flags_of(Measuring))
compare = with_flags(_compare, flags_of(Columns))


def prove(run: Path, /) -> int:
    """Check the invariances every correct model keeps: batch = single, cached = uncached, no look-ahead, …

    Parameters
    ----------
    run
        Folder of the run.
    """
    from qkvae import api

    say_working(f"proving {run}")
    held = True
    for row in api.load(run).prove():
        put(f"{'holds' if row.holds else 'FAILS'}  {row.name}: {row.detail}")
        held = held and row.holds
    return 0 if held else 1
