"""Odd texts are found and named."""

from __future__ import annotations

from itertools import pairwise

import pytest

from qkvae.data.chat import Chats, Turn
from qkvae.data.check_documents import ADVICE, check_documents
from qkvae.data.documents import Documents

LINES = [f"Line {n} of a story that nobody has told before, {n * n} times over." for n in range(60)]


def kinds(train: Documents | Chats, valid: Documents | Chats | None = None) -> dict[tuple[str, str], int]:
    return {(found.kind, found.part): found.count for found in check_documents(train, valid).findings}


def test_each_kind_is_found_where_it_is() -> None:
    texts = [
        *LINES,
        LINES[3].upper(),
        "?",
        "Ã¤hnlich steht es geschrieben, und noch mehr",
        "a &amp; b is what somebody wrote there",
        "private \ue000 letters stand in this sentence",
    ]
    assert kinds(Documents(texts)) == {
        ("duplicates", "train"): 1,
        ("nearly empty", "train"): 1,
        ("encoding", "train"): 1,
        ("markup", "train"): 1,
        ("odd characters", "train"): 1,
    }


def test_nothing_odd_in_plain_texts() -> None:
    assert kinds(Documents(LINES[:30]), Documents(LINES[30:])) == {}


def test_leaks_of_whole_texts_and_of_passages() -> None:
    train = Documents(["\n".join(LINES[:20]), LINES[40]])
    valid = Documents([LINES[40], "\n".join(LINES[10:30]), "\n".join(LINES[50:])])
    assert kinds(train, valid) == {("leaks", "valid"): 1, ("leaks (passages)", "valid"): 1}


def test_a_line_that_stands_everywhere_is_shown() -> None:
    texts = [f"{one}\nAll rights reserved by the publisher.\n{other}" for one, other in pairwise(LINES)]
    (found,) = [each for each in check_documents(Documents(texts)).findings if each.kind == "repeated lines"]
    assert found.count == 59
    assert "All rights reserved" in found.detail


def test_conversations_that_are_too_long_for_a_row() -> None:
    long = (Turn("user", "Tell me a story."), Turn("assistant", " ".join(LINES)))
    short = (Turn("user", "How are you today, my friend?"), Turn("assistant", "Very well, I thank you."))
    report = check_documents(Chats([long, short]))
    assert [(found.kind, found.count, found.noun) for found in report.findings] == [
        ("cut", 1, "conversation")
    ]


def test_every_kind_has_its_advice_and_bad_lengths_are_refused() -> None:
    assert all(text.endswith((".", "?")) for text in ADVICE.values())
    with pytest.raises(ValueError, match="length is 0"):
        check_documents(Documents(["a"]), length=0)
