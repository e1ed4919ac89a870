"""What labels mean: one class per text, several, or a number.

Decided from the training part, saved in the run.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qkvae.config.names import many, nearest
from qkvae.data.labelled import Label
from qkvae.data.pairs import EXAMPLES, Note
from qkvae.data.tables import shortened

LabelKind = Literal["one", "several", "number"]


@runtime_checkable
class Examples(Protocol):
    """Anything that is labelled: texts, pictures."""

    @property
    def labels(self) -> Sequence[Label] | None:
        """As they were written."""
        ...

    def __len__(self) -> int: ...

    def where(self, index: int, /) -> str:
        """Where an example was read, for a message."""
        ...


Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

MOST_WHOLE_NUMBERS = 50
"""Different whole numbers; where there are more, and nothing else was asked for, they are taken for
amounts."""


@dataclass(frozen=True)
class Labels:
    """The classes of a task, or the scale of its numbers.

    >>> from qkvae.data.labelled import Labelled
    >>> train = Labelled(["fine", "awful", "good"], ["pos", "neg", "pos"])
    >>> labels = Labels.decide(train)
    >>> labels.kind, labels.names, labels.encode(train).tolist()
    ('one', ('neg', 'pos'), [1, 0, 1])
    >>> labels.weights().round(2).tolist()
    [1.5, 0.75]
    """

    kind: LabelKind
    """One class per text, several (or none), or a number (regression)."""

    names: tuple[str, ...] = ()
    """The classes, in order: numbers by value, other names by alphabet.  None of a number."""

    counts: tuple[int, ...] = ()
    """Training examples of each class."""

    total: int = 0
    """Training examples."""

    mean: float = 0.0
    """Mean of the training numbers, in their own unit."""

    scale: float = 1.0
    """Their standard deviation: a model predicts (y - mean) / scale."""

    notes: tuple[Note, ...] = ()
    """What was inferred, and which classes are hardly there."""

    @classmethod
    def decide(cls, train: Examples, kind: LabelKind | None = None) -> Labels:
        """What the labels of the training part are.

        If ``kind`` is not given: lists of labels are several; numbers with a fraction somewhere, or more
        than 50 different whole ones, are numbers; all else is one class per text.  A note says what was
        taken, and one names the classes with a single example.

        Raises:
            ValueError: a label that does not fit the kind (with its line); fewer than two classes,
                nearly as many classes as examples, or numbers that are all the same.
        """
        chosen = inferred(train) if kind is None else kind
        notes = [] if kind is not None else [_said(train, chosen)]
        if chosen == "number":
            values = _numbers(train).astype(np.float64)
            mean, scale = float(values.mean()), float(values.std())
            if scale == 0:
                raise ValueError(f"all {len(train):,} labels are {mean:g}: there is nothing to learn")
            return cls(chosen, total=len(train), mean=mean, scale=scale, notes=tuple(notes))
        counts = Counter(name for place in range(len(train)) for name in _names(train, place, chosen))
        names = sorted(counts, key=_order)
        _refuse_classes(names, train, chosen)
        lonely = [name for name in names if counts[name] == 1]
        if lonely:
            shown = tuple(shortened(name) for name in lonely[:EXAMPLES])
            notes.append(Note("single example", len(lonely), "labels were met in one example only", shown))
        return cls(
            chosen, tuple(names), tuple(counts[name] for name in names), len(train), notes=tuple(notes)
        )

    def encode(self, part: Examples) -> Ints | Floats:
        """The labels of a part as numbers.

        Returns:
            one: class numbers, int64[count]; several: 0 and 1, float32[count, classes]; number:
            float32[count], in their own unit.

        Raises:
            ValueError: a class that the training part does not have, or no number; the line is named.
        """
        if self.kind == "number":
            return _numbers(part)
        number = {name: place for place, name in enumerate(self.names)}
        held = [_names(part, place, self.kind) for place in range(len(part))]
        for place, names in enumerate(held):
            for name in names:
                if name not in number:
                    raise ValueError(
                        f'{part.where(place)}: the label "{shortened(name)}" is not among the '
                        f"{len(self.names)} "
                        f"classes of the training part: {nearest(name, self.names[:20])}"
                    )
        if self.kind == "one":
            return np.fromiter((number[names[0]] for names in held), np.int64, len(part))
        table = np.zeros((len(part), len(self.names)), np.float32)
        for place, names in enumerate(held):
            table[place, [number[name] for name in names]] = 1
        return table

    def weights(self) -> Floats:
        """How much each class must weigh so that all weigh the same, float32[classes].

        one: w_c = N / (C n_c), with mean 1 over the N training examples.  several: the weight of a yes
        against a no of the same class, (N - n_c) / n_c.

        Raises:
            ValueError: the labels are numbers, which have no classes.
        """
        if self.kind == "number":
            raise ValueError("class weights have no effect on labels that are numbers: leave them out")
        counts = np.array(self.counts, np.float64)
        if self.kind == "several":
            return ((self.total - counts) / counts).astype(np.float32)
        return (self.total / (len(counts) * counts)).astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Everything ``from_dict`` needs, fit for JSON; the notes stay with the training."""
        return {key: value for key, value in asdict(self).items() if key != "notes"}

    @classmethod
    def from_dict(cls, saved: dict[str, Any]) -> Labels:
        """The labels that ``to_dict`` wrote.

        Raises:
            ValueError: something is missing or unknown.

        >>> labels = Labels("one", ("neg", "pos"), (1, 2), 3)
        >>> Labels.from_dict(labels.to_dict()) == labels
        True
        """
        known = set(Labels("one").to_dict())
        if set(saved) != known:
            wrong = ", ".join(sorted(set(saved) ^ known))
            raise ValueError(f"saved labels lack or add {wrong}: they must have {', '.join(sorted(known))}")
        return cls(
            kind=saved["kind"],
            names=tuple(saved["names"]),
            counts=tuple(saved["counts"]),
            total=saved["total"],
            mean=saved["mean"],
            scale=saved["scale"],
        )


