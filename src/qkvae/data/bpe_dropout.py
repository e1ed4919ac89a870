"""BPE-dropout: encode a text differently each time, by skipping merges at random (Provilkov et al. 2020).

A word starts as its bytes.  At every step the merges that could be applied are listed, each is dropped with
probability p, and the best ranked of those left is applied; a step with none left ends the word (algorithm
1 of the paper).  So of the k candidates, best first, number i (from 0) is applied with probability (1 - p)
pⁱ, and the word ends with probability pᵏ: one geometric number decides a step.  The segmentations of a word
are the states of a small machine that is built as it is visited, and all words of a batch step through it
side by side.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qkvae.data.ragged import Ints, Ragged, Rows

Merges = Mapping[tuple[int, int], tuple[int, int]]
"""Two token ids to the rank of their merge (0 is applied first) and the id of what it makes."""

LONGEST = 40
"""Words of more bytes are segmented one by one: their segmentations are too many to be met twice."""

MOST_STATES = 600_000
"""The machine is forgotten and built anew when it has grown beyond this, about 350 MB."""

_UNVISITED = -1
_GONE = -1


class MergeTable:
    """The distinct words of some texts, and the machine of their segmentations.

    What it has learned makes it quicker and never changes an answer.
    """

    def __init__(self, merges: Merges, spelling: Sequence[Sequence[int]]) -> None:
        """
        Args:
            merges: the tokenizer's merges.
            spelling: for every token id, the ids of its bytes.
        """
        self.merges = merges
        self._spelling = spelling
        self._numbers: dict[bytes, int] = {}  # by the token ids of the word, int32
        self._encoded: list[bytes] = []
        self._machine = _Machine(merges)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_machine": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._machine = _Machine(self.merges)

    def number(self, texts: Ragged, word_of: NDArray[np.int32]) -> Ragged:
        """Number the words of encoded texts.

        Args:
            texts: the token ids of every text, no merge dropped.
            word_of: for every token of them, which word of its text it belongs to.
        """
        total = len(texts.flat)
        begins = np.zeros(total + 1, np.bool_)
        begins[1:total] = word_of[1:] != word_of[:-1]
        begins[texts.starts] = True
        begins[total] = False
        cuts = [*np.flatnonzero(begins).tolist(), total]
        ids, width, known = texts.flat.tobytes(), texts.flat.itemsize, self._numbers
        keys = [ids[start * width : end * width] for start, end in itertools.pairwise(cuts)]
        numbers = np.fromiter((known.setdefault(key, len(known)) for key in keys), np.int32, len(keys))
        self._encoded.extend(itertools.islice(known, len(self._encoded), None))
        before = np.concatenate([[0], np.cumsum(begins)])  # words that begin before each token
        return Ragged(numbers, before[texts.starts])

    def encoded(self, words: NDArray[np.int32]) -> Ragged:
        """The token ids of every word, no merge dropped; one row each."""
        distinct, place = _distinct(words)
        return Ragged.from_lists([self._tokens(word) for word in distinct])[place]

    def sample(self, words: NDArray[np.int32], p: float, generator: np.random.Generator) -> Ragged:
        """A segmentation for every word, drawn independently; one row each."""
        if len(self._machine) > MOST_STATES:
            self._machine = _Machine(self.merges)
        distinct, place = _distinct(words)
        spelled = [self._spelled(word) for word in distinct]
        short = [spelling if len(spelling) <= LONGEST else () for spelling in spelled]
        states = self._machine.walk(self._machine.enter(short)[place], p, generator)
        long = np.flatnonzero(np.fromiter(map(len, spelled), np.int64, len(spelled))[place] > LONGEST)
        generators = generator.spawn(len(long))
        rows = [
            segment(spelled[at], self.merges, p, own)
            for at, own in zip(map(int, place[long]), generators, strict=True)
        ]
        states[long] = len(self._machine) + np.arange(len(long))
        return Ragged.concatenate([self._machine.segmentations, Ragged.from_lists(rows)])[states]

    def history(self, word: int) -> list[list[int]]:
        """A word's segmentations from its bytes to its tokens, one merge after the other."""
        return self._machine.path(self._spelled(word))

    def _tokens(self, word: int) -> list[int]:
        """The token ids of a word, no merge dropped."""
        return np.frombuffer(self._encoded[word], np.int32).tolist()

    def _spelled(self, word: int) -> tuple[int, ...]:
        """The ids of a word's bytes."""
        return tuple(byte for token in self._tokens(word) for byte in self._spelling[token])


