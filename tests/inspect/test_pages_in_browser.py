"""The pages in a real browser: pointer, keyboard, phone, hostile text.  QKVAE_BROWSER may name one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_up import SOURCE, WRITTEN, look_facts

from qkvae.inspect.look import LookFacts, write_look
from qkvae.inspect.report import ReportFacts, write_report

pytestmark = pytest.mark.slow

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip(
        "playwright.sync_api", reason="playwright is not installed: pip install playwright"
    )
    named = os.environ.get("QKVAE_BROWSER")
    path = named or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no browser found: install chromium, or name one in QKVAE_BROWSER")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Window:
    """A page, and everything that went wrong or was asked for while it was open."""

    def __init__(self, browser: Any, path: Path, width: int, scheme: str = "light") -> None:
        self.wrong: list[str] = []
        self.asked: list[str] = []
        self.page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("dialog", lambda dialog: (self.wrong.append(dialog.message), dialog.dismiss()))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(path.as_uri())

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def fits(self) -> bool:
        return self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.fixture
def look_window(browser: Any, tmp_path: Path) -> Iterator[Any]:
    windows: list[Window] = []

    def window(facts: LookFacts | None = None, width: int = 1280, scheme: str = "light") -> Window:
        path = write_look(tmp_path / "look.html", facts or look_facts())
        windows.append(Window(browser, path, width, scheme))
        return windows[-1]

    yield window
    for each in windows:
        assert each.wrong == []
        assert len(each.asked) == 1  # the file itself
        each.page.close()


def test_pointing_at_a_cell_shows_its_weight_and_score(look_window: Any) -> None:
    facts, window = look_facts(), look_window()
    window.page.click("label:has(#pick-attention-decoder)")
    place = window.page.evaluate("({left: matrix.left, top: matrix.top, side: matrix.side})")

    def point(row: int, column: int) -> None:
        x, y = (place[edge] + place["side"] * (at + 0.5) for edge, at in (("left", column), ("top", row)))
        window.page.hover("#matrix", position={"x": x, "y": y})

    point(3, 1)
    attention = facts.decoder[-1]
    assert f"{float(attention.weights[0, 3, 1]):.4f}" in window.text("#matrix-readout")
    assert f"{float(attention.scores[0, 3, 1]):.4f}".replace("-", "−") in window.text("#matrix-readout")
    point(1, 3)
    assert "masked" in window.text("#matrix-readout")


def test_a_head_is_chosen_in_the_overview_and_a_query_by_keyboard(look_window: Any) -> None:
    facts, window = look_facts(), look_window()
    window.page.click('.thumb[data-kind="encoder"][data-layer="0"][data-head="2"]')
    assert "Encoder self-attention, block 1, head 3" in window.text("#matrix-title")
    window.page.focus("#matrix")
    window.page.keyboard.press("Home")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight"):
        window.page.keyboard.press(key)
    assert window.text("#matrix-readout").startswith(f"{SOURCE[2]} → {SOURCE[1]}")
    assert window.page.evaluate("document.activeElement.id") == "matrix"
    weights = facts.encoder[0].weights[2, 2]
    shown = window.page.eval_on_selector_all(
        ".steps tbody tr", "rows => rows.map(row => row.querySelectorAll('td.number')[3].textContent)"
    )
    assert shown == [f"{float(weight):.4f}" for weight in weights]


def test_the_page_computes_what_the_model_recorded(look_window: Any) -> None:
    window = look_window()
    apart = window.page.evaluate("""() => {
        let most = 0;
        for (const kind of Object.keys(KINDS)) facts[kind].forEach((_, layer) => {
            for (let head = 0; head < headsOf(kind, layer); head++) KINDS[kind].from.forEach((_, i) => {
                const read = (name, row) => rowOf(kind, layer, name, head, row);
                KINDS[kind].to.forEach((_, j) => {
                    const query = read("queries", i), score = read("scores", i)[j];
                    const again = dot(query, read("keys", j)) / Math.sqrt(query.length);
                    if (score !== -Infinity) most = Math.max(most, Math.abs(score - again));
                });
            });
        });
        return most;
    }""")
    assert 0 <= apart < 1e-5  # cross-attention of these facts has fewer key heads than query heads


def test_a_token_of_the_translation_shows_candidates_and_alignment(look_window: Any) -> None:
    facts, window = look_facts(), look_window()
    window.page.click("#target-tokens button >> nth=1")
    assert window.text("#candidates").count("%") == 3
    assert WRITTEN[0] in window.text("#candidates")
    shares = facts.cross[-1].weights[:, 1].mean(0)
    shown = window.page.eval_on_selector_all(
        "#source-tokens small", "all => all.map(small => small.textContent)"
    )
    assert shown == [f"{100 * float(share):.1f} %" for share in shares]
    assert window.page.evaluate("document.activeElement.getAttribute('aria-pressed')") == "true"


def test_everything_can_be_reached_by_keyboard(look_window: Any) -> None:
    window, reached = look_window(), set[str]()
    for _ in range(80):
        window.page.keyboard.press("Tab")
        reached.add(window.page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"token", "thumb", "pick-attention-cross", "matrix", "query", "query-after", "channel"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1920])
def test_it_fits_a_phone_and_a_wall(look_window: Any, width: int, scheme: str) -> None:
    long = tuple(f"▁word{number}" for number in range(30))
    assert look_window(width=width, scheme=scheme).fits()
    assert look_window(look_facts(source=long), width=width, scheme=scheme).fits()


def test_hostile_text_is_only_text(look_window: Any) -> None:
    bad = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"
    window = look_window(look_facts(sentence=bad, source=(bad, *SOURCE[1:]), run=bad))
    assert bad in window.text("h1")
    window.page.click('.thumb[data-kind="encoder"][data-layer="0"][data-head="0"]')
    assert bad in window.text("#steps")


def test_the_report_switches_between_steps_and_minutes(browser: Any, tmp_path: Path) -> None:
    records = [{"step": step, "seconds": 2.0 * step, "loss": 5 / step} for step in range(1, 20)]
    facts = ReportFacts(title="</title><script>alert(1)</script>", command="c", config={}, records=records)
    window = Window(browser, write_report(facts, tmp_path / "report.html"), 360, "dark")
    assert (window.page.is_visible(".by-step"), window.page.is_visible(".by-minute")) == (True, False)
    window.page.focus("#per-step")
    window.page.keyboard.press("ArrowRight")
    assert (window.page.is_visible(".by-step"), window.page.is_visible(".by-minute")) == (False, True)
    assert window.fits()
    assert window.wrong == []
    assert len(window.asked) == 1


def test_a_channel_is_dragged_and_shows_its_numbers(look_window: Any) -> None:
    facts, window = look_facts(), look_window()
    window.page.locator("#channel").scroll_into_view_if_needed()
    box = window.page.locator("#channel").bounding_box()
    middle = box["y"] + box["height"] / 2
    window.page.mouse.move(box["x"] + 8, middle)
    window.page.mouse.down()
    for part in (0.3, 0.6, 1.0):
        window.page.mouse.move(box["x"] + part * box["width"], middle)
    window.page.mouse.up()
    assert "8 of 8" in window.text("#steps")
    query = float(facts.cross[-1].queries[0, 0, 7])
    assert f"q₈ = {query:.4f}".replace("-", "−") in window.text("#steps")


def test_heads_are_walked_through_with_the_arrow_keys(look_window: Any) -> None:
    window = look_window()
    window.page.focus("#pick-head-0")
    for _ in range(2):
        window.page.keyboard.press("ArrowRight")
    assert "head 3" in window.text("#matrix-title")
