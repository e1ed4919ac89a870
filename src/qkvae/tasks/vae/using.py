"""What runs do beside telling scores: new data, reconstructions, ways through the latents, the latents."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import cast

import torch
from jaxtyping import Shaped
from torch import Tensor

from qkvae.config.latent_uses import Encoding, Interpolating, Rebuilding, Sampling, Scoring, Traversing
from qkvae.config.names import many
from qkvae.inspect.mosaic import grid, png
from qkvae.run import Run
from qkvae.run.atomic import replacing
from qkvae.run.place import require_file_place
from qkvae.tasks import find_answerer
from qkvae.tasks.arrays import SUFFIXES, refuse_output, write_arrays
from qkvae.tasks.uses import Output
from qkvae.tasks.vae.coder import Coder
from qkvae.tasks.vae.corpus import Part_
from qkvae.tasks.vae.drawing import interpolated, telling, together, traversed
from qkvae.tasks.vae.forms import PictureForm, TableForm
from qkvae.tasks.vae.measure import pieces
from qkvae.tasks.vae.text_form import TextForm

_SAMPLES = 64
_MOST_SHOWN = 400  # pictures in one grid
_LATENTS = 10  # rows of a traversal
_ROWS = 500  # data encoded or told side by side


def draw_samples(run: Run, asked: Sampling, groups: Iterable[list[str]], output: Output) -> None:
    """New data: as many as the first input says.

    Raises:
        ValueError: the input is no number; a label that the run does not know.
    """
    coder = cast("Coder", find_answerer(run))
    count = _count(next(iter(groups), list[str]()))
    _refuse_png(coder, asked.png, output)
    labels = _label(coder, asked.like)
    if labels is not None:
        labels = labels[torch.arange(count) * len(labels) // count]
    _show(coder, coder.sampled(count, labels, asked), None, asked.png, output)


def reconstruct(run: Run, asked: Rebuilding, groups: Iterable[list[str]], output: Output) -> None:
    """Each datum, and below it what its latents keep."""
    coder = cast("Coder", find_answerer(run))
    _refuse_png(coder, asked.png, output)
    part = _inputs(coder, groups, 1, output, asked.like)
    x, labels = coder.numbers(part), coder.classes(part)
    kept = together([coder.reconstructed(*some) for some in pieces(coder.model, x, labels, _ROWS)])
    if isinstance(coder.form, TextForm):
        _tell(coder.form, kept, output, coder.form.texts(x))
        return
    both = torch.stack([x, kept], 1)
    if isinstance(coder.form, TableForm):
        _show(coder, both.flatten(0, 1), None, asked.png, output)
        return
    columns = min(16, len(x))
    pairs = cast("tuple[Tensor, ...]", both.split(columns))
    rows = [pair.transpose(0, 1).flatten(0, 1) for pair in pairs]
    if len(rows[-1]) < len(rows[0]) and len(rows) > 1:  # the last row is filled with white
        white = torch.ones(columns - len(rows[-1]) // 2, *x.shape[1:])
        rows[-1] = torch.cat([torch.cat([half, white]) for half in rows[-1].chunk(2)])
    _show(coder, torch.cat(rows), columns, asked.png, output)


def interpolate(run: Run, asked: Interpolating, groups: Iterable[list[str]], output: Output) -> None:
    """The way through the latents from each datum to the next."""
    coder = cast("Coder", find_answerer(run))
    _refuse_png(coder, asked.png, output)
    part = _inputs(coder, groups, 2, output, asked.like)
    ways = interpolated(coder.model, coder.numbers(part), coder.classes(part), asked.count_or_default)
    _show(coder, ways.flatten(0, 1), asked.count_or_default, asked.png, output)


def traverse(run: Run, asked: Traversing, groups: Iterable[list[str]], output: Output) -> None:
    """Each of the latents that tell most of a datum, moved from -3 to 3."""
    coder = cast("Coder", find_answerer(run))
    _refuse_png(coder, asked.png, output)
    part = _inputs(coder, groups, 1, output, asked.like)
    if len(part) > 1:
        output.say(f"of {many(len(part), coder.form.noun)} the first alone is shown")
        part = part.select([0])
    x, labels = coder.numbers(part), coder.classes(part)
    which = telling(coder.model, x, labels, min(_LATENTS, coder.model.settings.latent))
    moved = traversed(coder.model, x, labels, which, asked.count_or_default)
    output.say(f"latents from top to bottom: {', '.join(map(str, which))}")
    _show(coder, moved.flatten(0, 1), asked.count_or_default, asked.png, output)


def encode(run: Run, asked: Encoding, groups: Iterable[list[str]], output: Output) -> None:
    """The means of the latents of every datum, as an array or as JSON lines."""
    out = None if asked.out is None else Path(asked.out)
    refuse_output(out, SUFFIXES, "vector", output)
    coder = cast("Coder", find_answerer(run))
    part = _inputs(coder, groups, 1, output, asked.like)
    x, labels = coder.numbers(part), coder.classes(part)
    vectors = torch.cat([coder.encoded(*some) for some in pieces(coder.model, x, labels, _ROWS)]).numpy()
    if output.json:
        for place, vector in enumerate(vectors):
            output.record({"source": coder.form.where(part, place), "vector": vector.tolist()})
    else:
        write_arrays({"vectors": vectors}, out, output)


def score(run: Run, asked: Scoring, groups: Iterable[list[str]], output: Output) -> None:
    """A line of row and score for every datum; above the threshold, which is told, it is strange."""
    coder = cast("Coder", find_answerer(run))
    part = _inputs(coder, groups, 1, output, asked.like, asked.ignore)
    scores = coder.scores(part, asked.samples)
    if not output.json:
        output.put("row,score")
    values = cast("list[float]", scores.tolist())
    for place, value in enumerate(values):
        where = coder.form.where(part, place)
        if output.json:
            output.record({"row": where, "score": value, "strange": coder.is_strange(value)})
        else:
            output.put(f"{_cell(where)},{value:.6g}")
    if told := coder.said_of_threshold():
        above = sum(map(bool, map(coder.is_strange, values)))
        output.say(f"{told}; here {above:,} of {len(values):,} are")


def _inputs(
    coder: Coder,
    groups: Iterable[list[str]],
    fewest: int,
    output: Output,
    like: str | None,
    ignore: tuple[str, ...] = (),
) -> Part_:
    """The data of all inputs; what was handled is said.

    Raises:
        ValueError: there are too few.
    """
    texts = isinstance(coder.form, TextForm)  # of which an empty one is one
    inputs = [line for lines in groups for line in lines if texts or line.strip()]
    if not inputs:
        what = "a text" if texts else "the path of a picture, a folder or a table"
        raise ValueError(f"there is no input: give {what}")
    part = coder.read(inputs, ignore, like)
    for note in (*part.notes, *coder.form.notes(part)):
        output.say(f"note: {note}")
    if len(part) < fewest:
        raise ValueError(f"{many(len(part), coder.form.noun)}, but at least {fewest} are needed: give more")
    return part


def _count(lines: list[str]) -> int:
    if not lines:
        return _SAMPLES
    if len(lines) > 1 or not lines[0].strip().isdecimal() or not int(lines[0]):
        raise ValueError(f'--sample needs a number, such as --sample 64, but got "{" ".join(lines)[:60]}"')
    return int(lines[0])


def _label(coder: Coder, like: str | None) -> Tensor | None:
    """The class asked for, or all in turn."""
    if like is not None:
        return torch.tensor([coder.label(like)])
    return None if coder.labels is None else torch.arange(len(coder.labels.names))


def _refuse_png(coder: Coder, path: str | None, output: Output) -> None:
    """Refuse a picture where it cannot be.

    Raises:
        ValueError: of rows of a table, or to a terminal, or as JSON.
        FileNotFoundError, IsADirectoryError: its folder is not there, or it is a folder.
    """
    if not isinstance(coder.form, PictureForm):
        if path is not None:
            raise ValueError(
                f"--png {path} has no effect on {coder.form.noun}s, which are told as text: leave it out"
            )
    elif output.json:
        raise ValueError("--json has no effect on pictures: leave it out")
    elif path is None and output.binary() is None:
        raise ValueError("a picture is binary and no text for a terminal: add --png grid.png, or > grid.png")
    elif path is not None:
        require_file_place(Path(path), "--png")


def _show(
    coder: Coder, data: Shaped[Tensor, "count *shape"], columns: int | None, path: str | None, output: Output
) -> None:
    """Pictures as one PNG, rows as a table, texts as lines."""
    if isinstance(coder.form, TextForm):
        _tell(coder.form, data, output)
        return
    if isinstance(coder.form, TableForm):
        names = [column.name for column in coder.form.scaling.columns]
        rows = coder.form.cells(data)
        if output.json:
            for row in rows:
                output.record(dict(zip(names, row, strict=True)))
            return
        for row in (names, *rows):
            output.put(",".join(map(_cell, row)))
        return
    if len(data) > _MOST_SHOWN and columns is None:
        columns = 32
    content = png(grid(data, columns))
    if path is None:
        stream = output.binary()
        assert stream is not None
        stream.write(content)
        return
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)
    output.say(f"{many(len(data), 'picture')} in {path}")


def _tell(form: TextForm, ids: Tensor, output: Output, sources: Sequence[str] = ()) -> None:
    """A line for each text; as JSON with what it was made of, if there is that."""
    for place, text in enumerate(form.texts(ids)):
        if output.json:
            output.record({"source": sources[place], "text": text} if sources else {"text": text})
        else:
            output.put(" ".join(text.split()))


def _cell(text: str) -> str:
    """A cell of a CSV file, quoted where it must be."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow([text])
    return stream.getvalue()