@dataclass(frozen=True, eq=False)
class Words:
    """Texts as the numbers of their words: what is needed to encode them again and again."""

    numbers: Ragged
    """The words of every text, by their number in the table."""

    table: MergeTable
    """The distinct words."""

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, rows: Rows) -> Words:
        return Words(self.numbers[rows], self.table)

    def encode(self) -> Ragged:
        """The token ids of every text, no merge dropped."""
        return self._joined(self.table.encoded(self.numbers.flat))

    def sample(self, p: float, seed: int | Sequence[int]) -> Ragged:
        """The token ids of every text, each merge dropped with probability p at every step.

        A pure function of (the texts, p, seed), whatever was sampled before.

        Raises:
            ValueError: p is outside [0, 1].
        """
        if not 0 <= p <= 1:
            raise ValueError(f"the probability of dropping a merge is {p}, but must be between 0 and 1")
        return self._joined(self.table.sample(self.numbers.flat, p, np.random.default_rng(seed)))

    def _joined(self, words: Ragged) -> Ragged:
        return Ragged(words.flat, words.starts[self.numbers.starts])


def segment(spelling: Sequence[int], merges: Merges, p: float, generator: np.random.Generator) -> list[int]:
    """Segment one word of any length, in O(length · log(length)) for p well below 1.

    Args:
        spelling: the ids of the word's bytes.
        merges: the tokenizer's merges.
        p: the probability that a merge is dropped at a step.
        generator: where the randomness comes from.
    """
    tokens: list[int] = list(spelling)
    after = list(range(1, len(tokens) + 1))  # the token to the right; len(tokens) is the end
    before = list(range(-1, len(tokens) - 1))
    heap: list[tuple[int, int, int, int]] = []  # rank, place, left id, right id

    def offer(left: int) -> None:
        if left >= 0 and after[left] < len(tokens):
            pair = tokens[left], tokens[after[left]]
            if pair in merges:
                heapq.heappush(heap, (merges[pair][0], left, *pair))

    def current(place: int, left: int, right: int) -> bool:
        return tokens[place] == left and after[place] < len(tokens) and tokens[after[place]] == right

    for place in range(len(tokens) - 1):
        offer(place)
    while heap:
        skipped: list[tuple[int, int, int, int]] = []
        skip = int(min(_skips(1, p, generator)[0], len(tokens)))
        while heap and not (current(*heap[0][1:]) and len(skipped) == skip):
            candidate = heapq.heappop(heap)
            if current(*candidate[1:]):
                skipped.append(candidate)
        if not heap:
            break
        _, left, *_ = heapq.heappop(heap)
        for candidate in skipped:
            heapq.heappush(heap, candidate)
        right = after[left]
        tokens[left], tokens[right] = merges[tokens[left], tokens[right]][1], _GONE
        after[left] = after[right]
        if after[left] < len(tokens):
            before[after[left]] = left
        offer(left)
        offer(before[left])
    return [token for token in tokens if token != _GONE]


def _distinct(words: NDArray[np.int32]) -> tuple[list[int], Ints]:
    """The distinct words, and for every word its place among them."""
    distinct, place = np.unique(words, return_inverse=True)
    return distinct.tolist(), place.astype(np.int64)


