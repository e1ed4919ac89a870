"""The page of one sentence: holds every number, reaches for nothing outside, runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from made_up import SOURCE, look_facts

from qkvae.inspect.look import look, write_look

DATA = re.compile(r'<script type="application/json" id="facts">(.*?)</script>', re.DOTALL)


def numbers(packed: dict[str, object]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(str(packed["data"])), dtype="<f4")
    return flat.reshape(packed["shape"])


def told(page: str) -> dict[str, list[dict[str, dict[str, object]]]]:
    found = DATA.search(page)
    assert found is not None
    return json.loads(found[1])


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
@pytest.mark.parametrize("name", ["queries", "keys", "values", "scores", "weights", "mixed"])
def test_every_number_of_every_layer_and_head_is_in_the_page(kind: str, name: str) -> None:
    facts = look_facts()
    parts = told(look(facts))[kind]
    assert len(parts) == 2
    for part, attention in zip(parts, getattr(facts, kind), strict=True):
        assert np.array_equal(numbers(part[name]), getattr(attention, name).numpy())


def test_what_is_masked_is_in_the_page_as_minus_infinity() -> None:
    scores = numbers(told(look(look_facts()))["decoder"][0]["scores"])
    assert np.all(np.triu(scores[0] == -math.inf, 1) == np.triu(np.ones_like(scores[0]), 1))


def test_the_policy_names_the_one_script_of_the_page() -> None:
    page = look(look_facts())
    script = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(script) == 1
    digest = base64.b64encode(hashlib.sha256(script[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in page
    assert "default-src 'none'" in page


def test_it_reaches_for_nothing_outside() -> None:
    page = look(look_facts())
    assert re.findall(r"(?:https?:)//[\w.]", page) == []
    assert not re.search(r"\b(?:fetch|import|XMLHttpRequest|eval|innerHTML|insertAdjacentHTML)\s*[(=]", page)
    assert "src=" not in page


def test_text_of_the_user_is_never_markup() -> None:
    bad = "</script><script>alert(1)</script>"
    page = look(look_facts(sentence=bad, source=(bad, *SOURCE[1:]), run=bad))
    assert page.count("<script") == 2
    assert told(page)["source"][0] == bad


def test_control_characters_in_tokens_are_shown() -> None:
    page = look(look_facts(source=("a\tb\n", *SOURCE[1:])))
    assert told(page)["source"][0] == "a␉b␊"


def test_the_file_holds_the_page(tmp_path: Path) -> None:
    path = write_look(tmp_path / "look.html", look_facts())
    assert path.read_text(encoding="utf-8") == look(look_facts())
