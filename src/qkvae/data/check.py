"""What is odd about sentence pairs, before a training is spent on them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from qkvae.data import alignment
from qkvae.data.findings import Finding, Places, Report, finding
from qkvae.data.pairs import BLOCK, Pairs
from qkvae.data.splits import normalised
from qkvae.data.tokenizer import Tokenizer
from qkvae.data.trigrams import Sides

BYTES_PER_TOKEN = 4
"""UTF-8 bytes that a token of a tokenizer of 8,000 pieces spans, roughly, in any script."""

# UTF-8 once read as cp1252: the first byte of a letter, then what the bytes that go on with it become there
_GOES_ON = (
    "[\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013-\u203a\u20ac\u2122]"
)
MOJIBAKE = re.compile(f"\ufffd|[ÂÃ]{_GOES_ON}|â€|(?:[ÐÑ]{_GOES_ON}){{2}}|(?:[ÎÏ]{_GOES_ON}){{2}}")
"""What UTF-8 looks like that was once decoded as something else."""

MARKUP = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d+);|</?[A-Za-z][^<>]*>")
"""HTML that was left in a text."""


def check_pairs(
    train: Pairs, valid: Pairs | None = None, tokenizer: Tokenizer | None = None, max_length: int = 256
) -> Report:
    """Look for what spoils a training; nothing is changed.

    Kinds of finding, for ``train`` and, where it applies, for ``valid``:

    - ``duplicates``, ``several targets`` (one source, different translations), ``leaks`` (valid pairs whose
      source, target or both stand in train); sentences are equal if ``splits.normalised`` makes them so;
    - ``very long`` (log length beyond 4 robust standard deviations), ``length ratio`` (beyond 5: likely
      misaligned), ``misaligned`` (stretches where one side has slipped), ``unrelated`` (sides whose lengths
      have nothing in common), see ``alignment``;
    - ``swapped``, ``wrong language``, ``neither language``: by letter trigrams learned from the two sides of
      train, see ``trigrams``;
    - ``untranslated`` (both sides the same), ``encoding`` (UTF-8 once read as something else, U+FFFD),
      ``markup``;
    - ``cut``: a side of more than ``max_length`` tokens, the end token included, which training leaves out.
      Without a tokenizer tokens are estimated at four bytes each, and a remark says so.

    What is said about language and alignment is a statistic and no proof: look at the examples.

    Raises:
        ValueError: ``max_length`` is below 1, or a part is empty.

    >>> sources = [f"{n} dogs bark at {n * n} cats" for n in range(40)]
    >>> targets = [f"{n} Hunde bellen {n * n} Katzen an" for n in range(39)] + ["???"]
    >>> (found,) = check_pairs(Pairs(sources, targets)).findings
    >>> found.kind, found.count, found.examples[0].line
    ('length ratio', 1, 40)
    """
    if max_length < 1:
        raise ValueError(f"max_length is {max_length}, but must be at least 1")
    parts = {"train": train} if valid is None else {"train": train, "valid": valid}
    for name, pairs in parts.items():
        if not len(pairs):
            raise ValueError(f"{name} holds no pairs: there is nothing to check")
    hashes = {name: _hashes(pairs) for name, pairs in parts.items()}
    findings = list(_repeated(train, *hashes["train"]))
    if valid is not None:
        findings += _leaks(valid, hashes["train"], hashes["valid"])
    del hashes
    sides = Sides.learn(train)
    remarks: list[str] = []
    if not sides.differ:
        remarks.append("the two sides look alike, letter by letter: their languages were not judged")
    if tokenizer is None:
        remarks.append(f"no tokenizer was given: tokens were estimated at {BYTES_PER_TOKEN} bytes each")
    for name, pairs in parts.items():
        findings += _lengths(pairs, name)
        findings += _alignment(pairs, name, remarks)
        if sides.differ:
            findings += _languages(pairs, name, sides)
        findings += _texts(pairs, name)
        long = beyond(pairs.sources, tokenizer, max_length) | beyond(pairs.targets, tokenizer, max_length)
        findings += finding("cut", name, pairs, np.flatnonzero(long), f"max_length is {max_length}")
    notes = tuple(note for pairs in parts.values() for note in pairs.notes)
    return Report(len(train), len(valid or ()), tuple(findings), notes, tuple(remarks))


def _hashes(pairs: Pairs) -> tuple[Places, Places]:
    """64-bit hashes of both sides, normalised; kept only while this process lives, so Python's own will
    do."""
    count = len(pairs)
    return (
        np.fromiter((hash(normalised(text)) for text in pairs.sources), np.int64, count),
        np.fromiter((hash(normalised(text)) for text in pairs.targets), np.int64, count),
    )


def _repeated(pairs: Pairs, sources: Places, targets: Places) -> Iterator[Finding]:
    order = np.lexsort((targets, sources))
    same_source = sources[order[1:]] == sources[order[:-1]]
    same_both = same_source & (targets[order[1:]] == targets[order[:-1]])
    # lexsort is stable, so of equal pairs the first keeps its place and the later ones count
    yield from finding("duplicates", "train", pairs, np.sort(order[1:][same_both]))
    # among neighbours of one source the target changes: all pairs of that source are shown, side by side
    places = np.flatnonzero(np.isin(sources, sources[order[1:][same_source & ~same_both]]))
    _, first, group = np.unique(sources[places], return_index=True, return_inverse=True)
    yield from finding("several targets", "train", pairs, places[np.argsort(first[group], kind="stable")])


def _leaks(valid: Pairs, train: tuple[Places, Places], own: tuple[Places, Places]) -> Iterator[Finding]:
    source, target = (np.isin(mine, theirs) for mine, theirs in zip(own, train, strict=True))
    yield from finding("leaks (source and target)", "valid", valid, np.flatnonzero(source & target))
    yield from finding("leaks (source)", "valid", valid, np.flatnonzero(source & ~target))
    yield from finding("leaks (target)", "valid", valid, np.flatnonzero(target & ~source))


def _lengths(pairs: Pairs, part: str) -> Iterator[Finding]:
    sides = alignment.letters(pairs)
    long = np.zeros(len(pairs), np.bool_)
    for side in sides:
        long |= alignment.robust_scores(np.log(side), least=0.25) > 4
    yield from finding("very long", part, pairs, np.flatnonzero(long))
    if len(pairs) >= alignment.FEWEST:
        odd = np.abs(alignment.ratio_scores(*sides)) > 5
        yield from finding("length ratio", part, pairs, np.flatnonzero(odd))


def _alignment(pairs: Pairs, part: str, remarks: list[str]) -> Iterator[Finding]:
    stretches, related = alignment.stretches(*alignment.letters(pairs))
    if related is None:
        remarks.append(f"{part}: too few lines, or too equal in length, to tell whether a side has slipped")
    if related is False:
        yield from finding("unrelated", part, pairs, np.arange(len(pairs)))
    for stretch in stretches:
        detail = f"About lines {pairs.lines[stretch.first]} to {pairs.lines[stretch.last]} fit "
        if stretch.shift is None:
            detail += "no line nearby"
        else:
            way = "later" if stretch.shift > 0 else "earlier"
            detail += f"the target {abs(stretch.shift)} line(s) {way}"
        yield from finding("misaligned", part, pairs, np.arange(stretch.first, stretch.last + 1), detail)


def _languages(pairs: Pairs, part: str, sides: Sides) -> Iterator[Finding]:
    sources, targets = sides.judge(pairs, seen=part == "train")
    # a change of places shows on both sides, so the second one needs less to be believed
    swapped = (sources.foreign & (targets.ratio < -0.3)) | (targets.foreign & (sources.ratio < -0.3))
    wrong = (sources.foreign | targets.foreign) & ~swapped
    neither = (sources.strange | targets.strange) & ~swapped & ~wrong
    yield from finding("swapped", part, pairs, np.flatnonzero(swapped))
    yield from finding("wrong language", part, pairs, np.flatnonzero(wrong))
    yield from finding("neither language", part, pairs, np.flatnonzero(neither))


def _texts(pairs: Pairs, part: str) -> Iterator[Finding]:
    same: list[int] = []
    faults: list[int] = []
    marked: list[int] = []
    for place, (source, target) in enumerate(zip(pairs.sources, pairs.targets, strict=True)):
        if len(source) == len(target) and source.casefold() == target.casefold():
            same.append(place)
        if not (source.isascii() and target.isascii()) and (
            MOJIBAKE.search(source) or MOJIBAKE.search(target)
        ):
            faults.append(place)
        for text in (source, target):
            if ("&" in text or "<" in text) and MARKUP.search(text):
                marked.append(place)
                break
    for kind, places in (("untranslated", same), ("encoding", faults), ("markup", marked)):
        yield from finding(kind, part, pairs, np.array(places, np.int64))


def beyond(texts: list[str], tokenizer: Tokenizer | None, max_length: int) -> NDArray[np.bool_]:
    """Which texts have more than ``max_length`` tokens, the end token included."""
    lengths = (len(text) if text.isascii() else len(text.encode("utf-8", "replace")) for text in texts)
    sizes = np.fromiter(lengths, np.int64, len(texts))
    if tokenizer is None:
        return sizes > BYTES_PER_TOKEN * (max_length - 1)
    # a token spans at least one byte, so only lines of more bytes than that are worth encoding
    longer = sizes >= max_length
    places = [int(place) for place in np.flatnonzero(longer)]
    for start in range(0, len(places), BLOCK):
        block = places[start : start + BLOCK]
        longer[block] = tokenizer.encode_batch([texts[place] for place in block]).lengths >= max_length
    return longer
