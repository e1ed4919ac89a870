"""What data are to a model, and the way back."""

from __future__ import annotations

from qkvae.data.mixed_table import MixedTable
from qkvae.data.table_scaling import TableScaling
from qkvae.tasks.vae.forms import TableForm


def test_what_is_missing_or_was_never_seen_stays_an_empty_cell() -> None:
    train = MixedTable({"age": ["1", "2", "3"], "town": ["Pisa", "Turin", "Turin"]})
    form = TableForm(TableScaling.decide(train))
    rows = MixedTable({"age": ["1", None, "3"], "town": [None, "Rome", "Turin"]})
    assert form.cells(form.stored(rows)) == [["1", ""], ["", ""], ["3", "Turin"]]
