"""The journal survives a torn line, and can be taken back to a step."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from qkvae.run import DamagedPart
from qkvae.run.journal import Journal


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "metrics.jsonl")


def test_nothing_was_logged_yet(journal: Journal) -> None:
    assert journal.records() == []


def test_records_come_back_in_the_same_bits(journal: Journal) -> None:
    records = [{"step": 1, "loss": 0.1 + 0.2}, {"event": "größer\nneu"}, {"loss": math.inf, "n": 2**60}]
    for record in records:
        journal.append(record)
    assert journal.records() == records
    assert journal.path.read_bytes().count(b"\n") == 3


@pytest.mark.parametrize("torn", [b'{"step": 2, "lo', b"\0\0\0\0", b'{"step": 2}'])
def test_a_torn_last_line_is_left_out_and_cut_before_the_next_record(journal: Journal, torn: bytes) -> None:
    journal.append({"step": 1})
    journal.path.write_bytes(journal.path.read_bytes() + torn)
    again = Journal(journal.path)
    assert again.records() == [{"step": 1}]
    again.append({"step": 3})
    assert again.records() == [{"step": 1}, {"step": 3}]


def test_a_damaged_line_is_named(journal: Journal) -> None:
    journal.path.write_text('{"step": 1}\n{"step": \n{"step": 3}\n', encoding="utf-8")
    with pytest.raises(DamagedPart, match=r"metrics\.jsonl, line 2: .*delete that line"):
        journal.records()


def test_rewinding_drops_later_steps_and_keeps_what_has_none(journal: Journal) -> None:
    for record in [{"event": "start"}, {"step": 1}, {"step": 2}, {"step": 3}, {"event": "saved"}]:
        journal.append(record)
    journal.rewind(2)
    journal.append({"step": 3, "again": True})
    assert journal.records() == [
        {"event": "start"},
        {"step": 1},
        {"step": 2},
        {"event": "saved"},
        {"step": 3, "again": True},
    ]


def test_rewinding_a_torn_journal(journal: Journal) -> None:
    journal.path.write_bytes(b'{"step": 1}\n{"step": 2}\n{"st')
    journal.rewind(1)
    assert journal.path.read_bytes() == b'{"step": 1}\n'


def test_rewinding_makes_sure_of_the_last_records_and_writes_none_twice(journal: Journal) -> None:
    last = [{"step": 2, "score": math.nan}, {"step": 2, "event": "plan"}]
    for record in [{"step": 1}, last[0], {"step": 2, "loss": 0.5}, {"step": 3}]:
        journal.append(record)
    for _ in range(2):
        journal.rewind(2, last)
        kept = journal.records()
        assert [r["step"] for r in kept] == [1, 2, 2, 2]
        assert math.isnan(kept[1]["score"])
        assert kept[2:] == [{"step": 2, "loss": 0.5}, {"step": 2, "event": "plan"}]