def _told(part: Examples) -> Sequence[Label]:
    if part.labels is None:
        raise ValueError(f"the {len(part):,} examples were read without their labels: read them with labels")
    return part.labels


def inferred(train: Examples) -> LabelKind:
    """What the labels are where nobody says it, see `Labels.decide`."""
    if any(isinstance(label, tuple) for label in _told(train)):
        return "several"
    values = [_number(label) for label in _told(train)]
    if any(value is None for value in values):
        return "one"
    numbers = set(cast(list[float], values))
    fractions = any(value != int(value) for value in numbers)
    return "number" if fractions or len(numbers) > MOST_WHOLE_NUMBERS else "one"


def _said(train: Examples, kind: LabelKind) -> Note:
    meaning = {
        "one": "labels were taken as one class each",
        "several": "labels were taken as several classes each",
        "number": "labels were taken as numbers",
    }
    return Note("label kind", len(train), f"{meaning[kind]}: ask for another kind if they are not")


def _number(label: Label) -> float | None:
    """The finite number that a label spells, if it does."""
    if isinstance(label, tuple):
        return None
    try:
        value = float(label)
    except ValueError:
        return None
    # float() also reads 1_000, which nobody means here
    return value if math.isfinite(value) and "_" not in label else None


def _numbers(part: Examples) -> Floats:
    values = [_number(label) for label in _told(part)]
    for place, value in enumerate(values):
        if value is None:
            shown = shortened(str(_told(part)[place]))
            raise ValueError(f'{part.where(place)}: the label "{shown}" is no finite number')
    return np.array(values, np.float32)


def _names(part: Examples, place: int, kind: LabelKind) -> Sequence[str]:
    label = _told(part)[place]
    if isinstance(label, str):
        return (label,)
    if kind == "one" and len(label) != 1:
        raise ValueError(
            f"{part.where(place)}: there are {len(label)} labels, but each example must have one: ask for "
            "several"
        )
    return label


def _order(name: str) -> tuple[bool, float, str]:
    value = _number(name)
    return (value is None, 0.0 if value is None else value, name)


def _refuse_classes(names: list[str], train: Examples, kind: LabelKind) -> None:
    count = many(len(train), "training example")
    if len(names) < 2 and kind == "one":
        shown = f'"{shortened(names[0])}"' if names else "none"
        raise ValueError(f"the only label of all {count} is {shown}: give examples of two classes or more")
    if not names:
        raise ValueError(f"not one of the {count} has a label")
    if len(names) > max(20, len(train) // 2):
        raise ValueError(
            f"{len(names):,} different labels for {count}: is it the right column? "
            "(numbers are asked for by their kind)"
        )
