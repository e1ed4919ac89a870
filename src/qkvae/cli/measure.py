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
    json: bool = False,
) -> int:
    """Measure a run on data with known answers.

    Parameters
    ----------
    run
        Folder of the run.
    data
        Two aligned files, one table (.tsv .csv .jsonl .zip), or the name of a data set.
    source
        Column of the source sentences, by name or by number from 0.
    target
        Column of the target sentences, by name or by number from 0.
    json
        One JSON document instead of a table.
    """
    from qkvae import api

    require_data(data)
    say_working(f"translating {' and '.join(data)}")
    put_document(api.load(run).evaluate(data, source=source, target=target), json)
    return 0


def compare(
    run: Path,
    other: Path,
    /,
    *data: str,
    source: str | None = None,
    target: str | None = None,
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
        Two aligned files, one table (.tsv .csv .jsonl .zip), or the name of a data set.
    source
        Column of the source sentences, by name or by number from 0.
    target
        Column of the target sentences, by name or by number from 0.
    json
        One JSON document instead of a table.
    """
    from qkvae import api

    require_data(data)
    say_working(f"translating {' and '.join(data)} with {run} and with {other}")
    put_document(api.compare(run, other, data, source=source, target=target), json)
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
