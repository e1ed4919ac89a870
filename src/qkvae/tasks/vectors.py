"""``--embed`` and ``--neighbours``: vectors of texts, and what is nearest to them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from qkvae.config.uses import Embedding, Neighbours
from qkvae.data.files import TextFile, decoded, read_whole
from qkvae.data.pairs import Tally
from qkvae.run import Run
from qkvae.tasks import find_answerer
from qkvae.tasks.arrays import SUFFIXES, refuse_output, write_arrays
from qkvae.tasks.embedder import Embedder
from qkvae.tasks.task import settled
from qkvae.tasks.uses import Output


def write_vectors(run: Run, asked: Embedding, groups: Iterable[list[str]], output: Output) -> None:
    """The vectors of all inputs: as JSON lines, or all together in a file or as bytes.

    Raises:
        ValueError: bytes would be shown to a person, or the file's name says no known format.
        FileNotFoundError: the file's folder is not there.
    """
    out = None if asked.out is None else Path(asked.out)
    level = asked.level or "sentence"
    refuse_output(out, SUFFIXES if level == "sentence" else SUFFIXES[1:], level, output)
    embedder = _embedder(run)
    texts, found, cut = list[str](), list[Any](), 0
    for lines in groups:
        if asked.level == "token":
            vectors: list[Any] = embedder.tokens(lines)
            cut += sum(each.cut for each in vectors)
        else:
            matrix, was_cut = embedder.texts(lines, asked.pool)
            vectors, cut = list(matrix), cut + int(was_cut.sum())
        if output.json:
            for line, each in zip(lines, vectors, strict=True):
                output.record(_record(line, each))
        else:
            texts, found = [*texts, *lines], [*found, *vectors]
    if not output.json:
        write_arrays(_tables(embedder, texts, found, asked.level == "token"), out, output)
    if told := embedder.said_of(cut):
        output.say(f"note: {told}")


def tell_neighbours(run: Run, asked: Neighbours, groups: Iterable[list[str]], output: Output) -> None:
    """For every input a line of its number, a cosine and a text of the file for each of the nearest.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it holds no text, or none in UTF-8.
    """
    path = Path(asked.neighbours or "")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is no file")
    text = decoded(read_whole(TextFile(path)), str(path), Tally())
    known = [line for line in text.split("\n") if line.strip()]
    if not known:
        raise ValueError(f"{path} holds no text: give one of a text per line")
    number, search = 0, _embedder(run).index(known, asked.pool)
    for lines in groups:
        for line, near in zip(lines, search(lines, asked.count_or_default), strict=True):
            number += 1
            if output.json:
                rows = [{"text": text, "score": score} for text, score in near]
                output.record({"source": line, "neighbours": rows})
                continue
            for text, score in near:
                output.put(f"{number}\t{score:.4f}\t{text}")


def _embedder(run: Run) -> Embedder:
    return Embedder.of(find_answerer(run), settled(run))


def _record(line: str, vector: Any) -> dict[str, Any]:
    if hasattr(vector, "tokens"):
        return {"source": line, "tokens": vector.tokens, "vectors": vector.matrix.tolist()}
    return {"source": line, "vector": vector.tolist()}


def _tables(embedder: Embedder, texts: list[str], found: list[Any], tokens: bool) -> dict[str, Any]:
    """What is written, by name; every array has a row for each text, or for each token."""
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
