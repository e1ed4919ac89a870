"""The split by hash of the source side."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae.data.pairs import Pairs
from qkvae.data.splits import normalised, split_pairs

WORDS = st.sampled_from(
    ["dog", "Dog", "a cat", "a  cat", "ﬁsh", "fish", "Ⅳ", "iv", "straße", "STRASSE", "x", ""]
)


def numbered(count: int) -> Pairs:
    return Pairs([f"sentence {n}" for n in range(count)], [f"Satz {n}" for n in range(count)])


@settings(deadline=None)
@given(
    st.lists(st.tuples(WORDS | st.text(max_size=3), st.text(max_size=3)), min_size=2), st.floats(0.01, 0.99)
)
def test_nothing_is_lost_and_no_source_straddles(rows: list[tuple[str, str]], fraction: float) -> None:
    pairs = Pairs([source for source, _ in rows], [target for _, target in rows])
    if len({normalised(text) for text in pairs.sources}) < 2:
        with pytest.raises(ValueError, match="cannot be split"):
            split_pairs(pairs, fraction)
        return
    train, valid = split_pairs(pairs, fraction)
    assert sorted([*train.lines, *valid.lines]) == list(pairs.lines)
    for part in (train, valid):
        assert len(part) > 0
        assert list(part.lines) == sorted(part.lines)
        assert [(pairs.sources[n - 1], pairs.targets[n - 1]) for n in part.lines] == list(
            zip(part.sources, part.targets, strict=True)
        )
    assert not {normalised(text) for text in train.sources} & {normalised(text) for text in valid.sources}


def test_share_is_the_fraction() -> None:
    # 20,000 draws of probability 0.05: a standard deviation of 31
    assert abs(len(split_pairs(numbered(20_000), 0.05)[1]) - 1000) < 5 * 31


def test_side_stays_when_data_grows() -> None:
    few, many = (split_pairs(numbered(count), 0.2)[1] for count in (500, 900))
    assert few.sources == [text for text in many.sources if int(text.split()[1]) < 500]


def test_side_is_the_same_in_another_process() -> None:
    code = (
        "from qkvae.data.pairs import Pairs\nfrom qkvae.data.splits import split_pairs\n"
        "print(*split_pairs(Pairs([f'sentence {n}' for n in range(200)], ['x'] * 200), 0.1)[1].lines)"
    )
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert other.stdout.split() == [str(line) for line in split_pairs(numbered(200), 0.1)[1].lines]


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1])
def test_fraction_outside(fraction: float) -> None:
    with pytest.raises(ValueError, match=f"fraction is {fraction}"):
        split_pairs(numbered(10), fraction)
