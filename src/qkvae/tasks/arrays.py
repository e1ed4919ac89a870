"""Arrays that a use of a run writes: to a pipe, or to a file in NumPy's formats or Parquet."""

from __future__ import annotations

import importlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from numpy.lib import format as npy

from qkvae.config import nearest
from qkvae.config.names import as_typed, many
from qkvae.run.atomic import replacing
from qkvae.run.place import require_file_place
from qkvae.tasks.uses import Output

SUFFIXES = (".npy", ".npz", ".parquet")


def refuse_output(out: Path | None, fitting: Sequence[str], noun: str, output: Output) -> None:
    """Refuse what cannot be shown where it would be shown, or written as it is called.

    Raises:
        ValueError: bytes would be shown to a person, or the file's name says no known format.
        FileNotFoundError, IsADirectoryError: the file's folder is not there, or it is a folder.
    """
    if out is not None:
        if output.json:
            lines = as_typed(Path(out.stem + ".jsonl"))
            raise ValueError(f"--json and --out {out} exclude each other: --json > {lines}")
        if out.suffix not in fitting:
            known = nearest(out.suffix, fitting)
            raise ValueError(f'--out {out} ends in "{out.suffix}", which is no format for {noun}s: {known}')
        require_file_place(out, "--out")
    elif not output.json and output.binary() is None:
        raise ValueError(
            f"vectors are binary and no text for a terminal: add > vectors{fitting[0]}, "
            f"--out vectors{fitting[0]} or --json"
        )


def write_arrays(tables: dict[str, Any], out: Path | None, output: Output) -> None:
    """All of it into ``out``, whole or not at all, or to where bytes go."""
    if out is None:
        stream = output.binary()
        assert stream is not None
        _write_numpy(tables, stream, ".npz" if "line" in tables else ".npy")
        return
    with replacing(out) as temporary:
        if out.suffix == ".parquet":
            _write_parquet(tables, temporary)
        else:
            with temporary.open("wb") as stream:
                _write_numpy(tables, stream, out.suffix)
    count, dim = tables["vectors"].shape
    output.say(f"{many(count, 'vector')} of {dim} numbers in {out}")


def _write_numpy(tables: dict[str, Any], stream: io.BufferedIOBase, suffix: str) -> None:
    """NumPy's formats: one array, or a zip of arrays by name.  Nothing is pickled."""
    if suffix == ".npy":
        npy.write_array(stream, tables["vectors"], allow_pickle=False)
        return
    with zipfile.ZipFile(stream, "w") as archive:
        for name, table in tables.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                npy.write_array(member, table, allow_pickle=False)


def _write_parquet(tables: dict[str, Any], path: Path) -> None:
    """A table with a row for each vector.

    Raises:
        ValueError: the extra ``data`` is not installed.
    """
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ValueError('.parquet needs the extra data: pip install "qkvae[data]"') from error
    vectors = tables["vectors"]
    columns: dict[str, Any] = {name: arrow.array(each) for name, each in tables.items() if name != "vectors"}
    columns["vector"] = arrow.FixedSizeListArray.from_arrays(arrow.array(vectors.ravel()), vectors.shape[1])
    parquet.write_table(arrow.table(columns), path)
