"""Pictures, signals and clips from files to what a model tells of them: the one place where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from qkvae.config import ClipData, PictureData, SignalData
from qkvae.config.grids import usual_patch
from qkvae.config.names import many
from qkvae.data.default_pictures import default_clips, default_pictures, default_signals
from qkvae.data.labels import Labels
from qkvae.data.pairs import added_up
from qkvae.data.picture_batches import in_turn
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures, split_pictures
from qkvae.data.read_pictures import read_pictures, to_white
from qkvae.data.signals import read_signals
from qkvae.inspect.picture_maps import in_use
from qkvae.run import Run
from qkvae.tasks.corpus import FEWEST, Corpus, parts

GridData = PictureData | SignalData | ClipData

_MOST_VALID = 10_000  # examples that are split off at most
_DEFAULT_COUNT = 6_000  # signals and clips of the embedded defaults
_TOGETHER = 2**22  # numbers in a batch that is judged: bounds the memory, decides nothing else
_DECIDED = ("size", "channels", "fit")  # settings of the data that are settled when a run is trained
_NAMES = ("picture", "label", "folder")
_NOTES = 5  # of different kinds that are told of many files


@dataclass(frozen=True)
class Kind:
    """One kind of grid."""

    noun: str

    read: Callable[..., Pictures]
    """From paths and settings, as `read_pictures`."""

    embedded: str
    """What is learned from where no data are given, in a few words."""

    default: Callable[[int], Pictures]
    """That, for a seed."""


KINDS: dict[type[GridData], Kind] = {
    PictureData: Kind(
        "picture", read_pictures, "scikit-learn's handwritten digits", lambda seed: default_pictures()
    ),
    SignalData: Kind(
        "signal",
        read_signals,
        "six kinds of made-up waves",
        lambda seed: default_signals(_DEFAULT_COUNT, seed),
    ),
    ClipData: Kind(
        "clip",
        partial(read_pictures, axes=3),
        "handwritten digits that move",
        lambda seed: default_clips(_DEFAULT_COUNT, seed),
    ),
}
"""The kinds, by where their data are told of."""


def kind_of(data: GridData) -> Kind:
    """What kind of grid these data hold.

    >>> kind_of(ClipData()).noun
    'clip'
    """
    return next(KINDS[kind] for kind in type(data).__mro__ if kind in KINDS)


@dataclass(frozen=True)
class GridCorpus(Corpus[Pictures]):
    """The examples of a training, what they have in common, and what their labels mean."""

    form: PictureFormat
    labels: Labels | None = None
    """None where nobody asked for them."""

    @property
    def notes(self) -> list[str]:
        """What was handled while the files were read, and which classes are hardly there."""
        return [*super().notes, *map(str, self.labels.notes if self.labels else ())]

    @property
    def facts(self) -> dict[str, Any]:
        """What the run reads and answers by."""
        told = {} if self.labels is None else {"labels": self.labels.to_dict()}
        return {"format": self.form.to_dict(), **told}


def read_corpus(data: GridData, seed: int, labelled: bool = True) -> GridCorpus:
    """The examples that the settings name, or the embedded default; split by hash if no ``valid`` is named.

    Validation examples get the size and the channels of the training part.

    Raises:
        ValueError, FileNotFoundError: what `read_grids` and `Labels.decide` raise.
    """
    known: list[PictureFormat] = []

    def read(paths: Sequence[str], minimum: int) -> Pictures:
        found = read_grids(data, paths, None, minimum, labelled, *known)
        known.append(PictureFormat.of(found))
        return found

    train, valid = parts(data, read, lambda: kind_of(data).default(seed), split_pictures, _MOST_VALID)
    form = PictureFormat.of(train)
    if not data.paths:
        _refuse_idle(data, form)
    labels = decided(train) if labelled else None
    if labels is not None:
        labels.encode(valid)  # which refuses a label that is not learned, before a run is written
    return GridCorpus(train, valid, form, labels)


def decided(train: Pictures) -> Labels:
    """The classes: several for each example where the labels are lists, otherwise one, numbers too."""
    several = any(isinstance(label, tuple) for label in train.labels or ())
    return Labels.decide(train, "several" if several else "one")


def read_grids(
    data: GridData,
    paths: Sequence[str],
    like: GridData | None = None,
    minimum: int = FEWEST,
    labelled: bool = True,
    form: PictureFormat | None = None,
) -> Pictures:
    """The examples of these paths.

    Args:
        data: where in them the examples are.
        like: of the run that is measured: what is not said is as there.
        form: what the examples are brought to, where it is known.

    Raises:
        ValueError, FileNotFoundError: what `read_pictures` and `read_signals` raise.
    """
    settings = _reading(data if like is None else _as_there(data, like))
    return kind_of(data).read(paths, settings, labelled=labelled, like=form, minimum=minimum)


def two_readings(data: GridData, one: GridData, other: GridData) -> tuple[Pictures, Pictures]:
    """The examples of ``data`` as each of two runs reads them, in the columns of the first.

    Raises:
        ValueError, FileNotFoundError: what `read_grids` raises.
    """
    settings = _as_there(data, one)
    found = read_grids(settings, data.paths, None, 1)
    theirs = replace(settings, **{name: getattr(other, name) for name in _DECIDED if hasattr(other, name)})
    return found, found if theirs == settings else read_grids(theirs, data.paths, None, 1)


def _as_there(data: GridData, like: GridData) -> GridData:
    taken = [name for name in _DECIDED if hasattr(like, name)]
    if not any(getattr(data, name, None) for name in _NAMES):
        taken += [name for name in _NAMES if hasattr(like, name)]
    return replace(data, **{name: getattr(like, name) for name in taken})


def _reading(data: GridData) -> PictureData:
    """The settings by which files are read."""
    if isinstance(data, PictureData):
        return data
    return PictureData(**{each.name: getattr(data, each.name) for each in fields(data)})


def asked(data: GridData, form: PictureFormat, path: str) -> Pictures:
    """What one input of a run holds: one picture in a file, or the examples of a folder, a table, an array.

    Raises:
        ValueError, FileNotFoundError: it cannot be read, in part or at all.
    """
    whole = replace(data, unreadable=0.0) if isinstance(data, PictureData) else data
    return read_grids(whole, [path], None, 1, False, form)


def each_asked(
    inputs: Iterable[str], data: GridData, form: PictureFormat
) -> Iterator[tuple[list[str], Pictures | None]]:
    """Every input with what it holds, and what its examples are called; None of an empty line."""
    for path in inputs:
        if not path.strip():
            yield [path], None
            continue
        found = asked(data, form, path.strip())
        if len(found) == 1:
            yield [path], found
            continue
        own = f"{Path(path.strip()).name}: "  # which a row of a table tells of itself, too
        yield [f"{path}: {found.where(place).removeprefix(own)}" for place in range(len(found))], found


def said_of_notes(answers: Iterable[Any]) -> str | None:
    """What was handled while the files of these answers were read, in one line."""
    notes = [str(note) for note in added_up(note for answer in answers for note in answer.notes)]
    more = len(notes) - _NOTES
    return "; ".join([*notes[:_NOTES], *([f"and {many(more, 'note')} more"] if more > 0 else [])]) or None


def filled_grid(config: Any, corpus: GridCorpus) -> Any:
    """The config with what the data decide: size, channels, and a patch if none is asked for.

    Raises:
        ValueError: the patch does not fit the size, or the augmentation cannot be done to the data.
    """
    form, patches = corpus.form, config.model.patches
    config.augmentation.fits(form.size, form.channels)
    patch = patches.patch or usual_patch(form.size)
    patches = replace(patches, size=form.size, channels=form.channels, patch=patch)
    return replace(config, model=replace(config.model, patches=patches), data=settled_data(config.data, form))


def settled_data(data: GridData, form: PictureFormat) -> GridData:
    """The settings of the data with size and channels, by which others are read."""
    if not isinstance(data, PictureData):
        return data
    channels = {1: "grey", 3: "colour"}.get(form.channels, data.channels)
    return replace(data, size="x".join(map(str, form.size)), channels=channels)


def _refuse_idle(data: GridData, form: PictureFormat) -> None:
    """Refuse settings of files where the embedded data are learned from.

    Raises:
        ValueError: there is one.
    """
    usual, settled = type(data)(), settled_data(type(data)(), form)
    for name in (*_DECIDED, *_NAMES):
        value = getattr(data, name, None)
        if value not in (getattr(usual, name, None), getattr(settled, name, None)):
            raise ValueError(f"{name} {value} has no effect on the embedded data: leave it out, or give DATA")


def run_format(run: Run) -> PictureFormat:
    """What the examples of a run have in common."""
    return PictureFormat.from_dict(run.passport["format"])


def fitting(pictures: Pictures, form: PictureFormat) -> Pictures:
    """The examples on the scale of a run.

    Raises:
        ValueError: their size or channels differ from those trained on.
    """
    found = to_white(pictures, form)
    form.fits(found)
    return found


def tell_all(model: nn.Module, pictures: Pictures, form: PictureFormat) -> Float[Tensor, "count *numbers"]:
    """What a model tells of each example, in their order, in fp32 on the CPU."""
    device = next(model.parameters()).device
    rows = max(1, _TOGETHER // pictures.values[:1].size)
    with in_use(model), torch.no_grad():
        told = [
            model(form.normalised(batch.shares.to(device))).float().cpu()
            for batch in in_turn(pictures, form, min(rows, 512))
        ]
    return torch.cat(told)


def summary(corpus: GridCorpus, noun: str) -> str:
    """How much there is to learn from, in a few words."""
    size = " × ".join(map(str, corpus.form.size))
    channels = many(corpus.form.channels, "channel")
    classes = f", {many(len(corpus.labels.names), 'class')}" if corpus.labels else ""
    return (
        f"{len(corpus.train):,} training and {len(corpus.valid):,} validation {noun}s of {size}, "
        f"{channels}{classes}"
    )
