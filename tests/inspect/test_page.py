"""What every page needs: data that cannot become markup, and files written whole."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qkvae.inspect import page

ATTACKS = [
    "</script><script>alert(1)</script>",
    "<!--<script>",
    "</SCRIPT >",
    "\u2028]]>",
    '"><img src=x onerror=alert(1)>',
]
values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)),
    max_leaves=12,
)


class Scripts(HTMLParser):
    """What a parser of HTML takes for the content of scripts."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self.scripts, self.elements = False, [""], list[str]()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.inside = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        if self.inside:
            self.scripts.append("")
        self.inside = False

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.scripts[-1] += data


@given(values)
def test_data_survives_the_page(value: object) -> None:
    assert json.loads(page.data(value)) == value


@pytest.mark.parametrize("attack", ATTACKS)
def test_no_text_ends_a_script(attack: str) -> None:
    parser = Scripts()
    parser.feed(f"<script>{page.data([attack])}</script><p>")
    assert parser.elements == ["script", "p"]
    assert json.loads(parser.scripts[0]) == [attack]


def test_numbers_that_json_cannot_say_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        page.data(float("nan"))


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    page.write_page(path, "old")
    (tmp_path / "page.html.new").mkdir()
    with pytest.raises(OSError, match="page"):
        page.write_page(path, "new")
    assert path.read_text(encoding="utf-8") == "old"


def test_what_cannot_be_written_is_named_as_it_was_asked_for_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    with pytest.raises(IsADirectoryError) as told:
        page.write_page(tmp_path / "pages", "new")
    assert told.value.filename == str(tmp_path / "pages")
    assert [path.name for path in tmp_path.iterdir()] == ["pages"]


def test_half_characters_do_not_stop_the_writing(tmp_path: Path) -> None:
    path = page.write_page(tmp_path / "page.html", "a\udc80b\nc")
    assert path.read_bytes() == b"a?b\nc"
