"""What is odd about labelled texts, before a training is spent on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qkvae.data import alignment
from qkvae.data.check import BYTES_PER_TOKEN, MARKUP, MOJIBAKE, beyond
from qkvae.data.findings import Example, Finding, Places, Report, short
from qkvae.data.labelled import Label, Labelled
from qkvae.data.labels import Labels
from qkvae.data.pairs import EXAMPLES
from qkvae.data.splits import normalised
from qkvae.data.tokenizer import Tokenizer

RARE = 0.01
"""A class with a smaller part of the training texts than this is rare."""

MOST_SHOWN = 12
"""Classes that a remark lists."""

ADVICE = {
    "duplicates": "They weigh more than once; drop them if that is not meant.",
    "contradictions": "One text, different labels: nobody can be right about all. Decide, or drop them.",
    "leaks": "They stand in train too, so the score flatters: take them out.",
    "leaks (other label)": "They stand in train with another label: decide which is right; take them out.",
    "unknown label": "Train does not have this label, so it cannot be learned, and training refuses it.",
    "rare class": "Too few to learn from: join classes, find more texts, or ask for class weights.",
    "very long": "Much longer than the rest: often several texts, or a table, in one.",
    "encoding": "Text was decoded wrongly once (Ã¤ for ä, U+FFFD): go back to where the file came from.",
    "markup": "HTML stands in the text: unescape or strip it.",
    "cut": "They have more tokens than max_length: what is beyond is not seen. Raise it, or shorten them.",
}
"""The kinds of finding, and what to do about each."""


def check_labelled(
    train: Labelled,
    valid: Labelled | None = None,
    tokenizer: Tokenizer | None = None,
    max_length: int = 256,
    labels: Labels | None = None,
) -> Report:
    """Look for what spoils a training; nothing is changed.

    Kinds of finding, for ``train`` and, where it applies, for ``valid`` (texts, pairs included, are equal if
    ``splits.normalised`` makes them so):

    - ``duplicates`` (text and label), ``contradictions`` (one text, different labels; not of numbers),
      ``leaks`` and ``leaks (other label)`` (valid texts that stand in train);
    - ``unknown label`` (in valid only), ``rare class`` (below 1 % of train);
    - ``very long`` (log length beyond 4 robust standard deviations), ``encoding``, ``markup``, and ``cut``:
      more than ``max_length`` tokens, special tokens included.  Without a tokenizer tokens are estimated at
      four bytes each, and a remark says so.

    Remarks tell how often each class is met, or the mean and spread of numbers.  ``labels`` are decided from
    train if not given.

    Raises:
        ValueError: ``max_length`` is below 1, a part is empty, or the labels are of no use (see
            ``Labels.decide``).

    >>> texts = [f"{n} films were {'good' if n % 2 else 'bad'}" for n in range(20)]
    >>> names = ["yes" if n % 2 else "no" for n in range(20)]
    >>> (found,) = check_labelled(Labelled([*texts, "3 films were good"], [*names, "no"])).findings
    >>> found.kind, found.count, [each.line for each in found.examples]
    ('contradictions', 2, [4, 21])
    """
    if max_length < 1:
        raise ValueError(f"max_length is {max_length}, but must be at least 1")
    parts = {"train": train} if valid is None else {"train": train, "valid": valid}
    for name, part in parts.items():
        if not len(part):
            raise ValueError(f"{name} holds no text: there is nothing to check")
    labels = Labels.decide(train) if labels is None else labels
    hashes = {name: _hashes(part) for name, part in parts.items()}
    findings = list(_repeated(train, hashes["train"], labels))
    if valid is not None:
        findings += _leaks(train, valid, hashes["train"], hashes["valid"], labels)
    findings += _classes(train, valid, labels)
    for name, part in parts.items():
        findings += _texts(part, name)
        long = _tokens_beyond(part, tokenizer, max_length)
        findings += _finding("cut", name, part, np.flatnonzero(long), f"max_length is {max_length}")
    notes = tuple(note for part in parts.values() for note in part.notes)
    remarks = [balance(labels), *(str(note) for note in labels.notes)]
    if tokenizer is None:
        remarks.append(f"no tokenizer was given: tokens were estimated at {BYTES_PER_TOKEN} bytes each")
    return Report(len(train), len(valid or ()), tuple(findings), notes, tuple(remarks), noun="text")


def _finding(kind: str, part: str, texts: Labelled, places: Places, detail: str = "") -> Iterator[Finding]:
    """One finding about the texts at these places, or none if there are none."""
    if len(places):
        examples = tuple(
            Example(texts.lines[place], short(_whole(texts, place)), _shown(texts.labels[place]))
            for place in map(int, places[:EXAMPLES])
        )
        share = len(places) / len(texts)
        yield Finding(kind, part, len(places), share, ADVICE[kind], detail, examples, noun="text")


def _whole(texts: Labelled, place: int) -> str:
    return texts.texts[place] if texts.pairs is None else f"{texts.texts[place]} | {texts.pairs[place]}"


def _shown(label: Label) -> str:
    return short(label if isinstance(label, str) else ", ".join(label) or "(none)")


def _hashes(texts: Labelled) -> Places:
    """64-bit hashes of the texts, normalised; kept only while this process lives, so Python's own will do."""
    seconds = texts.pairs or [""] * len(texts)
    both = zip(map(normalised, texts.texts), map(normalised, seconds), strict=True)
    return np.fromiter(map(hash, both), np.int64, len(texts))


