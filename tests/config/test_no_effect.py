"""A setting without effect is refused when it is given, and only then."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from qkvae.config import (
    Block,
    Masking,
    Optimizer,
    PatchMasking,
    PictureData,
    Translation,
    TranslationData,
    from_dict,
)


@pytest.mark.parametrize(
    ("kind", "settings", "message"),
    [
        (Optimizer, {"cooldown": 0.3}, "cooldown 0.3 has no effect with schedule linear: leave it out"),
        (Optimizer, {"name": "adamw", "momentum": 0.95}, "momentum 0.95 has no effect with name adamw"),
        (
            Block,
            {"positions": "learned", "base": 10000.0},
            "base 10000.0 has no effect",
        ),
        (Block, {"positions": "alibi", "base": 2.0}, "base 2.0 has no effect with positions alibi"),
        (
            TranslationData,
            {"paths": ("t.en", "t.de"), "valid": ("v.en", "v.de"), "valid_fraction": 0.05},
            "valid_fraction 0.05 has no effect with valid v.en v.de: leave it out",
        ),
    ],
)
def test_given_without_effect_it_is_refused_even_at_its_default(
    kind: Any, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        kind(**settings)


@pytest.mark.parametrize("part", [0.0, 1.0, -0.1, float("nan"), float("inf")])
def test_a_part_that_is_neither_nothing_nor_all_is_refused_in_one_sentence(part: float) -> None:
    for kind, name in ((PatchMasking, "seen"), (PictureData, "valid_fraction"), (Masking, "mask_rate")):
        with pytest.raises(ValueError, match=f"{name} is {part}, but must be greater than 0 and less than 1"):
            kind(**{name: part})


def test_with_effect_it_is_taken_and_checked() -> None:
    assert Optimizer(schedule="wsd", cooldown=0.2).cooldown_or_default == 0.2
    assert Optimizer(momentum=0.0).momentum_or_default == 0.0
    assert Block(positions="rotary", base=500.0).base_or_default == 500.0
    assert TranslationData(valid_fraction=0.1).valid_fraction_or_default == 0.1
    with pytest.raises(ValueError, match=r"momentum is 1.0, but must be at least 0 and less than 1"):
        Optimizer(momentum=1.0)
    with pytest.raises(ValueError, match=r"base is 0.0, but must be greater than 0"):
        Block(base=0.0)


def test_not_given_it_never_stands_in_the_way() -> None:
    """Choosing what makes it idle is no reason to refuse a default that nobody typed."""
    config = Translation()
    replace(config.optimizer, name="adamw", schedule="cosine")
    replace(config.model.block, positions="none")
    replace(config.data, paths=("t.en", "t.de"), valid=("v.en", "v.de"))
    read = from_dict(Translation, {"optimizer": {"name": "adamw"}, "data": {"paths": ["t"], "valid": ["v"]}})
    assert (read.optimizer.momentum, read.data.valid_fraction) == (None, None)
