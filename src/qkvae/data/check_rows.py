"""What is odd about a table of numbers and categories, before a training is spent on it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qkvae.data.findings import Example, Finding, Places, Report, short
from qkvae.data.mixed_table import MixedTable, numbers
from qkvae.data.pairs import EXAMPLES
from qkvae.data.table_scaling import TableScaling

ADVICE = {
    "duplicates": "They weigh more than once; drop them if that is not meant.",
    "leaks": "They stand in train too, so the score flatters: take them out.",
    "missing": "Half of the column or more is empty: leave it out, or find its values.",
    "far out": "More than 10 deviations from the mean: a wrong unit or decimal point, or what is sought.",
    "unseen": "Train does not have these values: each is read as one that was never seen.",
}
"""The kinds of finding, and what to do about each."""

FAR = 10.0
"""Deviations from the mean of a column beyond which a number is looked at."""


def check_rows(train: MixedTable, valid: MixedTable | None = None) -> Report:
    """Look for what spoils a training; nothing is changed.

    Kinds of finding: ``duplicates``, ``leaks`` (valid rows that stand in train), ``missing`` (columns that
    are mostly empty), ``far out`` (numbers) and ``unseen`` (categories of valid).  Remarks tell the columns.

    Raises:
        ValueError: what `TableScaling.decide` and `TableScaling.scale` raise.

    >>> table = MixedTable({"age": ["1", "3", "3"], "town": ["Turin", "Pisa", "Pisa"]})
    >>> [(each.kind, each.count) for each in check_rows(table).findings]
    [('duplicates', 1)]
    """
    scaling = TableScaling.decide(train)
    hashes = train.hashes()
    _, first = np.unique(hashes, return_index=True)
    again = np.setdiff1d(np.arange(len(train)), first)
    findings = [*_finding("duplicates", "train", train, again)]
    parts = {"train": train} if valid is None else {"train": train, "valid": valid}
    for part, table in parts.items():
        findings += _of_columns(part, table, scaling)
    if valid is not None:
        findings += _finding("leaks", "valid", valid, np.flatnonzero(np.isin(valid.hashes(), hashes)))
    notes = (*(note for table in parts.values() for note in table.notes), *scaling.notes)
    kinds = ", ".join(
        f"{column.name} ({column.mean:.4g} ± {column.std:.4g})"
        if column.kind == "number"
        else f"{column.name} ({len(column.categories)} values)"
        for column in scaling.columns
    )
    return Report(len(train), len(valid or ()), tuple(findings), notes, (f"columns: {kinds}",), noun="row")


def _of_columns(part: str, table: MixedTable, scaling: TableScaling) -> Iterator[Finding]:
    rows = scaling.scale(table)
    for place, column in enumerate(scaling.numeric):
        gone = np.flatnonzero(~rows.known[:, place])
        if 2 * len(gone) >= len(table):
            yield from _finding("missing", part, table, gone, f'Column "{column.name}"')
        values = numbers(table, column.name)
        far = np.flatnonzero(np.abs(values - column.mean) > FAR * column.std)
        yield from _finding("far out", part, table, far, f'Column "{column.name}"', column.name)
    for place, column in enumerate(scaling.categorical):
        gone = np.flatnonzero(rows.codes[:, place] < 0)
        if 2 * len(gone) >= len(table):
            yield from _finding("missing", part, table, gone, f'Column "{column.name}"')
        unseen = np.flatnonzero(rows.codes[:, place] == len(column.categories))
        yield from _finding("unseen", part, table, unseen, f'Column "{column.name}"', column.name)


def _finding(
    kind: str, part: str, table: MixedTable, places: Places, detail: str = "", column: str | None = None
) -> Iterator[Finding]:
    if len(places):
        examples = tuple(
            Example(place + 1, short(table.where(place)), _shown(table, place, column))
            for place in map(int, places[:EXAMPLES])
        )
        share = len(places) / len(table)
        yield Finding(kind, part, len(places), share, ADVICE[kind], detail, examples, noun="row")


def _shown(table: MixedTable, place: int, column: str | None) -> str:
    names = list(table.columns) if column is None else [column]
    return short(", ".join(f"{name} {table.columns[name][place] or 'missing'}" for name in names))
