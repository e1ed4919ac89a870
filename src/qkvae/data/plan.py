"""Which examples make up which batch: little padding, few shapes, shuffled as (seed, epoch) say."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from qkvae.data.ragged import Ints

MULTIPLE = 4
"""Lengths are rounded up to a multiple of this, so that the same shapes come again."""

ROWS = 8
"""Rows of a batch are a multiple of this, where there are enough."""

SLACK = 1.25
"""Left-over examples fill batches up to so many times the tokens asked; above, full batches are broken up
too."""


def rounded(lengths: Ints, multiple: int = MULTIPLE) -> Ints:
    """Lengths rounded up to a multiple.

    >>> rounded(np.array([1, 4, 5])).tolist()
    [4, 4, 8]
    """
    return -(-lengths // multiple) * multiple


def plan_epoch(
    source_lengths: Ints,
    target_lengths: Ints,
    tokens: int,
    seed: int,
    epoch: int,
    batches: int | None = None,
) -> list[Ints]:
    """Batches of about ``tokens`` target tokens in which every example is once, in random order.

    Examples whose source and target lengths, with EOS and rounded up to a multiple of 4, are equal fill
    batches of one fixed shape.  Those left over are sorted by these lengths and cut into the batches that
    are still due.

    Args:
        source_lengths: tokens of every source sentence, without EOS.
        target_lengths: tokens of every target sentence, without EOS.
        tokens: target tokens in a batch, EOS counted, padding not.
        seed: with ``epoch``, decides everything random.
        epoch: counted from 0.
        batches: how many batches to make; as many as give ``tokens`` on average if not given.

    Returns:
        The examples' numbers in every batch.
    """
    generator = np.random.default_rng([seed, epoch, 1])
    sources, targets = source_lengths + 1, target_lengths + 1
    if batches is None:
        batches = max(1, min(round(int(targets.sum()) / tokens), len(targets) // ROWS))
    order = np.lexsort((generator.random(len(targets)), rounded(sources), rounded(targets)))
    full, rest = _full_batches(order, sources, targets, tokens)
    generator.shuffle(full)
    rows, held = len(rest), int(targets[rest].sum())
    broken: list[Ints] = []
    while full and (-(-rows // ROWS) < batches - len(full) or held > SLACK * tokens * (batches - len(full))):
        broken.append(full.pop())
        rows, held = rows + len(broken[-1]), held + int(targets[broken[-1]].sum())
    rest = np.concatenate([rest, *broken])
    plan = [*full, *_cut(rest, sources, targets, batches - len(full))]
    generator.shuffle(plan)
    return plan


def _full_batches(order: Ints, sources: Ints, targets: Ints, tokens: int) -> tuple[list[Ints], Ints]:
    """Batches of equal rounded lengths, and the examples that are too few for one."""
    full: list[Ints] = []
    rest: list[Ints] = []
    shape = rounded(targets[order]) * (1 << 32) + rounded(sources[order])
    edges = [0, *(np.flatnonzero(np.diff(shape)) + 1), len(order)]
    for start, end in itertools.pairwise(edges):
        length = int(shape[start] >> 32) - (MULTIPLE - 1) / 2  # of an average target in this cell
        rows = max(1, round(tokens / length / ROWS)) * ROWS
        count = (end - start) // rows
        full.extend(order[start : start + count * rows].reshape(count, rows))
        rest.append(order[start + count * rows : end])
    return full, np.concatenate(rest)


def _cut(rest: Ints, sources: Ints, targets: Ints, batches: int) -> list[Ints]:
    """Examples in so many batches: consecutive in the order of their lengths, cut where it costs least.

    From one target length to the next the source lengths run up and down in turn, so that neighbours are
    alike.
    """
    if not len(rest):
        return []
    target, source = rounded(targets[rest]), rounded(sources[rest])
    rest = rest[np.lexsort((np.where(target // MULTIPLE % 2, source, -source), target))]
    cost = _costs(sources[rest], targets[rest], batches)
    return np.split(rest, _cheapest(cost, min(batches, cost.shape[1])) * ROWS)


def _costs(sources: Ints, targets: Ints, batches: int) -> NDArray[np.float64]:
    """What a batch of ``size`` blocks of 8 rows would cost whose last block is ``end``, at [size - 1, end].

    Its area, rows x (source length + target length), and d² typical areas more if its target tokens differ
    from an equal share by the part d.
    """
    starts = np.arange(0, len(targets), ROWS)
    blocks = len(starts)
    source, target = (rounded(np.maximum.reduceat(each, starts)) for each in (sources, targets))
    tokens, rows = np.add.reduceat(targets, starts), np.diff(starts, append=len(targets))
    share, typical = tokens.sum() / batches, (rows * (source + target)).sum() / batches
    longest_source, longest_target, all_tokens, all_rows = (
        source.copy(),
        target.copy(),
        tokens.copy(),
        rows.copy(),
    )
    cost = np.full((min(blocks, 2 * blocks // batches + 2), blocks), np.inf)
    for more in range(len(cost)):
        if more:
            np.maximum(longest_source[more:], source[:-more], out=longest_source[more:])
            np.maximum(longest_target[more:], target[:-more], out=longest_target[more:])
            all_tokens[more:] += tokens[:-more]
            all_rows[more:] += rows[:-more]
        area = all_rows * (longest_source + longest_target)
        cost[more, more:] = (area + typical * (all_tokens / share - 1) ** 2)[more:]
    return cost


def _cheapest(cost: NDArray[np.float64], batches: int) -> Ints:
    """Where to cut into so many batches that their costs add up to the least, by dynamic programming.

    After b batches that end with block e the least cost is B(b, e) = min over size of B(b - 1, e - size) +
    cost.
    """
    sizes, blocks = cost.shape
    least = np.full(sizes + blocks, np.inf)  # least[sizes + e] is B(b, e)
    least[sizes - 1] = 0
    chosen = np.empty((batches, blocks), np.int64)
    for batch in range(batches):
        before = np.lib.stride_tricks.sliding_window_view(least[:-1], sizes)[:, ::-1].T
        total = before + cost
        chosen[batch] = total.argmin(0)
        least = np.concatenate([np.full(sizes, np.inf), total.min(0)])
    edges = [blocks]
    for batch in range(batches - 1, 0, -1):
        edges.append(edges[-1] - 1 - int(chosen[batch, edges[-1] - 1]))
    return np.array(edges[:0:-1], np.int64)


def bucketed(source_lengths: Ints, target_lengths: Ints, tokens: int) -> list[Ints]:
    """Batches of at most ``tokens`` source or target tokens, padding counted, for evaluation: longest
    sources first.

    Nothing is random.  A sentence that is longer by itself is a batch of its own.

    >>> [rows.tolist() for rows in bucketed(np.array([3, 9, 2]), np.array([3, 8, 3]), tokens=16)]
    [[1], [0, 2]]
    """
    order = np.lexsort((-target_lengths, -source_lengths))
    lengths = rounded(np.maximum(source_lengths, target_lengths)[order] + 1).tolist()
    cuts, longest = [0], 0
    for place, length in enumerate(lengths):
        longest = max(longest, length)
        if place > cuts[-1] and longest * (place - cuts[-1] + 1) > tokens:
            cuts.append(place)
            longest = length
    return [part for part in np.split(order, cuts[1:]) if len(part)]
