"""Exact match and F₁ are SQuAD's: those of torchmetrics, and of cases set by hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qkvae import metrics

WORDS = st.sampled_from(["The", "a", "an", "sky", "Sky,", "blue-ish", "it's", "(1998)", "été", "—", "then"])
TEXTS = st.lists(WORDS, min_size=1, max_size=5).map(" ".join)


@settings(max_examples=150, deadline=None)
@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_they_are_those_of_torchmetrics(answer: str, accepted: list[str]) -> None:
    squad = pytest.importorskip("torchmetrics.functional.text").squad
    found = squad(
        [{"prediction_text": answer, "id": "1"}],
        [{"answers": {"answer_start": [0] * len(accepted), "text": accepted}, "id": "1"}],
    )
    assert metrics.exact_match(answer, accepted) * 100 == pytest.approx(float(found["exact_match"]))
    assert metrics.f1(answer, accepted) * 100 == pytest.approx(float(found["f1"]), rel=1e-5)


@pytest.mark.parametrize(
    ("answer", "accepted", "exact", "f1"),
    [
        ("Denver Broncos", ["Denver Broncos", "The Broncos"], 1, 1),
        ("the Denver Broncos", ["Broncos"], 0, 2 / 3),
        ("a cat, a cat", ["cat"], 0, 2 / 3),
        ("42", ["42%"], 1, 1),
        ("", [], 1, 1),
        ("anything", [], 0, 0),
        ("", ["something"], 0, 0),
    ],
)
def test_by_hand(answer: str, accepted: list[str], exact: float, f1: float) -> None:
    assert metrics.exact_match(answer, accepted) == exact
    assert metrics.f1(answer, accepted) == pytest.approx(f1)
