"""``qkvae eval``, ``qkvae compare`` and ``qkvae prove``: what a run is worth."""

from __future__ import annotations

from pathlib import Path

from qkvae.cli.terminal import put, put_document, require_data, say_working


def evaluate(
    run: Path,
    /,
    *data: str,
    source: str | None = None,
    target: str | None = None,
    text: str | None = None,
    pair: str | None = None,
    label: str | None = None,
    json: bool = False,
) -> int:
    """Measure a run on data with known answers.

    Parameters
    ----------
    run
        Folder of the run.
    data
        As for training on the run's task: files, tables, folders, or the name of a data set.
    source, target
        Columns of the sentences to translate and of their translations, by name or by number from 0.
    text, pair, label
        Columns of the text, of a second text that goes with it, and of its label.
    json
        One JSON document instead of a table.
    """
    from qkvae import api

    require_data(data)
    say_working(f"measuring {run} on {' and '.join(data)}")
    columns = _given(source=source, target=target, text=text, pair=pair, label=label)
    put_document(api.load(run).evaluate(data, **columns), json)
    return 0


def compare(
    run: Path,
    other: Path,
    /,
    *data: str,
    source: str | None = None,
    target: str | None = None,
    text: str | None = None,
    pair: str | None = None,
    label: str | None = None,
    json: bool = False,
) -> int:
    """Say whether one of two runs is better, by a paired bootstrap over the same data.

    Parameters
    ----------
    run
        Folder of one run.
    other
        Folder of the other.
    data
        As for training on the run's task: files, tables, folders, or the name of a data set.
    source, target
        Columns of the sentences to translate and of their translations, by name or by number from 0.
    text, pair, label
        Columns of the text, of a second text that goes with it, and of its label.
    json
        One JSON document instead of a table.
    """
    from qkvae import api

    require_data(data)
    say_working(f"measuring {run} and {other} on {' and '.join(data)}")
    columns = _given(source=source, target=target, text=text, pair=pair, label=label)
    put_document(api.compare(run, other, data, **columns), json)
    return 0


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


def _given(**columns: str | None) -> dict[str, str]:
    """The columns that were typed."""
    return {name: column for name, column in columns.items() if column is not None}
