"""What is odd about pictures, before a training is spent on them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from qkvae.config.names import many
from qkvae.data.check_labelled import balance, rare_classes
from qkvae.data.findings import Example, Finding, Places, Report, short
from qkvae.data.labels import Labels
from qkvae.data.pairs import EXAMPLES
from qkvae.data.picture_format import PictureFormat
from qkvae.data.pictures import Pictures

ADVICE = {
    "duplicates": "They weigh more than once; drop them if that is not meant.",
    "contradictions": "The same with different labels: nobody can be right about all. Decide, or drop them.",
    "leaks": "They stand in train too, so the score flatters: take them out.",
    "leaks (other label)": "They stand in train with another label: decide which is right; take them out.",
    "unknown label": "Train does not have this label, so it cannot be learned, and training refuses it.",
    "rare class": "Too few to learn from: join classes, find more examples, or ask for class weights.",
    "blank": "Every number is the same, so there is nothing to see: take them out.",
    "nearly blank": "Hardly anything differs from one place to the next: look whether they are right.",
}
"""The kinds of finding, and what to do about each."""

NEARLY = 0.01
"""Pictures whose pixels deviate by less than this part of white are nearly blank."""

_ROWS = 1024  # pictures looked at at a time


def check_pictures(train: Pictures, valid: Pictures | None = None, labels: Labels | None = None) -> Report:
    """Look for what spoils a training; nothing is changed.

    Kinds of finding, for ``train`` and, where it applies, for ``valid`` (pictures are equal if what they were
    read from is, byte by byte): ``duplicates``, ``contradictions`` (one picture, different labels), ``leaks``
    and ``leaks (other label)`` (valid pictures that stand in train), ``unknown label``, ``rare class`` (below
    1 % of train), ``blank`` and ``nearly blank``.  What was handled while the files were read (broken ones,
    sizes, colours) is in the notes.  Remarks tell size, brightness and how often each class is met.

    Raises:
        ValueError: a part is empty, or its size differs from the training part's.

    >>> values = np.arange(40, dtype=np.uint8).reshape(10, 1, 2, 2) ** 2
    >>> found = check_pictures(Pictures(np.concatenate([values, values[:1], values[:1] * 0]), ["a", "b"] * 6))
    >>> [(each.kind, each.count) for each in found.findings]
    [('duplicates', 1), ('blank', 1)]
    """
    form = PictureFormat.of(train)
    parts = {"train": train} if valid is None else {"train": train, "valid": valid}
    for name, part in parts.items():
        if not len(part):
            raise ValueError(f"{name} holds no {train.noun}: there is nothing to check")
        form.fits(part)
    if labels is None and train.labels is not None:
        labels = Labels.decide(train)
    findings = [*_repeated(train)]
    if valid is not None:
        findings += _leaks(train, valid)
    if labels is not None and labels.names:
        findings += _classes(train, valid, labels)
    for name, part in parts.items():
        findings += _blank(part, name)
    notes = tuple(note for part in parts.values() for note in part.notes)
    remarks = [_described(form), *([balance(labels)] if labels is not None else [])]
    return Report(len(train), len(valid or ()), tuple(findings), notes, tuple(remarks), noun=train.noun)


def _finding(kind: str, part: str, pictures: Pictures, places: Places, detail: str = "") -> Iterator[Finding]:
    if len(places):
        examples = tuple(
            Example(place + 1, short(pictures.where(place)), _shown(pictures, place))
            for place in map(int, places[:EXAMPLES])
        )
        share = len(places) / len(pictures)
        yield Finding(kind, part, len(places), share, ADVICE[kind], detail, examples, noun=pictures.noun)


def _shown(pictures: Pictures, place: int) -> str:
    return "" if pictures.labels is None else short(str(pictures.labels[place]))


def _label_hashes(pictures: Pictures) -> Places:
    if pictures.labels is None:
        return np.zeros(len(pictures), np.int64)
    return np.fromiter(map(hash, pictures.labels), np.int64, len(pictures))


def _repeated(train: Pictures) -> Iterator[Finding]:
    label = _label_hashes(train)
    order = np.lexsort((label, train.hashes))
    same = train.hashes[order[1:]] == train.hashes[order[:-1]]
    both = same & (label[order[1:]] == label[order[:-1]])
    yield from _finding("duplicates", "train", train, np.sort(order[1:][both]))
    odd = np.flatnonzero(np.isin(train.hashes, train.hashes[order[1:][same & ~both]]))
    by_picture = odd[np.argsort(train.hashes[odd], kind="stable")]  # all of one picture side by side
    yield from _finding("contradictions", "train", train, by_picture)


def _leaks(train: Pictures, valid: Pictures) -> Iterator[Finding]:
    leaked = np.isin(valid.hashes, train.hashes)
    both = set(zip(train.hashes.tolist(), _label_hashes(train).tolist(), strict=True))
    rows = zip(valid.hashes.tolist(), _label_hashes(valid).tolist(), strict=True)
    agrees = np.fromiter((row in both for row in rows), np.bool_, len(valid))
    yield from _finding("leaks", "valid", valid, np.flatnonzero(leaked & agrees))
    yield from _finding("leaks (other label)", "valid", valid, np.flatnonzero(leaked & ~agrees))


def _classes(train: Pictures, valid: Pictures | None, labels: Labels) -> Iterator[Finding]:
    if valid is not None and valid.labels is not None:
        known = set(labels.names)
        unknown = [place for place, label in enumerate(valid.labels) if not known.issuperset(_each(label))]
        yield from _finding("unknown label", "valid", valid, np.array(unknown, np.int64))
    few, detail = rare_classes(labels)
    told = train.labels or []
    places = [place for place, label in enumerate(told) if not few.isdisjoint(_each(label))]
    yield from _finding("rare class", "train", train, np.array(places, np.int64), detail)


def _each(label: str | tuple[str, ...]) -> tuple[str, ...]:
    return (label,) if isinstance(label, str) else label


def _blank(pictures: Pictures, part: str) -> Iterator[Finding]:
    """By the spread of each picture's pixels around the mean of their channel."""
    spreads, ranges = np.empty(len(pictures)), np.empty(len(pictures))
    axes = tuple(range(2, pictures.values.ndim))
    for start in range(0, len(pictures), _ROWS):
        piece = pictures.values[start : start + _ROWS].astype(np.float64) / pictures.white
        spreads[start : start + _ROWS] = piece.std(axes).max(1)
        ranges[start : start + _ROWS] = (piece.max(axes) - piece.min(axes)).max(1)
    yield from _finding("blank", part, pictures, np.flatnonzero(ranges == 0))
    yield from _finding("nearly blank", part, pictures, np.flatnonzero((ranges > 0) & (spreads < NEARLY)))


def _described(form: PictureFormat) -> str:
    size = " × ".join(map(str, form.size))
    moments = ", ".join(f"{m:.3f} ± {s:.3f}" for m, s in zip(form.mean, form.std, strict=True))
    return f"size {size}, {many(form.channels, 'channel')} (mean ± deviation: {moments})"
