"""Sentence pairs from a Hugging Face data set: by name, or from a folder in its format."""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from qkvae.data.files import locate
from qkvae.data.pairs import Tally
from qkvae.data.tables import Row, named_columns, unfolded

_LANGUAGE = r"[A-Za-z]{2,3}(?:_[A-Za-z]{2,4})?"
_NAME = re.compile(rf"(?P<name>.+?):(?P<source>{_LANGUAGE})-(?P<target>{_LANGUAGE})(?::(?P<split>\w+))?")


def is_data_set(name: str) -> bool:
    """Whether this names a data set and its two languages: ``opus_books:en-it``, or ``…:en-it:validation``.

    >>> is_data_set("opus_books:en-it"), is_data_set("train.en"), is_data_set("my/folder:de-en:test")
    (True, False, True)
    """
    return _NAME.fullmatch(name) is not None


def data_set_rows(name: str, source: str | None, target: str | None, tally: Tally) -> Iterator[Row]:
    """The pairs of a data set, numbered from 1.

    ``NAME:SOURCE-TARGET[:SPLIT]`` takes the two languages of the ``translation`` feature
    (``{"translation": {"en": …, "it": …}}``) or two columns of these names; ``source`` and ``target`` name
    other columns.  NAME is a folder of .jsonl, .parquet … files (as given or under ``QKVAE_DATA``), or else a
    name on the hub, whose configuration is the pair of languages in either order.  SPLIT is ``train`` unless
    given.

    Raises:
        ValueError: the extra ``hf`` is not installed; the data set, its split or a column cannot be had.
    """
    match = _NAME.fullmatch(name)
    assert match is not None
    try:
        datasets = importlib.import_module("datasets")
    except ImportError as error:
        raise ValueError(
            f'{name} is a Hugging Face data set, which needs the extra hf: pip install "qkvae[hf]"'
        ) from error
    languages = (match["source"], match["target"])
    table = _load(datasets, match["name"], languages, match["split"] or "train")
    given = (source or languages[0], target or languages[1])
    columns: list[str] = []
    number = 0
    for batch in table.iter(batch_size=1000):
        keys = list(batch)
        for values in zip(*(batch[key] for key in keys), strict=True):
            number += 1
            cells = unfolded(dict(zip(keys, values, strict=True)))
            columns = columns or named_columns(cells, given, name, tally)
            yield number, cells.get(columns[0]) or "", cells.get(columns[1]) or ""


def _load(datasets: Any, name: str, languages: tuple[str, str], split: str) -> Any:
    try:
        folder: Path | None = locate(name)
    except FileNotFoundError:
        folder = None
    source, target = languages
    attempts = (
        [[str(folder)]] if folder else [[name, f"{source}-{target}"], [name, f"{target}-{source}"], [name]]
    )
    failures: list[str] = []
    for attempt in attempts:
        try:
            return datasets.load_dataset(*attempt, split=split)
        except Exception as error:  # the library raises dozens of kinds: hub, network, format, split
            failures.append(" ".join(str(error).split()))
    raise ValueError(f'data set "{":".join(attempts[0])}", split "{split}", cannot be read: {failures[0]}')
