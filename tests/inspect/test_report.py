"""The report: says what it was given, degrades well, and no text of the user becomes markup."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import pytest

from qkvae.config import Translation, to_dict
from qkvae.inspect.report import POINTS, Alignment, ReportFacts, Sample, report, write_report

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
            samples=[Sample(source="a dog", reference="ein Hund", translation="der Hund")],
            alignments=[Alignment(source=["a", "dog"], target=["Hund"], weights=[[0.125, 0.875]])],
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
    )
    assert [text for text in shown if text not in page] == []
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
    assert "To make it again" in headings(page)
    assert "What it writes" not in headings(page)


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
            samples=[Sample(source=bad, reference=bad, translation=bad)],
            alignments=[Alignment(source=[bad], target=[bad], weights=[[1.0]])],
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


def test_alignments_of_another_size_are_refused(tmp_path: Path) -> None:
    wrong = facts(alignments=[Alignment(source=["a"], target=["b"], weights=[[0.5, 0.5]])])
    with pytest.raises(ValueError, match="1 rows of 2 values for 1 row labels and 1 column labels"):
        write_report(wrong, tmp_path / "report.html")
    assert not list(tmp_path.iterdir())


def test_the_file_holds_the_page(tmp_path: Path) -> None:
    path = write_report(facts(), tmp_path / "report.html")
    assert path.read_text(encoding="utf-8") == report(facts())
