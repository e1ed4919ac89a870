"""What the check finds in pictures, each fault planted and nothing else found."""

from __future__ import annotations

import numpy as np
import pytest

from qkvae.data.check_pictures import check_pictures
from qkvae.data.pictures import Pictures


def some(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 1, 6, 6), np.uint8)


def labelled(values: np.ndarray, names: list[str] | None = None) -> Pictures:
    return Pictures(values, names or ["cat" if n % 2 else "dog" for n in range(len(values))])  # type: ignore[arg-type]


def found(train: Pictures, valid: Pictures | None = None) -> dict[tuple[str, str], int]:
    return {(each.kind, each.part): each.count for each in check_pictures(train, valid).findings}


def test_nothing_odd() -> None:
    report = check_pictures(labelled(some(40)), labelled(some(10, seed=1)))
    assert not report.findings
    assert "nothing odd was found" in str(report)
    assert "2 classes: cat 20 (50.0%), dog 20 (50.0%)" in str(report)
    assert "size 6 × 6, 1 channel" in str(report)


def test_every_planted_fault_is_found() -> None:
    values = some(40)
    values[2] = values[0]  # the same picture and label
    values[5] = values[4]  # another label
    values[7] = 9
    values[9] = 100
    values[9, 0, 0, 0] = 102
    valid = some(10, seed=1)
    valid[0], valid[1] = values[10], values[12]
    train = labelled(values)
    test = labelled(valid, ["dog", "cat", *["bird"] * 8])
    assert found(train, test) == {
        ("duplicates", "train"): 1,
        ("contradictions", "train"): 2,
        ("leaks", "valid"): 1,
        ("leaks (other label)", "valid"): 1,
        ("unknown label", "valid"): 8,
        ("blank", "train"): 1,
        ("nearly blank", "train"): 1,
    }
    shown = str(check_pictures(train, test))
    assert "picture 3: picture 3  →  dog" in shown


def test_rare_classes_and_pictures_without_labels() -> None:
    names = ["cat", *["dog"] * 120]
    assert found(labelled(some(121), names)) == {("rare class", "train"): 1}
    assert found(Pictures(some(5))) == {}


def test_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="have size 5 × 6, but those trained on have 6 × 6"):
        check_pictures(labelled(some(20)), labelled(some(4)[:, :, :5]))
