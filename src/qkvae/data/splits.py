"""A validation part split off by hash of the source side, so that repeated sentences never straddle."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from qkvae.data.pairs import EXAMPLES, Note, Pairs


def normalised(text: str) -> str:
    """What two sentences must share to count as the same one: NFKC, no case, single spaces.

    >>> normalised("  Two DOGS\\u00a0play. ") == normalised("two dogs play.")
    True
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return " ".join(text.casefold().split())


def split_pairs(pairs: Pairs, fraction: float) -> tuple[Pairs, Pairs]:
    """Split into (train, valid) by where the hash of the normalised source falls: valid if h / 2⁶⁴ <
    fraction.

    The hash is BLAKE2b, the same on every machine and in every process.  Equal sources fall on one side,
    however often and with whatever targets they occur, and a pair keeps its side when others are added or
    taken away.  The share is exact on average only.  In small data where no hash (or every hash) falls below
    the fraction, the source of the lowest (highest) hash alone changes sides, so that neither part is empty.

    Raises:
        ValueError: the fraction is not inside (0, 1), or there are fewer than two different sources.

    >>> pairs = Pairs([f"{n} dogs" for n in range(100)], [f"{n} Hunde" for n in range(100)])
    >>> train, valid = split_pairs(pairs, 0.1)
    >>> len(train), len(valid), valid.sources[0], valid.lines[0]
    (90, 10, '1 dogs', 2)
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction is {fraction}, but must be greater than 0 and less than 1")
    hashes = source_hashes(pairs.sources)
    if len(hashes) == 0 or hashes.min() == hashes.max():
        count = min(len(hashes), 1)
        raise ValueError(
            f"{len(hashes)} pairs with {count} different sources cannot be split: give at least two"
        )
    chosen = chosen_by_hash(hashes, fraction)
    train, valid = (pairs.select(np.flatnonzero(part).tolist()) for part in (~chosen, chosen))
    return replace(train, notes=pairs.notes), valid


def chosen_by_hash(hashes: NDArray[np.uint64], fraction: float) -> NDArray[np.bool_]:
    """Which hashes fall below the fraction of their range.

    Where none (every one) does, the lowest (all but the highest) are chosen: neither part is empty.
    """
    chosen = hashes < np.uint64(int(fraction * 2**64))
    if not chosen.any():
        return hashes == hashes.min()
    return hashes != hashes.max() if chosen.all() else chosen


def without_unmet(
    chosen: NDArray[np.bool_], hashes: NDArray[np.uint64], labels: Sequence[str | tuple[str, ...]]
) -> tuple[NDArray[np.bool_], list[int]]:
    """Leave examples whose class no other part would have, and their copies, where they can be learned from.

    Where none stays chosen, that of the lowest hash is whose class another part has.

    Returns:
        what stays chosen, and the places of those that were left.

    Raises:
        ValueError: no class has two examples.

    >>> without_unmet(np.array([True, False, True]), np.arange(3, dtype=np.uint64), ["a", "a", "b"])
    (array([ True, False, False]), [2])
    """
    held = [{label} if isinstance(label, str) else set(label) for label in labels]
    there = {name for names, part in zip(held, chosen, strict=True) if not part for name in names}
    unmet = chosen & np.fromiter((not names <= there for names in held), np.bool_, len(held))
    left = chosen & np.isin(hashes, hashes[unmet])
    if chosen.any() and left.sum() == chosen.sum():
        picked = _spare(hashes, held)
        return picked, np.flatnonzero(left & ~picked).tolist()
    return chosen & ~left, np.flatnonzero(left).tolist()


def _spare(hashes: NDArray[np.uint64], held: Sequence[set[str]]) -> NDArray[np.bool_]:
    """The examples of the lowest hash of those whose classes all stand under another one, too.

    Raises:
        ValueError: there are none.
    """
    together: dict[int, set[str]] = {}
    for key, names in zip(hashes.tolist(), held, strict=True):
        together.setdefault(key, set()).update(names)
    often = Counter(name for names in together.values() for name in names)
    spare = [key for key, names in together.items() if all(often[name] > 1 for name in names)]
    if not spare:
        raise ValueError(
            "each class has one example alone, so none can be split off: give more, or name a part to "
            "validate on (--valid)"
        )
    return hashes == np.uint64(min(spare))


def kept_note(kept: Sequence[int], where: Callable[[int], str], what: str) -> tuple[Note, ...]:
    """What is said of examples that were not split off, if there are any; `where` tells their places."""
    if not kept:
        return ()
    examples = tuple(where(place) for place in kept[:EXAMPLES])
    said = f"{what} were kept for training, which would not know their class"
    return (Note("kept", len(kept), said, examples),)


def source_hashes(texts: list[str]) -> NDArray[np.uint64]:
    """64-bit BLAKE2b of each normalised text."""
    digests = b"".join(
        blake2b(normalised(text).encode("utf-8", "surrogatepass"), digest_size=8).digest() for text in texts
    )
    return np.frombuffer(digests, "<u8").astype(np.uint64)