def _label_hashes(texts: Labelled) -> Places:
    keys = (each if isinstance(each, str) else tuple(sorted(each)) for each in texts.labels)
    return np.fromiter(map(hash, keys), np.int64, len(texts))


def _repeated(train: Labelled, hashes: Places, labels: Labels) -> Iterator[Finding]:
    label = _label_hashes(train)
    order = np.lexsort((label, hashes))
    same_text = hashes[order[1:]] == hashes[order[:-1]]
    same_both = same_text & (label[order[1:]] == label[order[:-1]])
    # lexsort is stable, so of equal rows the first keeps its place and the later ones count
    yield from _finding("duplicates", "train", train, np.sort(order[1:][same_both]))
    if labels.kind == "number":
        return
    # among neighbours of one text the label changes: all rows of that text are shown, side by side
    places = np.flatnonzero(np.isin(hashes, hashes[order[1:][same_text & ~same_both]]))
    _, first, group = np.unique(hashes[places], return_index=True, return_inverse=True)
    yield from _finding("contradictions", "train", train, places[np.argsort(first[group], kind="stable")])


def _leaks(
    train: Labelled, valid: Labelled, theirs: Places, own: Places, labels: Labels
) -> Iterator[Finding]:
    leaked = np.isin(own, theirs)
    both = {(text, label) for text, label in zip(theirs.tolist(), _label_hashes(train).tolist(), strict=True)}
    rows = zip(own.tolist(), _label_hashes(valid).tolist(), strict=True)
    agrees = np.fromiter((row in both for row in rows), np.bool_, len(valid))
    if labels.kind == "number":
        agrees[:] = True
    yield from _finding("leaks", "valid", valid, np.flatnonzero(leaked & agrees))
    yield from _finding("leaks (other label)", "valid", valid, np.flatnonzero(leaked & ~agrees))


def _classes(train: Labelled, valid: Labelled | None, labels: Labels) -> Iterator[Finding]:
    if labels.kind == "number":
        return
    known = set(labels.names)
    if valid is not None:
        unknown = [place for place, label in enumerate(valid.labels) if not known.issuperset(_each(label))]
        yield from _finding("unknown label", "valid", valid, np.array(unknown, np.int64))
    few, detail = rare_classes(labels)
    places = [place for place, label in enumerate(train.labels) if not few.isdisjoint(_each(label))]
    yield from _finding("rare class", "train", train, np.array(places, np.int64), detail)


def rare_classes(labels: Labels) -> tuple[set[str], str]:
    """The classes with less than 1 % of the training examples, and how many and which they are, in words."""
    each = zip(labels.names, labels.counts, strict=True)
    few = {name for name, count in each if count < RARE * labels.total}
    shown = ", ".join(short(name) for name in sorted(few)[:EXAMPLES])
    more = ", …" if len(few) > EXAMPLES else ""
    return few, f"{len(few)} of {len(labels.names)} classes: {shown}{more}"


def _each(label: Label) -> tuple[str, ...]:
    return (label,) if isinstance(label, str) else label


def balance(labels: Labels) -> str:
    """How often each class is met, or the mean and spread of numbers, in words."""
    if labels.kind == "number":
        return f"numbers of mean {labels.mean:.4g} and standard deviation {labels.scale:.4g}"
    counts = Counter(dict(zip(labels.names, labels.counts, strict=True))).most_common()
    shown = [f"{short(name)} {count:,} ({count / labels.total:.1%})" for name, count in counts[:MOST_SHOWN]]
    more = f" and {len(counts) - MOST_SHOWN} more" if len(counts) > MOST_SHOWN else ""
    return f"{len(counts)} classes: {', '.join(shown)}{more}"


def _texts(texts: Labelled, part: str) -> Iterator[Finding]:
    whole = [_whole(texts, place) for place in range(len(texts))]
    lengths = np.fromiter(map(len, whole), np.float64, len(whole))
    scores = alignment.robust_scores(np.log(lengths), least=0.25)
    yield from _finding("very long", part, texts, np.flatnonzero(scores > 4))
    faults = [place for place, text in enumerate(whole) if not text.isascii() and MOJIBAKE.search(text)]
    marked = [
        place for place, text in enumerate(whole) if ("&" in text or "<" in text) and MARKUP.search(text)
    ]
    yield from _finding("encoding", part, texts, np.array(faults, np.int64))
    yield from _finding("markup", part, texts, np.array(marked, np.int64))


def _tokens_beyond(texts: Labelled, tokenizer: Tokenizer | None, max_length: int) -> NDArray[np.bool_]:
    """Which texts have more than ``max_length`` tokens; the bar of a pair counts as its special token."""
    whole = [_whole(texts, place) for place in range(len(texts))]
    # beyond() counts the token that ends a text; there is one before it, too
    return beyond(whole, tokenizer, max(1, max_length - 1))