def _skips(count: int, p: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """How many candidates are dropped before the first that is not: i with probability (1 - p) pⁱ."""
    if p in (0, 1):
        return np.full(count, np.inf if p else 0.0)
    return np.floor(generator.standard_exponential(count) / -math.log(p))


class _Machine:
    """The segmentations that were met (states) and where each of their merges leads.

    State 0 is the empty word.  The merges of state s, best first, are the slots first[s] … first[s + 1] - 1.
    """

    def __init__(self, merges: Merges) -> None:
        self._merges = merges
        self._states: dict[tuple[int, ...], int] = {}
        self._flat = _Column(np.int32)
        self._starts = _Column(np.int64, 0)
        self._first = _Column(np.int64, 0)
        self._owner = _Column(np.int32)
        self._next = _Column(np.int32)
        self.enter([()])

    def __len__(self) -> int:
        return len(self._states)

    @property
    def segmentations(self) -> Ragged:
        """The token ids of every state."""
        return Ragged(self._flat.values, self._starts.values)

    def enter(self, segmentations: Iterable[tuple[int, ...]]) -> Ints:
        """The states of these segmentations; new ones are added, their slots still leading nowhere."""
        known = len(self._states)
        states = [self._states.setdefault(each, len(self._states)) for each in segmentations]
        new = list(itertools.islice(self._states, known, None))
        fans = [len(self._candidates(each)) for each in new]
        self._flat.extend(np.fromiter(itertools.chain.from_iterable(new), np.int32))
        self._starts.extend(np.cumsum([len(each) for each in new]) + self._starts.values[-1])
        self._first.extend(np.cumsum(fans) + self._first.values[-1])
        self._owner.extend(np.repeat(np.arange(known, len(self._states)), fans))
        self._next.extend(np.full(sum(fans), _UNVISITED))
        return np.array(states, np.int64)

    def walk(self, states: Ints, p: float, generator: np.random.Generator) -> Ints:
        """Where every word ends that starts in one of these states."""
        states, active = states.copy(), np.arange(len(states))
        while len(active):
            first = self._first.values
            here = first[states[active]]
            fan = first[states[active] + 1] - here
            skips = _skips(len(active), p, generator)
            goes = skips < fan
            active = active[goes]
            slots = here[goes] + skips[goes].astype(np.int64)
            self._explore(slots)
            states[active] = self._next.values[slots]
        return states

    def path(self, tokens: tuple[int, ...]) -> list[list[int]]:
        """A segmentation and all that follow from it when the best merge is applied each time."""
        path = [list(tokens)]
        while candidates := self._candidates(tokens):
            tokens = self._merged(tokens, candidates[0][1])
            path.append(list(tokens))
        return path

    def _explore(self, slots: Ints) -> None:
        """Find out where these slots lead, if that is not known."""
        slots = slots[self._next.values[slots] == _UNVISITED]
        if not len(slots):
            return
        slots = np.unique(slots)
        owners: Ints = self._owner.values[slots]
        ranks: Ints = slots - self._first.values[owners]
        starts, flat = self._starts.values, self._flat.values
        reached: list[tuple[int, ...]] = []
        for state, rank in zip(map(int, owners), map(int, ranks), strict=True):
            tokens = tuple(flat[starts[state] : starts[state + 1]].tolist())
            reached.append(self._merged(tokens, self._candidates(tokens)[rank][1]))
        self._next.values[slots] = self.enter(reached)

    def _merged(self, tokens: tuple[int, ...], place: int) -> tuple[int, ...]:
        made = self._merges[tokens[place], tokens[place + 1]][1]
        return (*tokens[:place], made, *tokens[place + 2 :])

    def _candidates(self, tokens: tuple[int, ...]) -> list[tuple[int, int]]:
        """The merges that could be applied: rank and place, best first."""
        merges = self._merges
        pairs = enumerate(itertools.pairwise(tokens))
        return sorted((merges[pair][0], place) for place, pair in pairs if pair in merges)


class _Column:
    """An array that grows at its end."""

    def __init__(self, dtype: type[np.integer[Any]], *values: int) -> None:
        self._room = np.array(values, dtype)
        self._size = len(values)

    @property
    def values(self) -> NDArray[Any]:
        """What is in it, as a view."""
        return self._room[: self._size]

    def extend(self, values: NDArray[Any]) -> None:
        """Add values at the end."""
        size = self._size + len(values)
        if size > len(self._room):
            self._room = np.concatenate([self.values, np.empty(size, self._room.dtype)])
        self._room[self._size : size] = values
        self._size = size
