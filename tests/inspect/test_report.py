"""The report: says what it was given, degrades well, and no text of the user becomes markup."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from qkvae.config import Translation, to_dict
from qkvae.inspect.alignment import Alignment, alignment_section
from qkvae.inspect.report import POINTS, ReportFacts, report, write_report
from qkvae.inspect.sections import Sample, Section, Table

TRAINING: list[dict[str, Any]] = [
    {"step": step, "seconds": 0.5 * step, "loss": 8 / step, "lr": 1e-3, "tokens_per_second": 9000.0}
    for step in range(1, 501)
]
VALIDATION: list[dict[str, Any]] = [
    {"step": step, "seconds": 0.5 * step, "valid_loss": 2.0, "perplexity": 7.4, "bleu": 30.0 + step / 100}
    for step in (100, 200, 300)
]


def facts(**changes: Any) -> ReportFacts:
    told: dict[str, Any] = {
        "title": "dates",
        "command": "qkvae train translation --minutes 3",
        "config": to_dict(Translation()),
        "records": TRAINING + VALIDATION,
    }
    return ReportFacts(**(told | changes))


def headings(page: str) -> list[str]:
    return re.findall(r"<h2[^>]*>(.*?)</h2>", page)


def test_everything_given_is_shown() -> None:
    page = report(
        facts(
            figures={"BLEU": 33.5, "parameters": 7654321},
            sections=[
                Section(
                    title="Written", samples=[Sample(parts=[("source", "a dog"), ("answer", "der Hund")])]
                ),
                Section(title="Right", samples=[Sample(parts=[("answer", "ein Hund")], right=True)]),
                Section(
                    title="Counted", tables=[Table(headings=("class", "how often"), rows=[("cat", 12345)])]
                ),
                alignment_section(
                    [Alignment(source=["a", "dog"], target=["Hund"], weights=[[0.125, 0.875]])]
                ),
            ],
            passport={"files": ["train.en.gz"], "pairs": {"training": 29000}, "cut": [], "licence": None},
        )
    )
    shown = (
        "33.5",
        "7,654,321",
        "a dog",
        "ein Hund",
        "der Hund",
        "Hund → dog: 0.875",
        "train.en.gz",
        "29,000",
        "12,345",
    )
    assert [text for text in shown if text not in page] == []
    assert page.count('<span class="same">') == 1
    assert "qkvae train translation --minutes 3" in page
    for name in ("label_smoothing", "norm_order", "save_every", "length_penalty"):
        assert name in page
    assert "BLEU, step 300: 33" in page
    assert "BLEU, minute 2.5: 33" in page


def test_it_reaches_for_nothing_outside() -> None:
    page = report(facts())
    assert 'http-equiv="Content-Security-Policy" content="default-src \'none\'' in page
    addresses = set(re.findall(r"(?:https?:)?//[\w.]+[^\s\"'<]*", page))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, never fetched
    assert "<script" not in page
    assert "@import" not in page
    assert "url(" not in page.replace("url(#qk-hatch", "")


@pytest.mark.parametrize(
    "records",
    [
        [],
        TRAINING[:1],
        VALIDATION[:1],
        [{"step": 5}],
        [{"step": 1, "loss": None}],
        [{"step": 1, "loss": math.nan}],
    ],
)
def test_few_records_make_a_smaller_report(records: list[dict[str, Any]]) -> None:
    page = report(facts(records=records))
    assert headings(page) == ["How it learned", "To make it again", "Every setting"]


def test_long_curves_are_thinned_and_the_report_says_so() -> None:
    page = report(facts())
    assert f"more than {POINTS} records, a point is the mean of 3" in page
    first = sum(8 / step for step in (1, 2, 3)) / 3
    assert f"training, step 2: {first:.4g}" in page
    assert "the mean of" not in report(facts(records=TRAINING[:POINTS]))


def test_text_of_the_user_is_never_markup() -> None:
    bad = "</style></script><script>alert(1)</script>"
    page = report(
        facts(
            title=bad,
            command=bad,
            figures={bad: bad},
            config={bad: bad},
            passport={bad: [bad]},
            sections=[
                Section(title=bad, note=bad, samples=[Sample(parts=[(bad, bad)])]),
                Section(title=bad, tables=[Table(title=bad, headings=[bad], rows=[[bad]], folded=True)]),
                alignment_section([Alignment(source=[bad], target=[bad], weights=[[1.0]])]),
            ],
        )
    )
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_settings_are_written_as_they_are_typed() -> None:
    page = report(
        facts(config={"data": {"paths": ["a b", "c"]}, "model": {"block": {"base": 10000.0, "eps": 1e-5}}})
    )
    assert "<h3>model.block</h3>" in page
    for text in ("10000.0", "1e-05", "a b c"):
        assert f"<code>{text}</code>" in page


def test_alignments_of_another_size_are_refused() -> None:
    with pytest.raises(ValueError, match="1 rows of 2 values for 1 row labels and 1 column labels"):
        alignment_section([Alignment(source=["a"], target=["b"], weights=[[0.5, 0.5]])])


def test_a_table_has_as_many_cells_as_headings() -> None:
    with pytest.raises(ValueError, match="2 headings, but a row of 1 cells"):
        Table(title="t", headings=("a", "b"), rows=[["x"]])


def test_the_file_holds_the_page(tmp_path: Path) -> None:
    path = write_report(facts(), tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == report(facts())
