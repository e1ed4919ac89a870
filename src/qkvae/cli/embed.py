"""``qkvae use RUN --embed`` and ``--neighbours``: vectors of the inputs, and what is nearest to them."""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from qkvae.cli.inputs import inputs
from qkvae.cli.terminal import put, say, to_json
from qkvae.config import nearest

if TYPE_CHECKING:
    from qkvae.tasks.embedder import Embedder

Level = Literal["sentence", "token"]

_SUFFIXES = (".npy", ".npz", ".parquet")


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was typed of vectors."""

    embed: bool = False
    neighbours: Path | None = None
    pool: str | None = None
    level: Level | None = None
    out: Path | None = None
    count: int | None = None

    def __post_init__(self) -> None:
        if self.embed and self.neighbours is not None:
            raise ValueError(
                f"--embed and --neighbours {self.neighbours} exclude each other: give one of them"
            )
        for name, needs, there in (
            ("level", "--embed", self.embed),
            ("out", "--embed", self.embed),
            ("count", "--neighbours", self.neighbours is not None),
            ("pool", "--embed or --neighbours", self),
        ):
            if getattr(self, name) is not None and not there:
                raise ValueError(
                    f"--{name} {getattr(self, name)} has no effect without {needs}: leave it out"
                )
        if self.level == "token" and self.pool is not None:
            raise ValueError(f"--pool {self.pool} has no effect with --level token: leave it out")
        if self.count is not None and self.count < 1:
            raise ValueError(f"--count is {self.count}, but must be at least 1")
        if self.neighbours is not None and not self.neighbours.is_file():
            raise FileNotFoundError(f"{self.neighbours} is no file")

    def __bool__(self) -> bool:
        return self.embed or self.neighbours is not None


def refuse_terminal(wanted: Wanted, json: bool) -> None:
    """Refuse what cannot be shown where it would be shown, or written as it is called.

    Raises:
        ValueError: binary data would go to a terminal, or the file's name says no known format.
    """
    level, out = wanted.level or "sentence", wanted.out
    if json and out is not None:
        raise ValueError(f"--json and --out {out} exclude each other: --json > {out.stem}.jsonl")
    if not wanted.embed or json:
        return
    fitting = _SUFFIXES if level == "sentence" else _SUFFIXES[1:]
    if out is not None and out.suffix not in fitting:
        known = nearest(out.suffix, fitting)
        raise ValueError(f'--out {out} ends in "{out.suffix}", which is no format for {level}s: {known}')
    if out is None and sys.stdout.isatty():
        name = "vectors.npy" if level == "sentence" else "vectors.npz"
        raise ValueError(
            f"vectors are binary and no text for a terminal: add > {name}, --out {name} or --json"
        )


def write_vectors(embedder: Embedder, groups: Iterable[list[str]], wanted: Wanted, json: bool) -> int:
    """The vectors of all inputs: as JSON lines, or all together in a file or on stdout."""
    texts, found, cut = list[str](), list[Any](), 0
    for lines in groups:
        if wanted.level == "token":
            vectors: list[Any] = embedder.tokens(lines)
            cut += sum(each.cut for each in vectors)
        else:
            matrix, was_cut = embedder.texts(lines, wanted.pool)
            vectors, cut = list(matrix), cut + int(was_cut.sum())
        if json:
            for line, each in zip(lines, vectors, strict=True):
                put(to_json(_record(line, each)))
        else:
            texts, found = [*texts, *lines], [*found, *vectors]
    if not json:
        _write(_tables(embedder, texts, found, wanted.level == "token"), wanted.out)
    if told := embedder.said_of(cut):
        say(f"note: {told}")
    return 0


def tell_neighbours(embedder: Embedder, groups: Iterable[list[str]], wanted: Wanted, json: bool) -> int:
    """For every input a line of its number, a cosine and a text of the file for each of the nearest."""
    assert wanted.neighbours is not None
    known = [line for lines in inputs((), wanted.neighbours) for line in lines if line.strip()]
    if not known:
        raise ValueError(f"{wanted.neighbours} holds no text: give one of a text per line")
    number, search = 0, embedder.index(known, wanted.pool)
    for lines in groups:
        for line, near in zip(lines, search(lines, wanted.count or 10), strict=True):
            number += 1
            if json:
                rows = [{"text": text, "score": score} for text, score in near]
                put(to_json({"source": line, "neighbours": rows}))
            for text, score in near if not json else ():
                put(f"{number}\t{score:.4f}\t{text}")
    return 0


def _record(line: str, vector: Any) -> dict[str, Any]:
    if hasattr(vector, "tokens"):
        return {"source": line, "tokens": vector.tokens, "vectors": vector.matrix.tolist()}
    return {"source": line, "vector": vector.tolist()}


def _tables(embedder: Embedder, texts: list[str], found: list[Any], tokens: bool) -> dict[str, Any]:
    """What is written, by name; every array has a row for each text, or for each token."""
    import numpy as np

    none = np.zeros((0, embedder.model.settings.block.dim), np.float32)
    if not tokens:
        return {"vectors": np.stack(found) if found else none, "text": np.array(texts, np.str_)}
    places = [place for each in found for place in each.places]
    return {
        "vectors": np.concatenate([none, *(each.matrix for each in found)]),
        "line": np.repeat(np.arange(len(found)), [len(each.tokens) for each in found]),
        "token": np.array([token for each in found for token in each.tokens], np.str_),
        "start": np.array([start for start, _ in places], np.int64),
        "end": np.array([end for _, end in places], np.int64),
    }


def _write(tables: dict[str, Any], out: Path | None) -> None:
    """All of it into ``out``, whole or not at all, or onto stdout."""
    if out is None:
        _write_arrays(
            tables, cast("io.BufferedIOBase", sys.stdout.buffer), ".npz" if "line" in tables else ".npy"
        )
        return
    from qkvae.run.atomic import replacing

    if not out.parent.is_dir():
        raise FileNotFoundError(f"{out.parent} is no folder: make it, or choose another --out")
    with replacing(out) as temporary:
        if out.suffix == ".parquet":
            _write_parquet(tables, temporary)
        else:
            with temporary.open("wb") as stream:
                _write_arrays(tables, stream, out.suffix)
    count, dim = tables["vectors"].shape
    say(f"{count:,} vector{'s' * (count != 1)} of {dim} numbers in {out}")


def _write_arrays(tables: dict[str, Any], stream: io.BufferedIOBase, suffix: str) -> None:
    """NumPy's formats: one array, or a zip of arrays by name.  Nothing is pickled."""
    from numpy.lib import format as npy

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
    import importlib

    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError as error:
        raise ValueError('.parquet needs the extra data: pip install "qkvae[data]"') from error
    vectors = tables["vectors"]
    columns: dict[str, Any] = {name: arrow.array(each) for name, each in tables.items() if name != "vectors"}
    columns["vector"] = arrow.FixedSizeListArray.from_arrays(arrow.array(vectors.ravel()), vectors.shape[1])
    parquet.write_table(arrow.table(columns), path)
